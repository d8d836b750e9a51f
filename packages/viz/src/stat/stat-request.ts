import { parseResource, type ResourceName } from "./kinds.ts";

const STAT_WINDOW_MIN_MS = 15_000;

/** What `stat` asks the metrics service. */
export interface StatRequest {
  readonly resources: readonly ResourceName[];
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly windowMs: number;
  readonly labelSelector?: string | undefined;
  /** Only traffic to it. */
  readonly to?: ResourceName | undefined;
  readonly toNamespace?: string | undefined;
  /** Only traffic from it. */
  readonly from?: ResourceName | undefined;
  readonly fromNamespace?: string | undefined;
  readonly unmeshed: boolean;
}

export interface StatRow {
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
  /** A pod's phase or waiting reason. */
  readonly status?: string;
  /** Absent for services. */
  readonly meshed?: { readonly meshed: number; readonly total: number };
  /** Absent without requests in the window. */
  readonly requests?: {
    /** 0 to 1. */
    readonly success: number;
    /** Requests per second. */
    readonly rps: number;
    readonly latencyMs: { readonly p50: number | null; readonly p95: number | null; readonly p99: number | null };
  };
  /** Absent where nothing is known of connections. */
  readonly tcp?: { readonly open: number; readonly readBytesPerSecond: number; readonly writeBytesPerSecond: number };
}

export interface StatAnswer {
  readonly rows: readonly StatRow[];
}

const PARAMETERS = [
  "resource",
  "namespace",
  "window_ms",
  "selector",
  "to",
  "to_namespace",
  "from",
  "from_namespace",
  "unmeshed",
];

/** As the query of `GET /api/stat`. */
export function statQuery(request: StatRequest): URLSearchParams {
  const query = new URLSearchParams();
  for (const resource of request.resources) query.append("resource", textOf(resource));
  if (request.namespace !== undefined) query.set("namespace", request.namespace);
  query.set("window_ms", String(request.windowMs));
  if (request.labelSelector !== undefined) query.set("selector", request.labelSelector);
  if (request.to !== undefined) query.set("to", textOf(request.to));
  if (request.toNamespace !== undefined) query.set("to_namespace", request.toNamespace);
  if (request.from !== undefined) query.set("from", textOf(request.from));
  if (request.fromNamespace !== undefined) query.set("from_namespace", request.fromNamespace);
  if (request.unmeshed) query.set("unmeshed", "true");
  return query;
}

/** @throws Error that names the parameter that is wrong */
export function parseStatQuery(query: URLSearchParams, windowMaxMs: number): StatRequest {
  for (const name of query.keys())
    if (!PARAMETERS.includes(name)) throw new Error(`unknown parameter ${JSON.stringify(name)}`);
  const resources = query.getAll("resource").flatMap(parseResource);
  if (resources.length === 0) throw new Error('parameter "resource" is missing');
  const one = (name: string): ResourceName | undefined => {
    const text = query.get(name);
    if (text === null) return undefined;
    const [resource, ...others] = parseResource(text);
    if (resource === undefined || others.length > 0) throw new Error(`parameter ${name}: \`all\` is not one resource`);
    return resource;
  };
  const text = (name: string): string | undefined => query.get(name) ?? undefined;
  const request = {
    resources,
    namespace: text("namespace"),
    windowMs: windowOf(query.get("window_ms") ?? "60000", windowMaxMs),
    labelSelector: text("selector"),
    to: one("to"),
    toNamespace: text("to_namespace"),
    from: one("from"),
    fromNamespace: text("from_namespace"),
    unmeshed: query.get("unmeshed") === "true",
  };
  if ((request.to ?? request.toNamespace) !== undefined && (request.from ?? request.fromNamespace) !== undefined) {
    throw new Error("traffic is either to or from a resource: --to and --from exclude each other");
  }
  refuseSendingServices(request);
  return request;
}

/** Services are names for who answers: nothing comes from them. With `all` they are just left out. */
function refuseSendingServices({ resources, to, toNamespace, from }: StatRequest): void {
  const isOfServices = resources.every(({ kind }) => kind.kind === "service") && (to ?? toNamespace) !== undefined;
  if (isOfServices || from?.kind.kind === "service") {
    throw new Error("a service sends nothing: it can be shown with --from, or be named by --to");
  }
}

function windowOf(text: string, windowMaxMs: number): number {
  const windowMs = Number(text);
  if (!Number.isFinite(windowMs) || windowMs < STAT_WINDOW_MIN_MS || windowMs > windowMaxMs) {
    throw new Error(
      `a time window is ${STAT_WINDOW_MIN_MS / 1000}s to ${windowMaxMs / 60_000}m, not ${windowMs / 1000}s`,
    );
  }
  return windowMs;
}

function textOf({ kind, name }: ResourceName): string {
  return name === undefined ? kind.kind : `${kind.kind}/${name}`;
}
