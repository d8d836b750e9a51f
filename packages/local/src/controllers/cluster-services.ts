import { ApiError, type EndpointSlice, type Endpoints, type Service } from "@bowline/kube";
import { canonical } from "./canonical.ts";
import type { Controller, ControllerContext } from "./controller.ts";
import { SERVICE_NAME, SLICES } from "./endpoints/slice-labels.ts";
import { startWorkQueue } from "./work-queue.ts";

export interface ClusterServices {
  /** What Service default/kubernetes stands for: its own addresses, and where the API server is reached in the cluster. */
  readonly apiServer?: {
    readonly clusterIps: readonly string[];
    readonly addresses: readonly string[];
    readonly port: number;
  };
  /** The addresses of Service kube-system/kube-dns, at which the cluster's DNS answers itself. */
  readonly dns?: { readonly clusterIps: readonly string[] };
}

const API_LABELS = { component: "apiserver", provider: "kubernetes" };

/** Keeps the Services that are the cluster's own, whoever deletes or changes them. */
export function startClusterServices(context: ControllerContext, { apiServer, dns }: ClusterServices): Controller {
  const queue = startWorkQueue({
    name: "cluster-services",
    warn: context.warn,
    async reconcile(key) {
      if (key === "default/kubernetes" && apiServer !== undefined) await keepApiServer(context, apiServer);
      if (key === "kube-system/kube-dns" && dns !== undefined) await keepService(context, dnsService(dns.clusterIps));
    },
  });
  const types = ["services", "endpoints", SLICES];
  const unwatch = types.map((type) =>
    context.api.watch(type, ({ type: change, object: { metadata } }) => {
      if (change !== "ADDED") queue.add(`${metadata.namespace}/${metadata.name}`);
    }),
  );
  // The namespaces these live in come with the first reconciliations; what is too early is tried again.
  queue.add("default/kubernetes");
  queue.add("kube-system/kube-dns");
  return {
    stop() {
      for (const each of unwatch) each();
      queue.stop();
    },
  };
}

async function keepApiServer(
  context: ControllerContext,
  { clusterIps, addresses, port }: NonNullable<ClusterServices["apiServer"]>,
): Promise<void> {
  const { api } = context;
  const ports = [{ name: "https", port: 443, protocol: "TCP", targetPort: port }];
  await keepService(context, serviceOf("kubernetes", "default", API_LABELS, clusterIps, ports));
  const metadata = {
    name: "kubernetes",
    namespace: "default",
    labels: { "endpointslice.kubernetes.io/skip-mirror": "true" },
  };
  const subsets = [{ addresses: addresses.map((ip) => ({ ip })), ports: [{ name: "https", port, protocol: "TCP" }] }];
  if (api.get("endpoints", "default", "kubernetes") === undefined) {
    await api.create<Endpoints>("endpoints", { apiVersion: "v1", kind: "Endpoints", metadata, subsets });
  } else {
    await api.change<Endpoints>("endpoints", "default", "kubernetes", (draft) => {
      if (canonical(draft.subsets) === canonical(subsets)) return false;
      draft.subsets = subsets;
      return undefined;
    });
  }
  for (const family of ["IPv4", "IPv6"] as const) {
    const mine = addresses.filter((ip) => (ip.includes(":") ? "IPv6" : "IPv4") === family);
    if (mine.length > 0) await keepSlice(context, family, mine, port);
  }
}

async function keepSlice(
  { api }: ControllerContext,
  addressType: "IPv4" | "IPv6",
  addresses: readonly string[],
  port: number,
): Promise<void> {
  const name = addressType === "IPv4" ? "kubernetes" : "kubernetes-ipv6";
  const endpoints = [{ addresses: [...addresses], conditions: { ready: true } }];
  const ports = [{ name: "https", port, protocol: "TCP" }];
  const old = api.get<EndpointSlice>(SLICES, "default", name);
  if (old === undefined) {
    const metadata = { name, namespace: "default", labels: { [SERVICE_NAME]: "kubernetes" } };
    const head = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice" } as const;
    await api.create<EndpointSlice>(SLICES, { ...head, metadata, addressType, endpoints, ports });
    return;
  }
  await api.change<EndpointSlice>(SLICES, "default", name, (draft) => {
    if (canonical([draft.endpoints, draft.ports]) === canonical([endpoints, ports])) return false;
    draft.endpoints = endpoints;
    draft.ports = ports;
    return undefined;
  });
}

async function keepService({ api }: ControllerContext, service: Service): Promise<void> {
  const { namespace = "", name } = service.metadata;
  if (api.get("services", namespace, name) === undefined) {
    try {
      await api.create<Service>("services", service);
    } catch (error) {
      if (!(error instanceof ApiError && error.reason === "AlreadyExists")) throw error;
    }
    return;
  }
  await api.change<Service>("services", namespace, name, (draft) => {
    const wanted = service.spec?.ports ?? [];
    const same = (draft.spec?.ports ?? []).map(({ name: port, targetPort }) => [port, targetPort]);
    if (draft.spec === undefined || canonical(same) === canonical(wanted.map((each) => [each.name, each.targetPort]))) {
      return false;
    }
    draft.spec.ports = wanted;
    return undefined;
  });
}

function dnsService(clusterIps: readonly string[]): Service {
  const labels = { "k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS" };
  return serviceOf("kube-dns", "kube-system", labels, clusterIps, [
    { name: "dns", port: 53, protocol: "UDP", targetPort: 53 },
    { name: "dns-tcp", port: 53, protocol: "TCP", targetPort: 53 },
  ]);
}

function serviceOf(
  name: string,
  namespace: string,
  labels: Record<string, string>,
  clusterIps: readonly string[],
  ports: NonNullable<NonNullable<Service["spec"]>["ports"]>,
): Service {
  const ipFamilies = clusterIps.map((ip) => (ip.includes(":") ? "IPv6" : "IPv4"));
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace, labels },
    spec: {
      type: "ClusterIP",
      clusterIP: clusterIps[0] ?? "",
      clusterIPs: [...clusterIps],
      ipFamilies,
      ipFamilyPolicy: clusterIps.length > 1 ? "RequireDualStack" : "SingleStack",
      ports,
    },
  };
}
