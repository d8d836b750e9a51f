import { matchesRequirements, type Pod, parseLabelSelector, type Service } from "@bowline/kube";
import type { GoldenQueries, Grouped } from "../query/golden-queries.ts";
import { groupKey, type Labels, type Matcher, type Selection } from "../query/selection.ts";
import type { ResourceName, StatKind } from "./kinds.ts";
import type { StatRequest, StatRow } from "./stat-request.ts";
import { isActive, isMeshed, type OwnerLookup, podStatus, targetLabels } from "./workloads.ts";

/** What is known of the cluster's objects; from informers' caches. */
export interface ClusterView {
  pods(): readonly Pod[];
  services(): readonly Service[];
  ownerOf: OwnerLookup;
  readonly controlPlaneNamespace: string;
}

/** A row before its metrics are known. */
interface Candidate {
  readonly namespace: string;
  readonly name: string;
  readonly status?: string;
  readonly meshed?: { meshed: number; total: number };
}

/** Rows in the order of what was asked for, then of namespace and name, none twice. Rejects when the queries do. */
export async function statSummary(
  request: StatRequest,
  cluster: ClusterView,
  queries: GoldenQueries,
): Promise<StatRow[]> {
  const rows = new Map<string, StatRow>();
  for (const resource of request.resources) {
    for (const row of await rowsOf(resource, request, cluster, queries)) {
      const key = `${row.kind}/${row.namespace}/${row.name}`;
      if (!rows.has(key)) rows.set(key, row);
    }
  }
  return [...rows.values()];
}

async function rowsOf(
  resource: ResourceName,
  request: StatRequest,
  cluster: ClusterView,
  queries: GoldenQueries,
): Promise<StatRow[]> {
  if (resource.kind.kind === "service" && isTo(request)) return [];
  const selection = selectionFor(resource, request);
  const [responses, latencies, connections, bytes] = await Promise.all([
    queries.responses(selection, request.windowMs),
    queries.latencies(selection, request.windowMs),
    queries.connections(tcpSelection(selection, resource, request)),
    queries.bytes(tcpSelection(selection, resource, request), request.windowMs),
  ]);
  const candidates = candidatesFor(resource, request, cluster);
  const keyOf = ({ namespace, name }: Candidate): string => groupKey(selection, labelsOf(selection, namespace, name));
  const byKey = <T>(list: readonly Grouped<T>[]): Map<string, T> =>
    new Map(list.map(({ group, value }) => [groupKey(selection, group), value]));
  const found = {
    responses: byKey(responses),
    latencies: byKey(latencies),
    connections: byKey(connections),
    bytes: byKey(bytes),
  };
  return candidates
    .map((candidate): StatRow => {
      const key = keyOf(candidate);
      const counted = found.responses.get(key);
      const total = (counted?.success ?? 0) + (counted?.failure ?? 0);
      const open = found.connections.get(key);
      const rates = found.bytes.get(key);
      return {
        ...candidate,
        kind: resource.kind.kind,
        ...(counted === undefined || total === 0
          ? {}
          : {
              requests: {
                success: counted.success / total,
                rps: total / counted.seconds,
                latencyMs: found.latencies.get(key) ?? { p50: null, p95: null, p99: null },
              },
            }),
        ...(open === undefined && rates === undefined
          ? {}
          : {
              tcp: { open: open ?? 0, readBytesPerSecond: rates?.read ?? 0, writeBytesPerSecond: rates?.written ?? 0 },
            }),
      };
    })
    .filter((row) => isShown(row, request))
    .sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name));
}

/** With a filter a row is there for its traffic; without, for being in the mesh. */
function isShown(row: StatRow, request: StatRequest): boolean {
  if (isFiltered(request)) return row.requests !== undefined || (row.tcp?.open ?? 0) > 0;
  if (row.meshed === undefined) return true;
  return request.unmeshed || row.meshed.meshed > 0;
}

/**
 * Which series tell about a resource: what its own proxies received; for services, and for traffic from somewhere, what the
 * clients' proxies sent to it; for traffic to somewhere, what its own proxies sent there.
 */
function selectionFor({ kind, name }: ResourceName, request: StatRequest): Selection {
  const clientSide = kind.kind === "service" || isFrom(request);
  const target = clientSide ? `dst_${kind.label}` : kind.label;
  const namespace = clientSide ? "dst_namespace" : "namespace";
  const outbound = clientSide || isTo(request);
  const match: Matcher[] = [
    { label: "direction", is: outbound ? "outbound" : "inbound" },
    name === undefined ? { label: target, present: true } : { label: target, is: name },
  ];
  if (request.namespace !== undefined && kind.kind !== "namespace")
    match.push({ label: namespace, is: request.namespace });
  if (isTo(request)) match.push(...otherEnd("dst_", request.to, request.toNamespace, request.namespace));
  if (isFrom(request)) match.push(...otherEnd("", request.from, request.fromNamespace, request.namespace));
  return { match, groupBy: [...new Set([namespace, target])] };
}

/** Of a resource's own connections, those with its clients; of traffic that was sent, those with the servers. */
function tcpSelection(selection: Selection, { kind }: ResourceName, request: StatRequest): Selection {
  const peer = kind.kind === "service" || isFrom(request) || isTo(request) ? "dst" : "src";
  return { ...selection, match: [...selection.match, { label: "peer", is: peer }] };
}

function otherEnd(
  prefix: "dst_" | "",
  resource: ResourceName | undefined,
  namespace: string | undefined,
  defaultNamespace: string | undefined,
): Matcher[] {
  const matchers: Matcher[] = [];
  if (resource !== undefined) {
    const label = `${prefix}${resource.kind.label}`;
    matchers.push(resource.name === undefined ? { label, present: true } : { label, is: resource.name });
  }
  const where = namespace ?? (resource?.kind.kind === "namespace" ? undefined : defaultNamespace);
  if (where !== undefined) matchers.push({ label: `${prefix}namespace`, is: where });
  return matchers;
}

function candidatesFor({ kind, name }: ResourceName, request: StatRequest, cluster: ClusterView): Candidate[] {
  const candidates =
    kind.kind === "service" ? serviceCandidates(request, cluster) : podCandidates(kind, request, cluster);
  return name === undefined ? candidates : candidates.filter((candidate) => candidate.name === name);
}

function serviceCandidates(request: StatRequest, cluster: ClusterView): Candidate[] {
  const selected = selectorOf(request);
  return cluster
    .services()
    .filter(({ metadata }) => inNamespace(request, metadata.namespace) && selected(metadata.labels ?? {}))
    .map(({ metadata }) => ({ namespace: metadata.namespace ?? "", name: metadata.name }));
}

function podCandidates(kind: StatKind, request: StatRequest, cluster: ClusterView): Candidate[] {
  const selected = selectorOf(request);
  const found = new Map<
    string,
    { namespace: string; name: string; status?: string; meshed: { meshed: number; total: number } }
  >();
  for (const pod of cluster.pods()) {
    const labels = targetLabels(pod, cluster.ownerOf);
    const name = labels[kind.label];
    const namespace = pod.metadata.namespace ?? "";
    if (name === undefined || !isActive(pod) || !selected(pod.metadata.labels ?? {})) continue;
    if (kind.kind !== "namespace" && !inNamespace(request, namespace)) continue;
    const key = kind.kind === "namespace" ? name : `${namespace}/${name}`;
    const entry = found.get(key) ?? {
      namespace: kind.kind === "namespace" ? name : namespace,
      name,
      ...(kind.kind === "pod" ? { status: podStatus(pod) } : {}),
      meshed: { meshed: 0, total: 0 },
    };
    entry.meshed.total++;
    if (isMeshed(pod, cluster.controlPlaneNamespace)) entry.meshed.meshed++;
    found.set(key, entry);
  }
  return [...found.values()];
}

function selectorOf({ labelSelector }: StatRequest): (labels: Labels) => boolean {
  if (labelSelector === undefined) return () => true;
  const requirements = parseLabelSelector(labelSelector);
  return (labels) => matchesRequirements(requirements, labels);
}

function labelsOf(selection: Selection, namespace: string, name: string): Labels {
  const [namespaceLabel = "", nameLabel = namespaceLabel] = selection.groupBy;
  return { [namespaceLabel]: namespace, [nameLabel]: name };
}

function inNamespace(request: StatRequest, namespace: string | undefined): boolean {
  return request.namespace === undefined || request.namespace === namespace;
}

function isFiltered(request: StatRequest): boolean {
  return isTo(request) || isFrom(request);
}

function isTo({ to, toNamespace }: StatRequest): boolean {
  return to !== undefined || toNamespace !== undefined;
}

function isFrom({ from, fromNamespace }: StatRequest): boolean {
  return from !== undefined || fromNamespace !== undefined;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
