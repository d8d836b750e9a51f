import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubeObject } from "@bowline/kube";
import { ApiServer, type ApiServerOptions } from "../api-server.ts";

export interface Answer {
  readonly code: number;
  // Tests look at answers of every kind.
  readonly body: AnswerBody;
  readonly headers: Headers;
}

/** What tests look for in an answer, whatever it is. */
type AnswerBody = KubeObject & {
  readonly items: KubeObject[];
  readonly message: string;
  readonly reason: string;
  readonly status: Record<string, unknown>;
  readonly spec: Record<string, unknown>;
};

export interface Asked {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** The administrator's unless given; "" for none. */
  readonly token?: string;
  readonly signal?: AbortSignal;
}

export interface SentEvent {
  readonly type: string;
  readonly object: KubeObject;
}

/** An API server on loopback with a directory of its own. */
export class RunningApi {
  readonly server: ApiServer;
  readonly directory: string;
  readonly warnings: string[];
  readonly #options: Partial<ApiServerOptions>;

  private constructor(server: ApiServer, directory: string, warnings: string[], options: Partial<ApiServerOptions>) {
    this.server = server;
    this.directory = directory;
    this.warnings = warnings;
    this.#options = options;
  }

  static async start(options: Partial<ApiServerOptions> = {}): Promise<RunningApi> {
    const directory = options.stateDir ?? mkdtempSync(join(tmpdir(), "bowline-api-"));
    const warnings: string[] = [];
    const server = await ApiServer.open({
      stateDir: directory,
      host: "127.0.0.1",
      port: 0,
      network: () => {
        throw new Error("there is no network here");
      },
      streams: {
        log: () => Promise.reject(new Error("there is no node here")),
        upgrade: (_kind, _pod, _request, socket) => socket.end("HTTP/1.1 501 Not Implemented\r\n\r\n"),
      },
      warn: (line) => warnings.push(line),
      ...options,
    });
    return new RunningApi(server, directory, warnings, options);
  }

  /** The same cluster in a new server. */
  async restart(): Promise<RunningApi> {
    await this.server.close();
    return RunningApi.start({ ...this.#options, stateDir: this.directory });
  }

  async stop(): Promise<void> {
    await this.server.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  get url(): string {
    return `https://127.0.0.1:${this.server.port}`;
  }

  async raw(method: string, path: string, asked: Asked = {}): Promise<Response> {
    const { body, headers = {}, token = this.server.adminToken, signal } = asked;
    return fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: bodyOf(body) }),
      ...(signal === undefined ? {} : { signal }),
      redirect: "manual",
      tls: { ca: this.server.caPem },
    });
  }

  async ask(method: string, path: string, asked: Asked = {}): Promise<Answer> {
    const response = await this.raw(method, path, asked);
    const text = await response.text();
    const body = (text.startsWith("{") ? JSON.parse(text) : { message: text }) as AnswerBody;
    return { code: response.status, body, headers: response.headers };
  }

  /** Events of a watch as they come, until the caller breaks off or the server ends it. */
  async *watch(path: string, asked: Asked = {}): AsyncGenerator<SentEvent> {
    const breaking = new AbortController();
    const response = await this.raw("GET", path, { ...asked, signal: breaking.signal });
    if (response.status !== 200) throw new Error(`the watch was answered ${response.status}: ${await response.text()}`);
    const decoder = new TextDecoder();
    let text = "";
    try {
      for await (const chunk of response.body as ReadableStream<Uint8Array>) {
        text += decoder.decode(chunk, { stream: true });
        const lines = text.split("\n");
        text = lines.pop() ?? "";
        for (const line of lines) yield JSON.parse(line) as SentEvent;
      }
    } finally {
      breaking.abort();
    }
  }

  /** For kubectl. */
  writeKubeconfig(token: string = this.server.adminToken): string {
    const path = join(this.directory, "kubeconfig");
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        {
          name: "c",
          cluster: {
            server: this.url,
            "certificate-authority-data": Buffer.from(this.server.caPem).toString("base64"),
          },
        },
      ],
      users: [{ name: "u", user: { token } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    };
    writeFileSync(path, JSON.stringify(config));
    return path;
  }
}

function bodyOf(body: unknown): string | Uint8Array<ArrayBuffer> {
  return typeof body === "string" || body instanceof Uint8Array
    ? (body as string | Uint8Array<ArrayBuffer>)
    : JSON.stringify(body);
}
