import type { EndpointSlice, Service } from "@bowline/kube";
import { addressKey, canonicalIp, familyOf } from "./ip.ts";

/** Where a service's port leads, as its EndpointSlices name it. */
export type TargetPort =
  /** The port of this name in each slice. */
  | { readonly kind: "named"; readonly name: string }
  /** The service does not declare the port: it is used as it is. */
  | { readonly kind: "number"; readonly port: number };

/** One ready address of a slice, before anybody has looked at what is behind it. */
export interface Candidate {
  readonly address: string;
  readonly ip: string;
  readonly port: number;
  readonly family: 4 | 6;
  /** What the address belongs to. Addresses of one group are the same endpoint by its families. */
  readonly group: string;
  /** The slice that names it: two may, while one takes over from the other. */
  readonly slice: string;
  readonly target: CandidateTarget;
  /** The pod's hostname within the service; "" when it has none. */
  readonly hostname: string;
  readonly nodeName: string;
  readonly zone: string;
  /** Zones whose clients should use it; null where the slice has no hints. */
  readonly hintZones: readonly string[] | null;
}

type CandidateTarget =
  /** `uid` is "" when the slice does not tell. */
  | { readonly kind: "pod"; readonly key: string; readonly uid: string }
  | { readonly kind: "workload"; readonly key: string }
  | ({ readonly kind: "none" } & Gateway);

/** Where the address is another cluster's gateway: what it is to be asked for. Empty texts where it is not. */
export interface Gateway {
  readonly cluster: string;
  /** The service there, as clients of that cluster name it. */
  readonly remoteName: string;
  readonly identity: string;
}

const CLUSTER_LABEL = "mirror.linkerd.io/cluster-name";
const REMOTE_NAME_ANNOTATION = "mirror.linkerd.io/remote-svc-fq-name";
const REMOTE_IDENTITY_ANNOTATION = "mirror.linkerd.io/remote-gateway-identity";

/** By the service's port, its name: slices know ports by name, and may map one name to different numbers. */
export function targetPortOf(service: Service | undefined, port: number): TargetPort {
  const declared = service?.spec?.ports?.find((one) => one.port === port);
  return declared === undefined ? { kind: "number", port } : { kind: "named", name: declared.name ?? "" };
}

/** The addresses of a slice that take connections for this port, each once, by what they belong to and themselves. */
export function candidatesOf(slice: EndpointSlice, targetPort: TargetPort): ReadonlyMap<string, Candidate> {
  const port = slicePort(slice, targetPort);
  const candidates = new Map<string, Candidate>();
  if (port === null) return candidates;
  for (const endpoint of slice.endpoints ?? []) {
    // "ready": nil is unknown, which consumers should take as ready.
    if (endpoint.conditions?.ready === false) continue;
    for (const text of endpoint.addresses) {
      const ip = canonicalIp(text);
      if (ip === null) continue;
      const candidate = candidateOf(slice, endpoint, ip, port);
      const identity = `${candidate.group} ${candidate.address}`;
      if (!candidates.has(identity)) candidates.set(identity, candidate);
    }
  }
  return candidates;
}

type Endpoint = EndpointSlice["endpoints"][number];

function candidateOf(slice: EndpointSlice, endpoint: Endpoint, ip: string, port: number): Candidate {
  const address = addressKey(ip, port);
  const target = targetOf(slice, endpoint);
  return {
    address,
    ip,
    port,
    family: familyOf(ip),
    group: target.kind === "none" ? address : `${target.kind} ${target.key}`,
    slice: slice.metadata.name,
    target,
    hostname: endpoint.hostname ?? "",
    nodeName: endpoint.nodeName ?? "",
    zone: endpoint.zone ?? "",
    hintZones: endpoint.hints?.forZones?.map(({ name }) => name) ?? null,
  };
}

function targetOf(slice: EndpointSlice, { targetRef }: Endpoint): CandidateTarget {
  const key = `${targetRef?.namespace ?? slice.metadata.namespace ?? ""}/${targetRef?.name ?? ""}`;
  switch (targetRef?.kind) {
    case "Pod":
      return { kind: "pod", key, uid: targetRef.uid ?? "" };
    case "ExternalWorkload":
      return { kind: "workload", key };
    default: {
      const annotations = slice.metadata.annotations ?? {};
      return {
        kind: "none",
        cluster: slice.metadata.labels?.[CLUSTER_LABEL] ?? "",
        remoteName: annotations[REMOTE_NAME_ANNOTATION] ?? "",
        identity: annotations[REMOTE_IDENTITY_ANNOTATION] ?? "",
      };
    }
  }
}

/** null: the slice says nothing about this port. */
function slicePort({ ports }: EndpointSlice, target: TargetPort): number | null {
  if (ports === undefined || ports === null) return null;
  if (target.kind === "number") return target.port;
  return ports.find(({ name }) => (name ?? "") === target.name)?.port ?? null;
}

/** Whether two candidates of the same slice, group and address say the same. */
export function sameCandidate(a: Candidate, b: Candidate): boolean {
  return (
    a.hostname === b.hostname &&
    a.nodeName === b.nodeName &&
    a.zone === b.zone &&
    sameTexts(a.hintZones, b.hintZones) &&
    sameTarget(a.target, b.target)
  );
}

function sameTarget(a: CandidateTarget, b: CandidateTarget): boolean {
  if (a.kind === "pod" && b.kind === "pod") return a.uid === b.uid;
  if (a.kind === "none" && b.kind === "none") {
    return a.cluster === b.cluster && a.remoteName === b.remoteName && a.identity === b.identity;
  }
  return a.kind === b.kind;
}

function sameTexts(a: readonly string[] | null, b: readonly string[] | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((text, at) => text === b[at]);
}
