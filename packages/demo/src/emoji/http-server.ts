import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface HttpServer {
  readonly port: number;
  /** Accepts no more connections, lets requests under way end, and after `deadlineMs` ends them. */
  stop(deadlineMs: number): Promise<void>;
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly handle: (method: string, url: URL) => Answer | Promise<Answer>;
}

/** @throws Error when the port is taken */
export async function startHttpServer({ host, port, handle }: HttpServerOptions): Promise<HttpServer> {
  let stopping = false;
  const server = createServer((request, response) => {
    void respond(request, response, handle, () => stopping);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    stop: (deadlineMs) =>
      new Promise((resolve) => {
        stopping = true;
        const timer = setTimeout(() => server.closeAllConnections(), deadlineMs);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

export function json(status: number, value: unknown): Answer {
  return { status, contentType: "application/json", body: JSON.stringify(value) };
}

export function text(status: number, body: string): Answer {
  return { status, contentType: "text/plain; charset=utf-8", body };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  handle: HttpServerOptions["handle"],
  isStopping: () => boolean,
): Promise<void> {
  let answer: Answer;
  try {
    answer = await handle(request.method ?? "GET", new URL(request.url ?? "/", "http://localhost"));
  } catch (error) {
    answer = json(500, { error: error instanceof Error ? error.message : String(error) });
  }
  response.writeHead(answer.status, {
    "content-type": answer.contentType,
    "content-length": Buffer.byteLength(answer.body),
    // Whoever would reuse the connection is told to open another, elsewhere.
    ...(isStopping() ? { connection: "close" } : {}),
  });
  response.end(request.method === "HEAD" ? "" : answer.body);
}
