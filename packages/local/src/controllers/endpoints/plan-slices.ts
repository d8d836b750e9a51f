import type { Endpoint, EndpointPort, EndpointSlice } from "@bowline/kube";
import { canonical } from "../canonical.ts";
import type { AddressType, PodEndpoint } from "./endpoint-of-pod.ts";

/** As in Kubernetes: a change of one endpoint must not send thousands to everybody who watches. */
export const ENDPOINTS_PER_SLICE = 100;

/** What a slice is to hold. */
export interface SliceContent {
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

export interface SlicePlan {
  readonly create: readonly SliceContent[];
  readonly update: readonly (SliceContent & { readonly slice: EndpointSlice })[];
  readonly remove: readonly EndpointSlice[];
}

/**
 * Lays the endpoints of one Service and family into slices, with as few changes as may be: an endpoint stays where it is, new ones
 * fill what has room. A Service without endpoints keeps one empty slice, so that watchers know that there are none.
 */
export function planSlices(existing: readonly EndpointSlice[], wanted: readonly PodEndpoint[]): SlicePlan {
  const groups = Map.groupBy(wanted, ({ portsKey }) => portsKey);
  const slices = Map.groupBy(existing, (slice) => canonical(slice.ports ?? []));
  const create: SliceContent[] = [];
  const update: (SliceContent & { slice: EndpointSlice })[] = [];
  const spare: EndpointSlice[] = [];
  for (const [key, group] of groups) {
    const content = fillSlices(slices.get(key) ?? [], group, spare);
    update.push(...content.kept);
    create.push(...content.fresh);
  }
  for (const [key, unused] of slices) if (!groups.has(key)) spare.push(...unused);
  if (wanted.length === 0) {
    const placeholder = spare.shift();
    if (placeholder === undefined) create.push({ ports: [], endpoints: [] });
    else update.push({ slice: placeholder, ports: [], endpoints: [] });
  }
  // A slice that has lost all of its own takes what would need a new one.
  while (create.length > 0 && spare.length > 0) {
    const [slice, content] = [spare.shift(), create.shift()];
    if (slice !== undefined && content !== undefined) update.push({ slice, ...content });
  }
  return { create, update, remove: spare };
}

function fillSlices(
  slices: readonly EndpointSlice[],
  group: readonly PodEndpoint[],
  spare: EndpointSlice[],
): { kept: (SliceContent & { slice: EndpointSlice })[]; fresh: SliceContent[] } {
  const ports = group[0]?.ports ?? [];
  const left = new Map(group.map(({ endpoint }) => [identityOf(endpoint), endpoint]));
  const kept = slices.map((slice) => {
    const endpoints: Endpoint[] = [];
    for (const old of slice.endpoints) {
      const key = identityOf(old);
      const endpoint = left.get(key);
      if (endpoint === undefined) continue;
      left.delete(key);
      endpoints.push(endpoint);
    }
    return { slice, ports, endpoints };
  });
  const rest = [...left.values()];
  // The fullest first, so that slices that empty out may go.
  for (const { endpoints } of kept.toSorted((a, b) => b.endpoints.length - a.endpoints.length)) {
    if (endpoints.length > 0) endpoints.push(...rest.splice(0, Math.max(0, ENDPOINTS_PER_SLICE - endpoints.length)));
  }
  spare.push(...kept.filter(({ endpoints }) => endpoints.length === 0).map(({ slice }) => slice));
  const fresh: SliceContent[] = [];
  while (rest.length > 0) fresh.push({ ports, endpoints: rest.splice(0, ENDPOINTS_PER_SLICE) });
  return { kept: kept.filter(({ endpoints }) => endpoints.length > 0), fresh };
}

/** A pod and its address; a pod of the same name made anew is another endpoint. */
function identityOf({ addresses, targetRef }: Endpoint): string {
  return `${targetRef?.uid ?? ""}/${addresses[0] ?? ""}`;
}

/** The family a slice holds addresses of. */
export function familyOf(slice: EndpointSlice): AddressType {
  return slice.addressType === "IPv6" ? "IPv6" : "IPv4";
}
