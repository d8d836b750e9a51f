import { GrpcError, GrpcStatus } from "@bowline/grpc";
import { parseContextToken, parseTarget, type Target } from "./authority.ts";
import type { Batch } from "./batch.ts";
import type { ClusterIndex } from "./cluster-index.ts";
import type { UpdateSink } from "./endpoint-view.ts";
import { ProfileResolution, type ProfileSink, type ProfileSubject } from "./profile-resolution.ts";
import { type EndpointWatch, type PortObserver, ServicePort } from "./service-port.ts";
import type { DiscoverySettings } from "./settings.ts";

/** What happens, for metrics and logs. */
export interface DiscoveryObserver {
  port(namespace: string, name: string, port: number): PortObserver;
  onProfileSubscribers(subject: ProfileSubject, count: number): void;
  onProfileUpdate(subject: ProfileSubject): void;
  /** A ServiceProfile that cannot be followed. */
  onFault(text: string): void;
}

/** Tells nobody anything. */
export const SILENT_OBSERVER: DiscoveryObserver = {
  port: () => SILENT_PORT,
  onProfileSubscribers: () => undefined,
  onProfileUpdate: () => undefined,
  onFault: () => undefined,
};

const SILENT_PORT: PortObserver = {
  onSubscribers: () => undefined,
  onUpdate: () => undefined,
  onEndpoints: () => undefined,
  onClose: () => undefined,
};

export interface DiscoveryOptions {
  readonly index: ClusterIndex;
  readonly settings: DiscoverySettings;
  readonly batch: Batch;
  readonly observer: DiscoveryObserver;
}

const REMOTE_DISCOVERY_LABEL = "multicluster.linkerd.io/remote-discovery";
const REMOTE_SERVICE_LABEL = "multicluster.linkerd.io/remote-service";

/**
 * What clients follow: one `ServicePort` for each port of a service that is asked for, one `ProfileResolution` for each
 * question about a profile, each shared by all who want the same.
 */
export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #ports = new Map<string, ServicePort>();
  readonly #profiles = new Map<string, ProfileResolution>();
  readonly #profileSinks: Record<ProfileSubject, number> = { service: 0, workload: 0 };

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  /** Ports and questions that are followed. */
  get followed(): number {
    return this.#ports.size + this.#profiles.size;
  }

  /**
   * Tells the endpoints of `name:port` to the sink, all there are at once and then the differences.
   * @returns ends it
   * @throws GrpcError
   */
  watchEndpoints(path: string, contextToken: string, sink: UpdateSink): () => void {
    const { settings, batch } = this.#options;
    const target = parseTarget(path, settings.clusterDomain);
    if (target.kind === "address") {
      throw new GrpcError(
        GrpcStatus.InvalidArgument,
        `invalid authority ${path}: endpoints are those of a service's name`,
      );
    }
    batch.flush();
    this.#checkService(target);
    const key = `${target.namespace}/${target.name}:${target.port}`;
    const port = this.#port(key, target);
    const watch: EndpointWatch = port.add(sink, target.hostname, parseContextToken(contextToken));
    for (const message of watch.view.whole()) sink.send(message);
    return () => {
      port.remove(watch);
      if (port.watches > 0 || this.#ports.get(key) !== port) return;
      this.#ports.delete(key);
      port.close();
    };
  }

  /**
   * Tells the profile of `name:port` or `ip:port` to the sink, now and whenever it is another.
   * @returns ends it
   * @throws GrpcError
   */
  watchProfile(path: string, contextToken: string, sink: ProfileSink): () => void {
    const { settings, batch, observer } = this.#options;
    const target = parseTarget(path, settings.clusterDomain);
    const { namespace } = parseContextToken(contextToken);
    batch.flush();
    const key = JSON.stringify([path, namespace]);
    const profile = this.#profiles.get(key) ?? this.#resolveProfile(key, target, namespace);
    sink.send(profile.framed);
    profile.sinks.add(sink);
    observer.onProfileSubscribers(profile.subject, ++this.#profileSinks[profile.subject]);
    return () => {
      if (!profile.sinks.delete(sink)) return;
      observer.onProfileSubscribers(profile.subject, --this.#profileSinks[profile.subject]);
      if (profile.sinks.size > 0 || this.#profiles.get(key) !== profile) return;
      this.#profiles.delete(key);
      profile.close();
    };
  }

  #port(key: string, { namespace, name, port }: Target & { kind: "service" }): ServicePort {
    let found = this.#ports.get(key);
    if (found === undefined) {
      const observer = this.#options.observer.port(namespace, name, port);
      found = new ServicePort({ ...this.#options, namespace, name, port, observer });
      this.#ports.set(key, found);
    }
    return found;
  }

  #resolveProfile(key: string, target: Target, namespace: string): ProfileResolution {
    const { index, settings, batch, observer } = this.#options;
    const profile = new ProfileResolution({
      index,
      settings,
      batch,
      question: { target, namespace },
      onFault: (text) => observer.onFault(text),
      onUpdate: (subject) => observer.onProfileUpdate(subject),
    });
    this.#profiles.set(key, profile);
    return profile;
  }

  #checkService({ namespace, name, host }: Target & { kind: "service" }): void {
    const service = this.#options.index.get("services", `${namespace}/${name}`);
    if (service === undefined) throw new GrpcError(GrpcStatus.NotFound, `no service ${namespace}/${name}`);
    if (service.spec?.type === "ExternalName") {
      throw new GrpcError(GrpcStatus.InvalidArgument, `invalid authority ${host}: the service is of type ExternalName`);
    }
    const cluster = service.metadata.labels?.[REMOTE_DISCOVERY_LABEL];
    if (cluster === undefined) return;
    const remote = service.metadata.labels?.[REMOTE_SERVICE_LABEL] ?? "";
    throw remote === ""
      ? new GrpcError(
          GrpcStatus.FailedPrecondition,
          `service ${namespace}/${name} has no label ${REMOTE_SERVICE_LABEL}`,
        )
      : new GrpcError(GrpcStatus.NotFound, `no cluster ${cluster} is linked`);
  }
}
