import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import { listenAny } from "../admin/listen-any.ts";
import { type AdmissionRequest, type AdmissionReview, parseReview, ReviewError } from "./admission.ts";

export interface KeyPair {
  /** PEM, with intermediates. */
  readonly cert: string;
  readonly key: string;
}

export interface WebhookServerOptions {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  readonly keyPair: KeyPair;
  readonly review: (request: AdmissionRequest) => Promise<AdmissionReview>;
  /** How long a request may take to arrive; 30 s unless given. */
  readonly requestTimeoutMs?: number;
}

/** The API server's own limit for a request is 3 MB; Linkerd's webhooks take 10. */
const BODY_BYTES_MAX = 10 * 1024 * 1024;
/** Of all that are on their way: whoever reaches the port may send, and nobody is asked for a certificate. */
const ALL_BODIES_BYTES_MAX = 64 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than the API server keeps idle connections (90 s), so that it is the one who closes them. */
const IDLE_TIMEOUT_MS = 120_000;

/** Serves admission reviews over TLS 1.3. */
export class WebhookServer {
  readonly #tls: TlsServer;
  readonly #http: Server;
  readonly #sockets: Set<TLSSocket> = new Set();
  readonly #answering: Set<Promise<void>> = new Set();

  /** @throws Error when the address is taken or the certificate is none */
  static async listen(options: WebhookServerOptions): Promise<WebhookServer> {
    return await listenAny(options.host, async (host) => {
      const server = new WebhookServer(options);
      await server.#listen(host, options.port);
      return server;
    });
  }

  private constructor(options: WebhookServerOptions) {
    const bodies = new Bodies(options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS);
    this.#http = createServer((request, response) => {
      const answered = answer(options.review, bodies, request, response).finally(() =>
        this.#answering.delete(answered),
      );
      this.#answering.add(answered);
    });
    this.#tls = createTlsServer({ ...options.keyPair, minVersion: "TLSv1.3" });
    this.#tls.on("secureConnection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy());
      this.#http.emit("connection", socket);
    });
    // Handshakes that fail, as of scanners and probes that speak plain TCP, concern nobody else.
    this.#tls.on("tlsClientError", (_error, socket) => socket.destroy());
  }

  get port(): number {
    return (this.#tls.address() as AddressInfo).port;
  }

  /** For new connections; those that are open go on. Throws when it is no certificate with its key. */
  setKeyPair(keyPair: KeyPair): void {
    this.#tls.setSecureContext({ ...keyPair, minVersion: "TLSv1.3" });
  }

  /** Takes no new connections, answers what was asked within `graceMs`, and ends all connections. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#tls.close(() => resolve());
    });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([Promise.all(this.#answering), late]);
    clearTimeout(timer);
    for (const socket of this.#sockets) socket.end();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#tls.once("error", reject);
      this.#tls.listen(port, host, () => {
        this.#tls.off("error", reject);
        resolve();
      });
    });
  }
}

async function answer(
  review: WebhookServerOptions["review"],
  bodies: Bodies,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const say = (status: number, contentType: string, body: string): Promise<void> => {
    response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(body) });
    return new Promise((resolve) => {
      response.once("close", resolve);
      response.end(body, resolve);
    });
  };
  try {
    if (request.method !== "POST") return await say(405, "text/plain", "only POST is served here\n");
    const body = await bodies.read(request);
    if (typeof body === "number") {
      response.setHeader("connection", "close");
      return await say(body, "text/plain", "the review is too large, or too many are on their way\n");
    }
    await say(200, "application/json", JSON.stringify(await review(parseReview(body))));
  } catch (error) {
    if (error instanceof ReviewError) await say(400, "text/plain", `${error.message}\n`);
    // Whoever asked has gone away.
    else response.destroy();
  }
}

/** Reads what is sent, within bounds. The timeouts of Node's server hold only for connections that it accepted itself. */
class Bodies {
  readonly #timeoutMs: number;
  #bytes = 0;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** The text, or the HTTP status of what is not read to its end. Rejects when the connection breaks, or takes too long. */
  async read(request: IncomingMessage): Promise<string | 413 | 503> {
    const late = setTimeout(() => request.destroy(new Error("the request took too long")), this.#timeoutMs);
    const chunks: Buffer[] = [];
    let byteCount = 0;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        byteCount += chunk.length;
        this.#bytes += chunk.length;
        if (byteCount > BODY_BYTES_MAX) return 413;
        if (this.#bytes > ALL_BODIES_BYTES_MAX) return 503;
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString("utf8");
    } finally {
      clearTimeout(late);
      this.#bytes -= byteCount;
    }
  }
}
