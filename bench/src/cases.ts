/** How a proxy is set up: what it understands on both sides, or from one side to the other. */
export type ProxyMode = "http" | "http2" | "tcp" | "http-to-http2" | "http2-to-http";

/** What a case sets up: one proxy; two behind each other; or one that knows services by its control plane. */
export type CaseMode = "http" | "http2" | "tcp" | "chain" | "services";

/** wrk asks for one path over and over, in a closed loop. */
export interface RequestLoad {
  readonly kind: "requests";
  readonly path: string;
  readonly connections: number;
  /** Every request on a connection of its own. */
  readonly closeEach: boolean;
}

/** What the HTTP/2 backend does with every request; bench/h2-backend.c says more. */
export type Http2Answer = "small" | "grpc-unary" | "grpc-stream" | "held";

/** h2load keeps so many requests going on every connection, in a closed loop. */
export interface StreamLoad {
  readonly kind: "streams";
  readonly answer: Exclude<Http2Answer, "held">;
  readonly connections: number;
  /** At once, per connection. */
  readonly streams: number;
}

/** A sender that never stops and a receiver that counts. */
export interface BulkLoad {
  readonly kind: "bulk";
  readonly connections: number;
}

/** Connections that stay open and now and then carry a request. */
export interface HeldLoad {
  readonly kind: "held";
  readonly path: string;
  readonly connections: number;
  readonly requestsPerSecond: number;
  /** The connections go to so many services in turn; without it, straight to the backend. */
  readonly services?: number;
}

/** Requests that have had a response head and then stay open. */
export interface IdleStreamLoad {
  readonly kind: "idle-streams";
  readonly connections: number;
  /** Per connection. */
  readonly streams: number;
}

export interface BenchCase {
  readonly name: string;
  readonly title: string;
  readonly mode: CaseMode;
  /** Bodies of 64 KiB and more, where a proxy may be set up to splice. */
  readonly largeBodies: boolean;
  readonly load: Load;
  /** What a reader must know to read the table right. */
  readonly note?: string;
}

export type Load = RequestLoad | StreamLoad | BulkLoad | HeldLoad | IdleStreamLoad;

/** What the backend serves, by path. ASCII, so that a body can be compared as text. */
export const BODIES: Readonly<Record<string, string>> = {
  "/small": "hello from the backend of this bench\n",
  "/64k": patterned(64 * 1024),
  "/1m": patterned(1024 * 1024),
};

const CONNECTIONS = 32;

export const CASES: readonly BenchCase[] = [
  {
    name: "http1-small",
    title: `HTTP/1, ${BODIES["/small"]?.length}-byte responses, keep-alive, ${CONNECTIONS} connections`,
    mode: "http",
    largeBodies: false,
    load: { kind: "requests", path: "/small", connections: CONNECTIONS, closeEach: false },
  },
  {
    name: "http1-64k",
    title: `HTTP/1, 64 KiB responses, keep-alive, ${CONNECTIONS} connections`,
    mode: "http",
    largeBodies: true,
    load: { kind: "requests", path: "/64k", connections: CONNECTIONS, closeEach: false },
  },
  {
    name: "http1-1m",
    title: `HTTP/1, 1 MiB responses, keep-alive, ${CONNECTIONS} connections`,
    mode: "http",
    largeBodies: true,
    load: { kind: "requests", path: "/1m", connections: CONNECTIONS, closeEach: false },
  },
  {
    name: "http1-connect",
    title: `HTTP/1, a new connection per request, ${CONNECTIONS} at once`,
    mode: "http",
    largeBodies: false,
    load: { kind: "requests", path: "/small", connections: CONNECTIONS, closeEach: true },
    note: "The floor opens a connection to the backend for every request; the HTTP proxies reuse theirs, so here it is no floor.",
  },
  {
    name: "http2-small-1",
    title: "HTTP/2, 37-byte responses, 1 connection with 100 streams",
    mode: "http2",
    largeBodies: false,
    load: { kind: "streams", answer: "small", connections: 1, streams: 100 },
  },
  {
    name: "http2-small-10",
    title: "HTTP/2, 37-byte responses, 10 connections with 100 streams each",
    mode: "http2",
    largeBodies: false,
    load: { kind: "streams", answer: "small", connections: 10, streams: 100 },
  },
  {
    name: "grpc-unary",
    title: "gRPC, unary, 32-byte messages, 10 connections with 10 calls each",
    mode: "http2",
    largeBodies: false,
    load: { kind: "streams", answer: "grpc-unary", connections: 10, streams: 10 },
  },
  {
    name: "grpc-stream",
    title: "gRPC, 100 messages of 32 bytes from the server per call, 10 connections with 10 calls each",
    mode: "http2",
    largeBodies: false,
    load: { kind: "streams", answer: "grpc-stream", connections: 10, streams: 10 },
    note: "A request is a whole call here; the messages of the calls of a connection come in turns, a DATA frame each.",
  },
  {
    name: "http1-http2-http1",
    title: `HTTP/1 to HTTP/2 to HTTP/1 through two proxies, ${BODIES["/small"]?.length}-byte responses, ${CONNECTIONS} connections`,
    mode: "chain",
    largeBodies: false,
    load: { kind: "requests", path: "/small", connections: CONNECTIONS, closeEach: false },
    note: "CPU and memory are the sums of both proxies, which share core A.",
  },
  {
    name: "tcp-small",
    title: `Opaque TCP, small requests and responses, ${CONNECTIONS} connections`,
    mode: "tcp",
    largeBodies: false,
    load: { kind: "requests", path: "/small", connections: CONNECTIONS, closeEach: false },
  },
  {
    name: "tcp-bulk",
    title: "Opaque TCP, bulk from the server, 4 connections",
    mode: "tcp",
    largeBodies: true,
    load: { kind: "bulk", connections: 4 },
  },
  {
    name: "memory-100",
    title: "Memory with 100 open HTTP/1 connections and light traffic",
    mode: "http",
    largeBodies: false,
    load: { kind: "held", path: "/small", connections: 100, requestsPerSecond: 500 },
  },
  {
    name: "memory-2000",
    title: "Memory with 2,000 open HTTP/1 connections and light traffic",
    mode: "http",
    largeBodies: false,
    load: { kind: "held", path: "/small", connections: 2000, requestsPerSecond: 500 },
  },
  {
    name: "memory-services",
    title: "Memory with 50 services resolved, 5 endpoints each, 100 open HTTP/1 connections and light traffic",
    mode: "services",
    largeBodies: false,
    load: { kind: "held", path: "/small", connections: 100, requestsPerSecond: 500, services: 50 },
    note: "The others know nothing of a control plane.",
  },
  {
    name: "http2-idle-streams",
    title: "Memory with 10,000 open HTTP/2 streams that carry nothing, on 100 connections",
    mode: "http2",
    largeBodies: false,
    load: { kind: "idle-streams", connections: 100, streams: 100 },
    note: "KB per stream: by how much RSS without files' pages is above that with one stream on every connection.",
  },
];

/** Text that differs from every shifted copy of itself, so that a lost or doubled block cannot go unnoticed. */
function patterned(bytes: number): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes; at += 16) lines.push(`${at.toString(16).padStart(15, "0")}\n`);
  return lines.join("").slice(0, bytes);
}
