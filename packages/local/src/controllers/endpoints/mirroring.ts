import { controllerReference, type EndpointSlice, type Endpoints, type Service } from "@bowline/kube";
import type { EndpointAddress, EndpointSubset } from "kubernetes-types/core/v1";
import { canonical } from "../canonical.ts";
import {
  type Controller,
  type ControllerContext,
  keyOf,
  type ReconcileTarget,
  startController,
} from "../controller.ts";
import type { AddressType } from "./endpoint-of-pod.ts";
import { ENDPOINTS_PER_SLICE } from "./plan-slices.ts";
import { MANAGED_BY, SERVICE_NAME, SLICES } from "./slice-labels.ts";

const NAME = "endpointslicemirroring-controller";
const MANAGER = "endpointslicemirroring-controller.k8s.io";
const SKIP = "endpointslice.kubernetes.io/skip-mirror";

/** Turns the Endpoints that people write for Services without selector into EndpointSlices, which is what everybody reads. */
export function startEndpointsMirroring(context: ControllerContext): Controller {
  return startController(context, {
    name: NAME,
    settleMs: 10,
    watch(on) {
      on<Endpoints>("endpoints", (event) => [keyOf(event.object)]);
      on<Service>("services", (event) => [keyOf(event.object)]);
      on<EndpointSlice>(SLICES, ({ object: { metadata } }) =>
        metadata.labels?.[MANAGED_BY] === MANAGER ? [`${metadata.namespace}/${metadata.labels[SERVICE_NAME]}`] : [],
      );
    },
    reconcile: (target) => reconcile(context, target),
  });
}

async function reconcile({ api }: ControllerContext, { namespace, name }: ReconcileTarget): Promise<void> {
  const endpoints = api.get<Endpoints>("endpoints", namespace, name);
  const service = api.get<Service>("services", namespace, name);
  const wanted = endpoints === undefined || !isMirrored(endpoints, service) ? [] : slicesOf(endpoints);
  const labelSelector = { matchLabels: { [SERVICE_NAME]: name, [MANAGED_BY]: MANAGER } };
  const existing = api.list<EndpointSlice>(SLICES, { namespace, labelSelector });
  const left = new Set(existing);
  for (const slice of wanted) {
    const same = existing.find((each) => left.has(each) && contentOf(each) === contentOf(slice));
    if (same !== undefined) left.delete(same);
    else await api.create<EndpointSlice>(SLICES, slice);
  }
  for (const { metadata } of left) await api.delete(SLICES, namespace, metadata.name);
}

function isMirrored(endpoints: Endpoints, service: Service | undefined): boolean {
  const { labels, annotations, deletionTimestamp } = endpoints.metadata;
  if (service === undefined || Object.keys(service.spec?.selector ?? {}).length > 0) return false;
  const isLease = annotations?.["control-plane.alpha.kubernetes.io/leader"] !== undefined;
  return labels?.[SKIP] !== "true" && !isLease && deletionTimestamp === undefined;
}

function slicesOf(endpoints: Endpoints): EndpointSlice[] {
  const families: AddressType[] = ["IPv4", "IPv6"];
  return (endpoints.subsets ?? []).flatMap((subset) =>
    families.flatMap((family) => {
      const all = [...entries(subset.addresses, family, true), ...entries(subset.notReadyAddresses, family, false)];
      const slices: EndpointSlice[] = [];
      while (all.length > 0) slices.push(sliceOf(endpoints, subset, family, all.splice(0, ENDPOINTS_PER_SLICE)));
      return slices;
    }),
  );
}

function entries(
  addresses: readonly EndpointAddress[] | undefined,
  family: AddressType,
  ready: boolean,
): EndpointSlice["endpoints"] {
  const chosen = (addresses ?? []).filter(({ ip }) => (ip.includes(":") ? "IPv6" : "IPv4") === family);
  return chosen.map(({ ip, hostname, nodeName, targetRef }) => ({
    addresses: [ip],
    conditions: { ready },
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  }));
}

function sliceOf(
  endpoints: Endpoints,
  subset: EndpointSubset,
  addressType: AddressType,
  all: EndpointSlice["endpoints"],
): EndpointSlice {
  const { name, namespace = "", labels } = endpoints.metadata;
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: "",
      generateName: `${name}-`,
      namespace,
      labels: { ...labels, [SERVICE_NAME]: name, [MANAGED_BY]: MANAGER },
      ownerReferences: [controllerReference(endpoints)],
    },
    addressType,
    endpoints: all,
    ports: (subset.ports ?? []).map(({ name: port = "", ...rest }) => ({ name: port, protocol: "TCP", ...rest })),
  };
}

function contentOf({ addressType, endpoints, ports, metadata }: EndpointSlice): string {
  return canonical([addressType, endpoints, ports, metadata.labels]);
}
