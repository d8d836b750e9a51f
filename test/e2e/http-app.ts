import { createServer as createHttp1, type IncomingMessage, type ServerResponse } from "node:http";
import {
  createServer as createHttp2,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { Server } from "node:net";
import { type NetNamespace, Relay } from "@bowline/testkit";

export type HttpVersion = "HTTP/1" | "HTTP/2";

/** A request as the app saw it. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the app's name. */
  readonly body?: string;
  /** HTTP/2 only. */
  readonly trailers?: Readonly<Record<string, string>>;
}

export type Respond = (seen: Seen) => Reply | Promise<Reply>;

/** An app in a pod: one protocol, one port, answers as the test says. */
export class HttpApp implements AsyncDisposable {
  /** `ip:port`, as discovery has it. */
  readonly address: string;
  readonly name: string;
  /** Every request, in the order they came. */
  readonly seen: Seen[] = [];
  /** May be changed at any time. */
  respond: Respond;
  readonly #server: Server;
  readonly #relay: Relay;

  private constructor(
    name: string,
    address: string,
    respond: Respond,
    relay: Relay,
    makeServer: (app: HttpApp) => Server,
  ) {
    this.name = name;
    this.address = address;
    this.respond = respond;
    this.#relay = relay;
    this.#server = makeServer(this);
  }

  static async start(
    version: HttpVersion,
    inside: NetNamespace,
    hostname: string,
    port: number,
    respond: Respond = () => ({}),
    name = `app-${port}`,
  ): Promise<HttpApp> {
    const relay = new Relay({ namespace: inside, hostname, port });
    const makeServer = version === "HTTP/1" ? http1Server : http2Server;
    const app = new HttpApp(name, `${hostname}:${port}`, respond, relay, makeServer);
    await app.open();
    return app;
  }

  /** Refuses connections, and resets those that there are. */
  close(): void {
    this.#relay.close();
  }

  /** Takes connections (again); harmless when it does. */
  async open(): Promise<void> {
    if (this.#relay.port !== 0) return;
    if (!this.#server.listening) {
      await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    }
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string") throw new Error("the app has no port");
    this.#relay.open({ namespace: null, hostname: "127.0.0.1", port: bound.port });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#relay.close();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function http1Server(app: HttpApp): Server {
  return createHttp1((request: IncomingMessage, response: ServerResponse) => {
    void read(request).then(async (body) => {
      const { method = "", url: path = "" } = request;
      const headers = textHeaders(request.headers);
      const { host: authority = "" } = headers;
      const reply = await answer(app, { method, path, authority, headers, body });
      const content = Buffer.from(reply.body);
      response.writeHead(reply.status, { ...reply.headers, "content-length": String(content.length) });
      response.end(content);
    });
  });
}

function http2Server(app: HttpApp): Server {
  const server = createHttp2();
  server.on("stream", (stream: ServerHttp2Stream, incoming: IncomingHttpHeaders) => {
    stream.on("error", () => {
      // The caller has reset the stream: the test knows, or looks at what it got.
    });
    void read(stream).then(async (body) => {
      const headers = textHeaders(incoming);
      const { ":method": method = "", ":path": path = "", ":authority": authority = "" } = headers;
      const reply = await answer(app, { method, path, authority, headers, body });
      if (stream.destroyed) return;
      const head: OutgoingHttpHeaders = { ":status": reply.status, ...reply.headers };
      if (reply.trailers === undefined) {
        stream.respond(head);
        stream.end(reply.body);
        return;
      }
      const { trailers } = reply;
      stream.respond(head, { waitForTrailers: true });
      stream.once("wantTrailers", () => stream.sendTrailers(trailers));
      stream.end(reply.body);
    });
  });
  return server;
}

async function answer(
  app: HttpApp,
  seen: Seen,
): Promise<Required<Omit<Reply, "trailers">> & { readonly trailers: Reply["trailers"] }> {
  app.seen.push(seen);
  const { status = 200, headers = {}, body = app.name, trailers } = await app.respond(seen);
  return { status, headers, body, trailers };
}

async function read(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  } catch {
    // The request was broken off: what came of it is what the app has seen.
  }
  return Buffer.concat(chunks).toString("latin1");
}

function textHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
