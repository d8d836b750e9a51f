import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { BlockList, connect, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ApiError, type Pod } from "@bowline/kube";
import type { Exchange } from "../http/exchange.ts";
import type { ServerParts } from "../parts.ts";
import { type Address, endpointOf } from "../services/endpoints.ts";
import type { Target } from "./objects.ts";
import { find } from "./subresources.ts";

/** What a request for `pods/NAME:PORT/proxy/PATH` leads to. */
interface ProxyTarget extends Address {
  readonly secure: boolean;
}

/** RFC 9110 §7.6.1, and what is meant for this server alone. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  "authorization",
  "connection",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Any method on the `proxy` subresource of a pod or service: HTTP into the cluster. */
export async function serveProxy(
  parts: ServerParts,
  exchange: Exchange,
  target: Target,
  rest: string,
  search: string,
): Promise<void> {
  const { request, response } = exchange;
  const address = resolve(parts, target);
  const socketPath = await parts.network.relay(address.host, address.port);
  const send = address.secure ? httpsRequest : httpRequest;
  const upstream = send({
    socketPath,
    method: exchange.method,
    path: `${rest === "" ? "/" : rest}${search}`,
    headers: { ...forwarded(request.headers, address), ...framing(request.headers) },
    // A proxied server's certificate is in nobody's name that this one could know.
    ...(address.secure ? { rejectUnauthorized: false } : {}),
  });
  response.on("close", () => upstream.destroy());
  const { promise, resolve: done, reject } = Promise.withResolvers<void>();
  upstream.on("error", (error) => {
    if (response.headersSent) response.destroy();
    reject(failedTo(address, error));
  });
  upstream.on("response", (answer) => {
    try {
      response.writeHead(answer.statusCode ?? 502, backward(answer.headers, exchange.path, rest));
      response.flushHeaders();
    } catch (error) {
      // A head that nobody may send on; what a pod answers must not end this process.
      upstream.destroy();
      reject(failedTo(address, error instanceof Error ? error : new Error(String(error))));
      return;
    }
    answer.pipe(response);
    answer.on("error", () => response.destroy());
    answer.on("end", done);
    response.on("close", done);
  });
  request.pipe(upstream);
  return promise;
}

/** An upgrade request on the `proxy` subresource: passed on as it is, and then whatever comes. */
export async function upgradeProxy(
  parts: ServerParts,
  target: Target,
  request: IncomingMessage,
  path: string,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const address = resolve(parts, target);
  if (address.secure) throw ApiError.badRequest("upgrades are passed on to plain HTTP servers only");
  const upstream = await connected(await parts.network.relay(address.host, address.port), address);
  const lines = [`${request.method} ${path} HTTP/1.1`, `Host: ${hostOf(address)}`];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] ?? "";
    const kept = name.toLowerCase();
    if (kept === "connection" || kept === "upgrade" || !(isPrivate(kept) || kept === "content-length"))
      lines.push(`${name}: ${request.rawHeaders[i + 1]}`);
  }
  upstream.write(`${lines.join("\r\n")}\r\n\r\n`);
  joinWhenSwitched(upstream, socket, head);
  socket.on("error", () => upstream.destroy());
  upstream.on("error", () => socket.destroy());
  socket.on("close", () => upstream.destroy());
  upstream.on("close", () => socket.destroy());
}

/**
 * Joins the two once the server behind has agreed to switch protocols. Until then it gets nothing more: what follows a refusal would be
 * requests of its own, which nobody has looked at. (CVE-2018-1002105 was of that kind.)
 */
function joinWhenSwitched(upstream: Socket, socket: Duplex, head: Buffer): void {
  let status = "";
  const onData = (chunk: Buffer): void => {
    status += chunk.toString("latin1", 0, STATUS_LENGTH - status.length);
    socket.write(chunk);
    if (status.length < STATUS_LENGTH) return;
    upstream.off("data", onData);
    upstream.pipe(socket);
    if (status !== "HTTP/1.1 101") {
      socket.resume();
      return;
    }
    if (head.length > 0) upstream.write(head);
    socket.pipe(upstream);
  };
  upstream.on("data", onData);
  upstream.on("end", () => {
    if (status.length < STATUS_LENGTH) socket.end();
  });
}

const STATUS_LENGTH = "HTTP/1.1 101".length;

/** A name is `[SCHEME:]NAME[:PORT]`. */
function resolve(parts: ServerParts, target: Target): ProxyTarget {
  const address = addressOf(parts, target);
  const { host } = address;
  const family = isIP(host);
  if (family === 0 || NOT_PROXIED.check(host, family === 6 ? "ipv6" : "ipv4")) {
    throw ApiError.badRequest(`address not allowed: ${JSON.stringify(host)}`);
  }
  return address;
}

/** The node itself, as pods and endpoints may name it whose status and addresses others write. */
const NOT_PROXIED = new BlockList();
NOT_PROXIED.addSubnet("0.0.0.0", 8, "ipv4");
NOT_PROXIED.addSubnet("127.0.0.0", 8, "ipv4");
NOT_PROXIED.addSubnet("169.254.0.0", 16, "ipv4");
NOT_PROXIED.addSubnet("224.0.0.0", 4, "ipv4");
NOT_PROXIED.addSubnet("::", 127, "ipv6");
NOT_PROXIED.addSubnet("fe80::", 10, "ipv6");
NOT_PROXIED.addSubnet("ff00::", 8, "ipv6");

function addressOf(parts: ServerParts, target: Target): ProxyTarget {
  const words = target.name.split(":");
  const secure = words.length > 1 && words[0] === "https";
  if (words.length === 3 || (words.length === 2 && (secure || words[0] === "http") && !/^\d+$/.test(words[1] ?? ""))) {
    words.shift();
  }
  const [name = "", port = ""] = words;
  if (target.type.storedAs === "services") {
    return { ...endpointOf(parts.store, target.namespace, name, port), secure };
  }
  if (target.type.storedAs !== "pods") throw ApiError.notFound(`${target.type.plural}/proxy`, name);
  const pod = find(parts, { ...target, name }) as Pod;
  const host = pod.status?.podIP ?? "";
  if (host === "") throw new ApiError(503, "ServiceUnavailable", `pod ${JSON.stringify(name)} has no address yet`);
  return { host, port: podPort(pod, port), secure };
}

function podPort(pod: Pod, wanted: string): number {
  if (/^\d{1,5}$/.test(wanted)) return Number(wanted);
  const ports = pod.spec?.containers.flatMap(({ ports = [] }) => ports) ?? [];
  const found = wanted === "" ? ports[0] : ports.find(({ name }) => name === wanted);
  if (found !== undefined) return found.containerPort;
  if (wanted === "") return 80;
  throw ApiError.badRequest(`pod ${JSON.stringify(pod.metadata.name)} has no port ${JSON.stringify(wanted)}`);
}

function forwarded(headers: IncomingHttpHeaders, address: Address): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = { host: hostOf(address) };
  const ofConnection = connectionOptions(headers);
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !isPrivate(name) && !ofConnection.has(name)) kept[name] = value;
  }
  return kept;
}

/** A body of unknown length has to be told as one: without, the server behind would take it for requests of its own. */
function framing(headers: IncomingHttpHeaders): Record<string, string> {
  return headers["transfer-encoding"] === undefined ? {} : { "transfer-encoding": "chunked" };
}

/** The headers that `Connection` says are for the next hop alone. */
function connectionOptions({ connection = "" }: IncomingHttpHeaders): ReadonlySet<string> {
  return new Set(connection.split(",").map((option) => option.trim().toLowerCase()));
}

/** Redirects within the proxied server stay below the proxy's path. */
function backward(headers: IncomingHttpHeaders, path: string, rest: string): IncomingHttpHeaders {
  const ofConnection = connectionOptions(headers);
  const kept = Object.fromEntries(
    Object.entries(headers).filter(([name]) => !NOT_FORWARDED.has(name) && !ofConnection.has(name)),
  );
  const base = path.slice(0, path.length - rest.length);
  const { location } = headers;
  return location?.startsWith("/") === true ? { ...kept, location: `${base}${location}` } : kept;
}

function isPrivate(name: string): boolean {
  return NOT_FORWARDED.has(name) || name.startsWith("impersonate-");
}

function hostOf({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function connected(path: string, address: Address): Promise<Socket> {
  const { promise, resolve: done, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ path, allowHalfOpen: true });
  socket.once("connect", () => done(socket));
  socket.once("error", (error) => reject(failedTo(address, error)));
  return promise;
}

function failedTo(address: Address, error: Error): ApiError {
  const message = `error trying to reach service: dial tcp ${hostOf(address)}: ${error.message}`;
  return new ApiError(503, "ServiceUnavailable", message, undefined, { cause: error });
}
