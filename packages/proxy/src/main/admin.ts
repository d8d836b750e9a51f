import { createServer as createHttpServer, type ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { PROXY_ENV, PROXY_ENV_2018 } from "@bowline/contracts";
import type { Env } from "../config/env-reader.ts";
import type { SocketAddr } from "../config/types.ts";
import { ConnectionGuard } from "./admin-connections.ts";
import { type AdminState, answerAdminRequest, type LogFilterControl } from "./admin-routes.ts";

export interface AdminOptions {
  readonly listenAddr: SocketAddr;
  /** What /env.json shows; also tells which variable to blame when the address cannot be bound. */
  readonly env: Env;
  /** The page for /metrics. Asked once for scrapes that come at the same time, so it must settle, if only by rejecting. */
  readonly metricsText: () => Promise<string>;
  /** null: logging is off, and /proxy-log-level does not exist. */
  readonly logFilter: LogFilterControl | null;
  /** Begins a graceful shutdown; null: the endpoint is not enabled. */
  readonly shutdown: (() => void) | null;
  /** What /debug/endpoints shows: what data threads were last told by discovery; null: there is none. */
  readonly told: (() => object) | null;
  /** A failure while answering, such as metricsText() throwing; the client was told 500. */
  readonly onError: (message: string) => void;
  /** Tests shorten it. */
  readonly requestTimeoutMs?: number;
}

export interface Admin {
  /** Where it listens, the port chosen if 0 was asked for. */
  readonly address: SocketAddr;
  /** What /ready says from now on; false at first. True once listeners are bound and data threads run. */
  setReady(ready: boolean): void;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** The address could not be bound; `variable` names what to change. */
export class AdminListenError extends Error {
  readonly code = "ADMIN_LISTEN";
  readonly variable: string;

  constructor(variable: string, { ip, port }: SocketAddr, cause: Error) {
    super(
      `${variable}: the admin server cannot listen on ${ip.includes(":") ? `[${ip}]` : ip}:${port}: ${cause.message}`,
      {
        cause,
      },
    );
    this.variable = variable;
  }
}

const HEAD_BYTES_MAX = 16_384;

/** Serves Linkerd's admin paths over HTTP/1. Rejects with AdminListenError. */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const { listenAddr, requestTimeoutMs } = options;
  const state: AdminState = { ...options, ready: false, metricsText: shareConcurrent(options.metricsText) };
  const http = createHttpServer({ maxHeaderSize: HEAD_BYTES_MAX }, (request, response) => {
    answerAdminRequest(state, request, response).catch((error: unknown) => fail(options, response, error));
  });
  const guard = new ConnectionGuard(http, requestTimeoutMs);
  const server = createServer((socket) => guard.accept(socket));
  await listen(server, options);
  return {
    address: { ip: listenAddr.ip, port: (server.address() as AddressInfo).port },
    setReady(ready) {
      state.ready = ready;
    },
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        guard.close();
      });
    },
  };
}

/** The variable the address came from, so that an operator knows which to change. */
function listenVariable(env: Env): string {
  const old = PROXY_ENV_2018.metricsListener;
  return env[PROXY_ENV.adminListenAddr] === undefined && env[old] !== undefined ? old : PROXY_ENV.adminListenAddr;
}

function listen(server: Server, options: AdminOptions): Promise<void> {
  const { listenAddr, env, onError } = options;
  return new Promise((resolve, reject) => {
    const refuse = (error: Error): void => reject(new AdminListenError(listenVariable(env), listenAddr, error));
    server.once("error", refuse);
    server.listen(listenAddr.port, listenAddr.ip, () => {
      server.off("error", refuse);
      // Running out of descriptors, for example: the server goes on.
      server.on("error", (error) => onError(`the admin server failed: ${error.message}`));
      resolve();
    });
  });
}

/** Makes callers that come while an answer is being made wait for that one, so that scrapers cannot pile up work. */
function shareConcurrent(make: () => Promise<string>): () => Promise<string> {
  let pending: Promise<string> | null = null;
  return () => {
    pending ??= make().finally(() => {
      pending = null;
    });
    return pending;
  };
}

function fail({ onError }: AdminOptions, response: ServerResponse, error: unknown): void {
  if (response.destroyed || response.socket?.destroyed === true) return; // the client went away: no fault of ours
  const message = error instanceof Error ? error.message : String(error);
  onError(`the admin server failed to answer: ${message}`);
  if (response.headersSent) response.destroy();
  else
    response
      .writeHead(500, { "content-type": "text/plain", "content-length": Buffer.byteLength(message) })
      .end(message);
}
