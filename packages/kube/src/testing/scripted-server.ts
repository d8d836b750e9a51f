import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import type { KubeConfig } from "../kube-config.ts";
import type { KeyPair } from "./certificates.ts";

/** A request as the server got it. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  /** Whether the client showed a certificate that the server knows. */
  readonly certified: boolean;
}

export type Script = (request: Received, response: ServerResponse) => void;

export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  readonly received: Received[];
  /** What answers from now on. */
  script: Script;
  /** Ends every connection, as a restart does. */
  dropConnections(): void;
}

/** An HTTP server, or an HTTPS one when it has a certificate, on a port of the loopback, that answers as it is told. */
export async function startScriptedServer(script: Script, tls?: KeyPair, clientCa?: string): Promise<ScriptedServer> {
  const received: Received[] = [];
  const scripted = { script };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const url = new URL(request.url ?? "/", "http://server");
      const seen = {
        method: request.method ?? "",
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
        certified: (request.socket as Partial<TLSSocket>).authorized === true,
      };
      received.push(seen);
      scripted.script(seen, response);
    });
  };
  const verifying = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: false };
  const server: Server =
    tls === undefined ? createHttpServer(answer) : createHttpsServer({ ...tls, ...verifying }, answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(scripted, {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    received,
    dropConnections: () => server.closeAllConnections(),
    [Symbol.asyncDispose]: () => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  });
}

export function sendJson(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** A configuration that reaches a server at `server` without further ado. */
export function plainConfig(server: string, more: Partial<KubeConfig> = {}): KubeConfig {
  return {
    server,
    origin: 'context "test" of a test',
    context: "test",
    cluster: "test",
    user: "test",
    namespace: "default",
    tls: { insecure: false },
    authorization: () => undefined,
    ...more,
  };
}
