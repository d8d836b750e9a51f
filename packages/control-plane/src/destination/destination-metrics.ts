import { type GrpcObserver, type GrpcStatus, grpcStatusName } from "@bowline/grpc";
import { type Family, labels, type Registry } from "@bowline/metrics";
import type { DiscoveryObserver } from "./discovery.ts";
import type { ObjectKind } from "./objects.ts";
import type { ProfileSubject } from "./profile-resolution.ts";
import type { PortObserver } from "./service-port.ts";

const FAMILIES = {
  subscribers: gauge("endpoints_subscribers", "A gauge for the current number of subscribers to endpoints."),
  updates: counter("endpoints_updates", "A counter for number of updates to endpoints."),
  pods: gauge("endpoints_pods", "A gauge for the current number of pods in a endpoints."),
  exists: gauge("endpoints_exists", "A gauge which is 1 if the endpoints exists and 0 if it does not."),
  overflow: counter(
    "endpoint_updates_queue_overflow",
    "A counter incremented whenever the endpoint updates queue overflows.",
  ),
  profileOverflow: counter(
    "profile_updates_queue_overflow",
    "A counter incremented whenever the profile updates queue overflows.",
  ),
  faults: counter("profile_faults_total", "Total count of ServiceProfiles found to be unusable."),
  started: counter("grpc_server_started_total", "Total number of RPCs started on the server."),
  handled: counter("grpc_server_handled_total", "Total number of RPCs completed on the server, regardless of success."),
} as const;

/** Profiles, by what they are about. */
const PROFILES: Readonly<Record<ProfileSubject, { readonly subscribers: Family; readonly updates: Family }>> = {
  service: {
    subscribers: gauge("profile_subscribers", "A gauge for the current number of subscribers to a profile."),
    updates: counter("profile_updates", "A counter for number of updates to a profile."),
  },
  workload: {
    subscribers: gauge("workload_subscribers", "A gauge for the current number of subscribers to a workload."),
    updates: counter("workload_updates", "A counter for number of updates to a workload."),
  },
};

/** A cache's size, by what it holds, as Linkerd names them. */
const CACHE_SIZES: Readonly<Record<ObjectKind, Family>> = {
  services: cacheSize("service"),
  endpointslices: cacheSize("endpointslice"),
  pods: cacheSize("pod"),
  serviceprofiles: cacheSize("serviceprofile"),
  nodes: cacheSize("node"),
  replicasets: cacheSize("replicaset"),
  jobs: cacheSize("job"),
  servers: cacheSize("server"),
  externalworkloads: cacheSize("externalworkload"),
};

/** From 10 ms, doubling. */
const LAG_BOUNDS_S = Array.from({ length: 14 }, (_, at) => 0.01 * 2 ** at);

const CLUSTER: readonly [string, string] = ["cluster", "local"];

/** What the destination service counts, under Linkerd's names (facts §3). */
export class DestinationMetrics implements DiscoveryObserver, GrpcObserver {
  readonly #registry: Registry;
  readonly #onFault: (text: string) => void;

  constructor(registry: Registry, onFault: (text: string) => void) {
    this.#registry = registry;
    this.#onFault = onFault;
    for (const { subscribers, updates } of Object.values(PROFILES)) {
      registry.gauge(subscribers);
      registry.counter(updates);
    }
  }

  port(namespace: string, service: string, port: number): PortObserver {
    const text = labels([CLUSTER, ["namespace", namespace], ["service", service], ["port", String(port)]]);
    const registry = this.#registry;
    const subscribers = registry.gauge(FAMILIES.subscribers, text);
    const updates = registry.counter(FAMILIES.updates, text);
    const pods = registry.gauge(FAMILIES.pods, text);
    const exists = registry.gauge(FAMILIES.exists, text);
    return {
      onSubscribers: (count) => {
        subscribers.value = count;
      },
      onUpdate: () => {
        updates.value += 1;
      },
      onEndpoints: (count, isThere) => {
        pods.value = count;
        exists.value = isThere ? 1 : 0;
      },
      onClose: () => {
        for (const one of [FAMILIES.subscribers, FAMILIES.updates, FAMILIES.pods, FAMILIES.exists]) {
          registry.remove(one, text);
        }
      },
    };
  }

  onProfileSubscribers(subject: ProfileSubject, count: number): void {
    this.#registry.gauge(PROFILES[subject].subscribers).value = count;
  }

  onProfileUpdate(subject: ProfileSubject): void {
    this.#registry.counter(PROFILES[subject].updates).value += 1;
  }

  onFault(text: string): void {
    this.#registry.counter(FAMILIES.faults).value += 1;
    this.#onFault(text);
  }

  onEndpointsOverflow(path: string): void {
    this.#registry.counter(FAMILIES.overflow, labels([["service", path]])).value += 1;
  }

  onProfileOverflow(path: string): void {
    const at = path.lastIndexOf(":");
    const pairs: [string, string][] = [
      ["fqn", at < 0 ? path : path.slice(0, at)],
      ["port", at < 0 ? "" : path.slice(at + 1)],
    ];
    this.#registry.counter(FAMILIES.profileOverflow, labels(pairs)).value += 1;
  }

  onCallStart(service: string, method: string): void {
    this.#registry.counter(FAMILIES.started, labels(callPairs(service, method))).value += 1;
  }

  onCallEnd(service: string, method: string, code: GrpcStatus, _ms: number): void {
    const pairs: [string, string][] = [...callPairs(service, method), ["grpc_code", goCodeName(code)]];
    this.#registry.counter(FAMILIES.handled, labels(pairs)).value += 1;
  }

  onCacheSize(kind: ObjectKind, count: number): void {
    this.#registry.gauge(CACHE_SIZES[kind], labels([CLUSTER])).value = count;
  }

  /** @param seconds from a change to when it was seen here */
  onLag(kind: ObjectKind, seconds: number): void {
    this.#registry.histogram(LAGS[kind]).observe(seconds);
  }
}

const LAGS: Readonly<Record<ObjectKind, Family>> = {
  services: lag("services", "Service"),
  endpointslices: lag("endpointslices", "EndpointSlice"),
  pods: lag("pods", "Pod"),
  serviceprofiles: lag("serviceprofiles", "ServiceProfile"),
  nodes: lag("nodes", "Node"),
  replicasets: lag("replicasets", "ReplicaSet"),
  jobs: lag("jobs", "Job"),
  servers: lag("servers", "Server"),
  externalworkloads: lag("externalworkload", "ExternalWorkload"),
};

function callPairs(service: string, method: string): [string, string][] {
  return [
    ["grpc_type", "server_stream"],
    ["grpc_service", service],
    ["grpc_method", method],
  ];
}

/** `NotFound`, as gRPC's Go library writes it, which names these metrics. */
function goCodeName(code: GrpcStatus): string {
  const name = grpcStatusName(code);
  if (name === "OK") return name;
  return name
    .toLowerCase()
    .replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())
    .replace("Cancelled", "Canceled");
}

function cacheSize(kind: string): Family {
  return gauge(`${kind}_cache_size`, `Number of items in the ${kind} cache`);
}

function lag(name: string, kind: string): Family {
  const help = `The amount of time between when a ${kind} resource is updated and when an informer observes it`;
  return { name: `${name}_informer_lag_seconds`, help, kind: "histogram", style: "classic", bounds: LAG_BOUNDS_S };
}

function counter(name: string, help: string): Family {
  return { name, help, kind: "counter", style: "classic" };
}

function gauge(name: string, help: string): Family {
  return { name, help, kind: "gauge", style: "classic" };
}
