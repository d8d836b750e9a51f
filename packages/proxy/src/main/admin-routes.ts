import type { IncomingMessage, ServerResponse } from "node:http";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Env } from "../config/env-reader.ts";

/** The live log filter. */
export interface LogFilterControl {
  get(): string;
  /** Applies it in every thread; returns the directives that cannot be used, in which case nothing changed. */
  set(text: string): readonly string[];
}

export interface AdminState {
  ready: boolean;
  readonly env: Env;
  readonly metricsText: () => Promise<string>;
  readonly logFilter: LogFilterControl | null;
  readonly shutdown: (() => void) | null;
  readonly told: (() => object) | null;
}

/** Answers one request. Rejects if metricsText() does; nothing has been sent then. */
export async function answerAdminRequest(
  state: AdminState,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const answer = await route(state, request);
  // A body nobody asked for is read and dropped, so that the connection can carry the next request.
  request.resume();
  const contentLength = answer.status === 204 ? {} : { "content-length": Buffer.byteLength(answer.body) };
  response.writeHead(answer.status, { ...answer.headers, ...contentLength });
  response.end(request.method === "HEAD" ? undefined : answer.body);
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | Uint8Array;
}

/** More than any filter, less than would matter. */
const FILTER_BYTES_MAX = 65_536;

const compress = promisify(gzip);

function route(state: AdminState, request: IncomingMessage): Answer | Promise<Answer> {
  const { path, query } = splitTarget(request.url ?? "/");
  switch (path) {
    case "/live":
      return text(200, "live\n");
    case "/ready":
      return state.ready ? text(200, "ready\n") : text(503, "not ready\n");
    case "/metrics":
      return metrics(state, request);
    case "/proxy-log-level":
      return logLevel(state, request);
    case "/env.json":
      return envJson(state, request, query);
    case "/debug/endpoints":
      return debugEndpoints(state, request);
    case "/shutdown":
      return shutdown(state, request);
    default:
      return empty(404);
  }
}

async function metrics(state: AdminState, request: IncomingMessage): Promise<Answer> {
  const page = await state.metricsText();
  if (!headerText(request, "accept-encoding").includes("gzip")) return text(200, page);
  const answer = text(200, await compress(page));
  return { ...answer, headers: { ...answer.headers, "content-encoding": "gzip", vary: "accept-encoding" } };
}

async function logLevel({ logFilter }: AdminState, request: IncomingMessage): Promise<Answer> {
  if (!isFromLoopback(request)) return text(403, "Requests are only permitted from localhost.");
  if (logFilter === null) return empty(404);
  if (isGet(request)) return text(200, logFilter.get());
  if (request.method !== "PUT") return empty(405, { allow: ["GET", "PUT"] });
  const body = await readBody(request);
  if (body === null) return text(413, `A filter has at most ${FILTER_BYTES_MAX} bytes.`);
  const bad = logFilter.set(body);
  return bad.length === 0 ? empty(204) : text(400, bad.join("\n"));
}

function envJson({ env }: AdminState, request: IncomingMessage, query: string): Answer {
  if (!isGet(request)) return empty(405, { allow: "GET" });
  const accept = headerText(request, "accept");
  // Coarse on purpose, as in Linkerd: quality values do not matter when there is one representation.
  if (accept !== "" && !["application/json", "application/*", "*/*"].some((type) => accept.includes(type))) {
    return text(406, "application/json");
  }
  if (query.includes("="))
    return json(400, { error: "env.json query parameters may not contain key-value pairs", status: 400 });
  const names = query === "" ? Object.keys(env) : query.split("&");
  return json(
    200,
    Object.fromEntries(names.map((name) => [name, Object.hasOwn(env, name) ? (env[name] ?? null) : null])),
  );
}

function debugEndpoints({ told }: AdminState, request: IncomingMessage): Answer {
  if (told === null) return text(404, "no control plane is asked\n");
  return isGet(request) ? json(200, told()) : empty(405, { allow: "GET" });
}

function shutdown(state: AdminState, request: IncomingMessage): Answer {
  if (request.method !== "POST") return empty(405, { allow: "POST" });
  if (!isFromLoopback(request)) return text(403, "Requests are only permitted from localhost.");
  if (state.shutdown === null) return text(404, "shutdown endpoint is not enabled\n");
  state.shutdown();
  return text(200, "shutdown\n");
}

/** RFC 9110 §9.3.2: HEAD is GET without the content. */
function isGet(request: IncomingMessage): boolean {
  return request.method === "GET" || request.method === "HEAD";
}

/** The kernel's word on the peer, not a header's; an IPv4 peer of an IPv6 listener shows as ::ffff:127.0.0.1. */
function isFromLoopback(request: IncomingMessage): boolean {
  const ip = (request.socket.remoteAddress ?? "").replace(/^::ffff:/i, "");
  return ip === "::1" || ip.startsWith("127.");
}

/** Path and query of an origin-form or absolute-form target (RFC 9112 §3.2). */
function splitTarget(target: string): { path: string; query: string } {
  const local = target.replace(/^https?:\/\/[^/?]*/i, "");
  const [path = "", ...query] = local.split("?");
  return { path: path === "" ? "/" : path, query: query.join("?") };
}

/** The body, or null if it is longer than a filter may be (the rest is dropped). Rejects if the client goes away. */
function readBody(request: IncomingMessage): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= FILTER_BYTES_MAX) chunks.push(chunk);
      else resolve(null);
    });
    request.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.on("error", reject);
    request.on("close", () => reject(new Error("the client went away")));
  });
}

function headerText(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return (Array.isArray(value) ? value.join(",") : (value ?? "")).toLowerCase();
}

function text(status: number, body: string | Uint8Array): Answer {
  return { status, headers: { "content-type": "text/plain" }, body };
}

function json(status: number, value: unknown): Answer {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}

function empty(status: number, headers: Answer["headers"] = {}): Answer {
  return { status, headers, body: "" };
}
