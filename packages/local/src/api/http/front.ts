import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { Duplex } from "node:stream";
import { ApiError, type Pod } from "@bowline/kube";
import { denial } from "../auth/denial.ts";
import type { ServerParts } from "../parts.ts";
import type { StreamKind } from "../pod-streams.ts";
import { Snapshots } from "../rest/list.ts";
import { upgradeProxy } from "../rest/proxy.ts";
import { find } from "../rest/subresources.ts";
import type { UserInfo } from "../write/context.ts";
import { sendObject, statusOf } from "./answer.ts";
import { dispatch, targetOf } from "./dispatch.ts";
import { Exchange } from "./exchange.ts";
import { isPublicPath, servePath } from "./paths.ts";
import { parseRequestInfo, type RequestInfo } from "./request-info.ts";

export interface FrontOptions {
  readonly parts: ServerParts;
  readonly certificatePem: string;
  readonly keyPem: string;
  /** One line per request, when it has been answered. */
  readonly debug?: (line: string) => void;
  /** Faults of this program's own. */
  readonly warn: (line: string) => void;
}

/** Takes requests from the wire: who asks, for what, may they, and on to those who answer. */
export class Front {
  readonly #options: FrontOptions;
  readonly #snapshots: Snapshots = new Snapshots();
  readonly #servers: Server[] = [];
  /** Connections that were handed over, which no server closes any more. */
  readonly #upgraded: Set<Duplex> = new Set();

  constructor(options: FrontOptions) {
    this.#options = options;
  }

  /** Listens; the socket is made before this returns, in the network namespace that the thread is in. */
  listen(host: string, port: number): { readonly port: number; readonly ready: Promise<void> } {
    const { certificatePem, keyPem } = this.#options;
    const server = createServer({ cert: certificatePem, key: keyPem }, (request, response) => {
      void this.#serve(request, response);
    });
    // Watches last; what must not is a head that never ends.
    server.requestTimeout = 0;
    // Longer than clients keep idle connections (client-go: 90 s), so that it is they who close them.
    server.keepAliveTimeout = 120_000;
    server.headersTimeout = 30_000;
    server.on("upgrade", (request, socket, head) => void this.#upgrade(request, socket, head));
    this.#servers.push(server);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("listening", resolve);
    server.on("error", (error) => {
      reject(error);
      this.#options.warn(`the API server's socket failed: ${error.message}`);
    });
    server.listen(port, host);
    const address = server.address();
    return { port: typeof address === "object" && address !== null ? address.port : port, ready: promise };
  }

  async close(): Promise<void> {
    for (const socket of this.#upgraded) socket.destroy();
    await Promise.all(this.#servers.map(closeServer));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedMs = performance.now();
    response.on("error", () => response.destroy());
    let user = "-";
    try {
      const { path, query } = splitUrl(request.url ?? "/");
      const info = parseRequestInfo(request.method ?? "GET", path, query);
      const asking = await this.#admit(request, info);
      user = asking.username;
      const exchange = new Exchange(request, response, path, query, asking);
      if (info.kind === "path") servePath(this.#options.parts, exchange);
      else await dispatch(this.#options.parts, this.#snapshots, exchange, info);
    } catch (error) {
      this.#refuse(request, response, error);
    } finally {
      const tookMs = Math.round(performance.now() - startedMs);
      this.#options.debug?.(`${request.method} ${request.url} ${response.statusCode} ${tookMs}ms ${user}`);
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    this.#upgraded.add(socket);
    socket.on("close", () => this.#upgraded.delete(socket));
    // Whoever takes the socket over has handlers of their own; until then a broken one is just gone.
    socket.on("error", () => socket.destroy());
    try {
      await this.#handOver(request, socket, head);
      this.#options.debug?.(`${request.method} ${request.url} upgraded`);
    } catch (error) {
      const status = statusOf(error);
      const body = `${JSON.stringify(status)}\n`;
      const lines = [
        `HTTP/1.1 ${status.code} ${status.reason}`,
        "Content-Type: application/json",
        `Content-Length: ${Buffer.byteLength(body)}`,
        "Connection: close",
      ];
      socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
      this.#report(error, request);
    }
  }

  async #handOver(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { parts } = this.#options;
    const { path, query, search } = splitUrl(request.url ?? "/");
    const info = parseRequestInfo(request.method ?? "GET", path, query);
    await this.#admit(request, info);
    const target = info.kind === "resource" ? targetOf(parts, info) : undefined;
    if (info.kind !== "resource" || target === undefined) {
      throw new ApiError(404, "NotFound", "the server could not find the requested resource");
    }
    if (info.subresource === "proxy") {
      return upgradeProxy(parts, target, request, `${info.rest === "" ? "/" : info.rest}${search}`, socket, head);
    }
    const kind = streamKind(info.subresource);
    if (target.type.storedAs !== "pods" || kind === undefined)
      throw ApiError.badRequest("this resource takes no upgrades");
    parts.streams.upgrade(kind, find(parts, target) as Pod, request, socket, head, query);
  }

  /** Who asks, if they may. */
  async #admit(request: IncomingMessage, info: RequestInfo): Promise<UserInfo> {
    const { authenticator, rbac } = this.#options.parts;
    const user = await authenticator.authenticate(request);
    if (info.kind === "path") {
      const access = { verb: info.verb, path: info.path };
      if (!isPublicPath(info.path) && rbac.allows(user, access) === undefined) throw denial(user, access);
      return user;
    }
    const { verb, group, namespace, name } = info;
    const resource = info.subresource === "" ? info.resource : `${info.resource}/${info.subresource}`;
    const access = { verb, group, resource, namespace, name };
    if (rbac.allows(user, access) === undefined) throw denial(user, access);
    return user;
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    this.#report(error, request);
    const status = statusOf(error);
    // What of the body was not read would be taken for the next request.
    if (!request.complete && !response.headersSent) response.setHeader("connection", "close");
    if (status.details?.retryAfterSeconds !== undefined && !response.headersSent) {
      response.setHeader("retry-after", String(status.details.retryAfterSeconds));
    }
    if (response.headersSent) response.destroy();
    else sendObject(response, status.code ?? 500, status);
  }

  #report(error: unknown, request: IncomingMessage): void {
    if (error instanceof ApiError || request.destroyed) return;
    const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#options.warn(`${request.method} ${request.url} failed: ${told}`);
  }
}

function streamKind(subresource: string): StreamKind | undefined {
  return subresource === "portforward" || subresource === "exec" || subresource === "attach" ? subresource : undefined;
}

function splitUrl(url: string): { path: string; query: URLSearchParams; search: string } {
  const at = url.indexOf("?");
  const path = at < 0 ? url : url.slice(0, at);
  const search = at < 0 ? "" : url.slice(at);
  return { path, query: new URLSearchParams(search), search };
}

function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  return promise;
}
