import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { connectTcp, type NetNamespace, Relay, type TcpPeer } from "@bowline/testkit";

/** How a client writes its requests; whole URIs as a client does that believes to talk to a proxy. */
export const MANNERS = ["HTTP/1", "HTTP/1 with whole URIs", "HTTP/2"] as const;
export type Manner = (typeof MANNERS)[number];

export interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly authority?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Without it the body's end alone ends the request (HTTP/2), or it goes in chunks (HTTP/1). */
  readonly withLength?: boolean;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly trailers: Readonly<Record<string, string>>;
}

/** One connection from a pod, for requests one after another, or at once where the protocol has it. */
export interface Caller extends Disposable {
  /** @throws Error when the connection or stream ends without a whole response */
  call(call?: Call): Promise<Answer>;
}

/** Connects from inside a namespace to `ip:port`. */
export async function connectCaller(manner: Manner, inside: NetNamespace, target: string): Promise<Caller> {
  const colon = target.lastIndexOf(":");
  const [hostname, port] = [target.slice(0, colon), Number(target.slice(colon + 1))];
  if (manner === "HTTP/2") return Http2Caller.connect(inside, hostname, port, target);
  return new Http1Caller(await connectTcp(inside, hostname, port), target, manner !== "HTTP/1");
}

class Http1Caller implements Caller {
  readonly #peer: TcpPeer;
  readonly #target: string;
  readonly #wholeUris: boolean;
  /** What was read beyond the response before. */
  #rest = "";

  constructor(peer: TcpPeer, target: string, wholeUris: boolean) {
    this.#peer = peer;
    this.#target = target;
    this.#wholeUris = wholeUris;
  }

  async call({
    method = "GET",
    path = "/",
    authority,
    headers = {},
    body = "",
    withLength = true,
  }: Call = {}): Promise<Answer> {
    const host = authority ?? this.#target;
    const uri = this.#wholeUris ? `http://${host}${path}` : path;
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const framing =
      body === "" ? "" : withLength ? `content-length: ${body.length}\r\n` : "transfer-encoding: chunked\r\n";
    const content = body === "" || withLength ? body : `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    this.#peer.send(`${method} ${uri} HTTP/1.1\r\nhost: ${host}\r\n${fields.join("")}${framing}\r\n${content}`);
    return this.#read();
  }

  async #read(): Promise<Answer> {
    const head = await this.#until(/\r\n\r\n/);
    const [line = "", ...fields] = head.trimEnd().split("\r\n");
    const headers = Object.fromEntries(fields.map((field) => /^([^:]+):\s*(.*?)\s*$/.exec(field)?.slice(1) ?? []));
    const lower = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    const length = Number(lower["content-length"] ?? 0);
    while (this.#rest.length < length) this.#rest += await this.#more(1);
    const body = this.#rest.slice(0, length);
    this.#rest = this.#rest.slice(length);
    return { status: Number(line.split(" ")[1]), headers: lower, body, trailers: {} };
  }

  async #until(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.#rest);
      if (match !== null) {
        const end = match.index + match[0].length;
        const text = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end);
        return text;
      }
      this.#rest += await this.#more(1);
    }
  }

  async #more(bytes: number): Promise<string> {
    const text = await this.#peer.takeBytes(bytes);
    if (text === "") throw new Error(`the connection ended (${this.#peer.ended}) after ${JSON.stringify(this.#rest)}`);
    return text;
  }

  [Symbol.dispose](): void {
    this.#peer.close();
  }
}

class Http2Caller implements Caller {
  readonly #session: ClientHttp2Session;
  readonly #relay: Relay;
  readonly #target: string;

  private constructor(session: ClientHttp2Session, relay: Relay, target: string) {
    this.#session = session;
    this.#relay = relay;
    this.#target = target;
  }

  static async connect(namespace: NetNamespace, hostname: string, port: number, target: string): Promise<Http2Caller> {
    const relay = new Relay({ namespace: null, hostname: "127.0.0.1", port: 0 }).open({ namespace, hostname, port });
    const session = connectHttp2(`http://127.0.0.1:${relay.port}`);
    await new Promise((resolve, reject) => session.once("connect", resolve).once("error", reject));
    session.on("error", () => {
      // Calls under way fail by themselves.
    });
    return new Http2Caller(session, relay, target);
  }

  call({ method = "GET", path = "/", authority, headers = {}, body = "", withLength = true }: Call = {}) {
    const pseudo = { ":method": method, ":path": path, ":authority": authority ?? this.#target, ":scheme": "http" };
    const framing = withLength && body !== "" ? { "content-length": String(body.length) } : {};
    const stream = this.#session.request({ ...pseudo, ...headers, ...framing }, { endStream: body === "" });
    const chunks: Buffer[] = [];
    let head: Record<string, string> = {};
    let trailers: Record<string, string> = {};
    stream.on("response", (fields) => {
      head = textHeaders(fields);
    });
    stream.on("trailers", (fields) => {
      trailers = textHeaders(fields);
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    if (body !== "") stream.end(body, "latin1");
    return new Promise<Answer>((resolve, reject) => {
      stream.once("error", reject);
      stream.once("close", () => reject(new Error(`the stream was closed, code ${stream.rstCode}`)));
      stream.once("end", () => {
        const status = Number(head[":status"] ?? 0);
        if (status === 0) reject(new Error(`the stream ended without a response, code ${stream.rstCode}`));
        else resolve({ status, headers: head, body: Buffer.concat(chunks).toString("latin1"), trailers });
      });
    });
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
    this.#relay.close();
  }
}

function textHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
