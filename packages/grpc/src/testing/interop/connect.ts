import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import {
  type CallOptions,
  type Code,
  ConnectError,
  type ConnectRouter,
  createClient,
  type HandlerContext,
} from "@connectrpc/connect";
import { connectNodeAdapter, createGrpcTransport } from "@connectrpc/connect-node";
import { Echo, EchoRequestSchema } from "../gen/echo_pb.ts";
import { type EchoContext, EchoFailure, type EchoReply, EchoService, type PlainMetadata } from "./echo-service.ts";
import type { EchoCaller, EchoCallOptions } from "./scenarios.ts";

const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/** Echo served by connect-node. */
export async function serveConnect(
  port = 0,
  host = "127.0.0.1",
): Promise<{ port: number; drain(): Promise<void>; close(): void }> {
  const service = new EchoService();
  const routes = (router: ConnectRouter) =>
    router.service(Echo, {
      unary: (request, context) => service.unary(request, echoContext(context)).catch(rethrow),
      serverStream: (request, context) => rethrowing(service.serverStream(request, echoContext(context))),
      clientStream: (requests, context) => service.clientStream(requests, echoContext(context)).catch(rethrow),
      bidi: (requests, context) => rethrowing(service.bidi(requests, echoContext(context))),
    });
  const server = createServer(connectNodeAdapter({ routes, readMaxBytes: MESSAGE_BYTES_MAX }));
  const sessions = new Set<{ destroy(): void; close(): void }>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    drain: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.close();
      }),
    close: () => {
      server.close();
      for (const session of sessions) session.destroy();
    },
  };
}

/** Echo called with connect-node. */
export function connectCaller(port: number, host = "127.0.0.1"): EchoCaller & { close(): void } {
  const transport = createGrpcTransport({ baseUrl: `http://${host}:${port}`, readMaxBytes: MESSAGE_BYTES_MAX });
  const client = createClient(Echo, transport);
  return {
    unary: (request, options) => client.unary(request, callOptions(options)),
    missing: (request, options) => client.missing(request, callOptions(options)),
    serverStream: (request, options) => client.serverStream(request, callOptions(options)),
    clientStream: (requests, options) => client.clientStream(requests, callOptions(options)),
    bidi: (requests, options) => client.bidi(requests, callOptions(options)),
    failure(thrown) {
      const error = ConnectError.from(thrown);
      const details = error.findDetails(EchoRequestSchema).map(({ text }) => text);
      return { code: error.code, message: error.rawMessage, details };
    },
    // Its idle connection does not keep the process.
    close: () => undefined,
  };
}

function echoContext(context: HandlerContext): EchoContext {
  return {
    get: (name) => headerValue(context.requestHeader, name),
    sendInitial: (metadata) => setAll(context.responseHeader, metadata),
    setTrailers: (metadata) => setAll(context.responseTrailer, metadata),
    signal: context.signal,
  };
}

function callOptions(options: EchoCallOptions = {}): CallOptions {
  const headers = new Headers();
  setAll(headers, options.metadata ?? {});
  return {
    headers,
    ...(options.deadlineMs === undefined ? {} : { timeoutMs: options.deadlineMs }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    onHeader: (received) => options.onHeaders?.((name) => headerValue(received, name)),
    onTrailer: (received) => options.onTrailers?.((name) => headerValue(received, name)),
  };
}

function setAll(headers: Headers, metadata: PlainMetadata): void {
  for (const [name, value] of Object.entries(metadata)) {
    headers.set(name, typeof value === "string" ? value : base64Encode(value, "std_raw"));
  }
}

function headerValue(headers: Headers, name: string): string | Uint8Array | undefined {
  const text = headers.get(name) ?? undefined;
  return text !== undefined && name.endsWith("-bin") ? base64Decode(text) : text;
}

async function* rethrowing(replies: AsyncGenerator<EchoReply>): AsyncGenerator<EchoReply> {
  try {
    yield* replies;
  } catch (error) {
    rethrow(error);
  }
}

function rethrow(error: unknown): never {
  if (!(error instanceof EchoFailure)) throw error;
  const detail = { desc: EchoRequestSchema, value: create(EchoRequestSchema, { text: error.request.text }) };
  throw new ConnectError(error.message, error.code as Code, undefined, [detail]);
}
