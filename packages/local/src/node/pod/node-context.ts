import { join } from "node:path";
import type { ConfigMap, KubeObject, Pod, Secret, Service } from "@bowline/kube";
import type { Machine } from "../container/machine.ts";
import type { PodPlace } from "../environment/pod-field.ts";
import type { NodeOptions } from "../types.ts";

/** What all pods of the node share. */
export interface NodeContext {
  readonly options: NodeOptions;
  readonly machine: Machine;
  readonly podsDir: string;
  readonly capacity: PodPlace["capacity"];
  readonly warn: (line: string) => void;
}

/** Until there is a Service that says otherwise. */
const DNS_ADDRESS = "10.96.0.10";

/** The cluster as one pod is concerned with it. */
export class PodCluster {
  readonly context: NodeContext;
  readonly #namespace: string;

  constructor(context: NodeContext, namespace: string) {
    this.context = context;
    this.#namespace = namespace;
  }

  get api(): NodeOptions["api"] {
    return this.context.options.api;
  }

  get network(): NodeOptions["network"] {
    return this.context.options.network;
  }

  readonly configMap = (name: string): ConfigMap | undefined =>
    this.api.get<ConfigMap>("configmaps", this.#namespace, name);

  readonly secret = (name: string): Secret | undefined => this.api.get<Secret>("secrets", this.#namespace, name);

  services(): Service[] {
    return this.api.list<Service>("services", { namespace: this.#namespace });
  }

  apiService(): Service | undefined {
    return this.api.get<Service>("services", "default", "kubernetes");
  }

  dnsAddresses(): readonly string[] {
    const service = this.api.get<Service>("services", "kube-system", "kube-dns");
    const address = service?.spec?.clusterIP;
    return [address === undefined || address === "" ? DNS_ADDRESS : address];
  }

  event(about: KubeObject, kind: "Normal" | "Warning", reason: string, message: string): void {
    this.api.event(about, kind, reason, message, "kubelet");
  }

  token(pod: Pod, request: { audience: string | undefined; expirationSeconds: number }): Promise<string> {
    const { name, namespace = "", uid = "" } = pod.metadata;
    return this.context.options.serviceAccountToken(namespace, pod.spec?.serviceAccountName ?? "default", {
      audiences: request.audience === undefined ? [] : [request.audience],
      expirationSeconds: request.expirationSeconds,
      pod: { name, uid },
    });
  }
}

/** Where a pod's files are. */
export class PodPaths {
  readonly root: string;

  constructor(podsDir: string, uid: string) {
    this.root = join(podsDir, uid);
  }

  get volumes(): string {
    return join(this.root, "volumes");
  }

  /** What goes over every container's root: files of /etc. */
  get layer(): string {
    return join(this.root, "layer");
  }

  get containers(): string {
    return join(this.root, "containers");
  }

  /** The path of the network namespace that the pod's containers were started in. */
  get sandbox(): string {
    return join(this.root, "sandbox");
  }

  container(name: string): string {
    return join(this.containers, name);
  }

  run(name: string, attempt: number): string {
    return join(this.containers, name, String(attempt));
  }
}
