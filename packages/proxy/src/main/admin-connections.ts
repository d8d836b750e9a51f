import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Probes, scrapers and a person or two; more at once is a mistake or an attack, and must not cost descriptors. */
const CONNECTIONS_MAX = 128;
const REQUEST_TIMEOUT_MS = 10_000;
/** Prometheus comes every 10 s or so and keeps its connection. */
const KEEP_ALIVE_MS = 30_000;

/**
 * Bounds the connections of an HTTP server: their number, and the time each may take for whatever it is doing. The
 * sockets are accepted by a server of their own and handed to the HTTP server, since Bun's HTTP server does not see a
 * connection before its first byte, so cannot count silent ones, and ignores maxConnections.
 *
 * There is one deadline per connection, never extended by single bytes:
 *
 *     accepted --10 s--> head complete --10 s--> response taken --30 s--> next head complete --10 s--> …
 */
export class ConnectionGuard {
  readonly #http: Server;
  readonly #requestTimeoutMs: number;
  readonly #deadlines = new Map<Socket, NodeJS.Timeout>();

  constructor(http: Server, requestTimeoutMs: number = REQUEST_TIMEOUT_MS) {
    this.#http = http;
    this.#requestTimeoutMs = requestTimeoutMs;
    http.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.#arm(request.socket, this.#requestTimeoutMs);
      response.once("finish", () => this.#arm(request.socket, KEEP_ALIVE_MS));
    });
  }

  accept(socket: Socket): void {
    if (this.#deadlines.size >= CONNECTIONS_MAX) {
      socket.destroy();
      return;
    }
    this.#deadlines.set(socket, this.#expire(socket, this.#requestTimeoutMs));
    socket.once("close", () => {
      clearTimeout(this.#deadlines.get(socket));
      this.#deadlines.delete(socket);
    });
    this.#http.emit("connection", socket);
  }

  /** Ends all connections. */
  close(): void {
    for (const socket of this.#deadlines.keys()) socket.destroy();
  }

  #arm(socket: Socket, ms: number): void {
    const deadline = this.#deadlines.get(socket);
    if (deadline === undefined) return; // closed meanwhile
    clearTimeout(deadline);
    this.#deadlines.set(socket, this.#expire(socket, ms));
  }

  #expire(socket: Socket, ms: number): NodeJS.Timeout {
    // Not a reason to keep a process alive that is otherwise done.
    return setTimeout(() => socket.destroy(), ms).unref();
  }
}
