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
}

/** The API server's own limit for a request is 3 MB; Linkerd's webhooks take 10. */
const BODY_BYTES_MAX = 10 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;

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
    this.#http = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
      const answered = answer(options.review, request, response).finally(() => this.#answering.delete(answered));
      this.#answering.add(answered);
    });
    this.#tls = createTlsServer({ ...options.keyPair, minVersion: "TLSv1.3" });
    this.#tls.on("secureConnection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
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
    const body = await readBody(request);
    if (body === null) {
      response.setHeader("connection", "close");
      return await say(413, "text/plain", `the review is larger than ${BODY_BYTES_MAX} bytes\n`);
    }
    await say(200, "application/json", JSON.stringify(await review(parseReview(body))));
  } catch (error) {
    if (error instanceof ReviewError) await say(400, "text/plain", `${error.message}\n`);
    // Whoever asked has gone away.
    else response.destroy();
  }
}

/** null when it is too large; the rest of it is then not read. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let byteCount = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    byteCount += chunk.length;
    if (byteCount > BODY_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
