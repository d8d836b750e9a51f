import { create, type DescMessage, type DescMethod, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  type CallOptions,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { StatusSchema } from "../../gen/status_pb.ts";
import { Echo, type EchoRequest, EchoRequestSchema, type EchoResponse, EchoResponseSchema } from "../gen/echo_pb.ts";
import { type EchoContext, EchoFailure, type EchoReply, EchoService, type PlainMetadata } from "./echo-service.ts";
import type { EchoCaller, EchoCallOptions, EchoInit } from "./scenarios.ts";

/** What calls of all four kinds have. */
interface AnyCall {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  sendMetadata(metadata: Metadata): void;
  on(event: "cancelled", listener: () => void): unknown;
}

/** What the two kinds of calls have that stream their answers. */
interface Answering {
  write(message: EchoReply): boolean;
  once(event: "drain", listener: () => void): unknown;
  emit(event: "error", status: Partial<ServiceError>): boolean;
  end(trailers: Metadata): void;
}

/** Echo served by grpc-js. */
export async function serveGrpcJs(
  at = 0,
  host = "127.0.0.1",
): Promise<{ port: number; drain(): Promise<void>; close(): void }> {
  const service = new EchoService();
  const server = new Server();
  const methods = Echo.methods.filter(({ name }) => name !== "Missing");
  server.addService(Object.fromEntries(methods.map((method) => [method.localName, definition(method)])), {
    unary: (call: ServerUnaryCall<EchoRequest, EchoReply>, callback: sendUnaryData<EchoReply>) => {
      const context = echoContext(call);
      reply(service.unary(call.request, context), context, callback);
    },
    clientStream: (call: ServerReadableStream<EchoRequest, EchoReply>, callback: sendUnaryData<EchoReply>) => {
      const context = echoContext(call);
      reply(service.clientStream(call, context), context, callback);
    },
    serverStream: (call: ServerWritableStream<EchoRequest, EchoReply>) => {
      const context = echoContext(call);
      void pump(service.serverStream(call.request, context), context, call);
    },
    bidi: (call: ServerDuplexStream<EchoRequest, EchoReply>) => {
      const context = echoContext(call);
      // Plain iteration would destroy the call with its last request, and its status could not be sent any more.
      const requests: AsyncIterable<EchoRequest> = call.iterator({ destroyOnReturn: false });
      void pump(service.bidi(requests, context), context, call);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${at}`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    port,
    drain: () => new Promise((resolve) => server.tryShutdown(() => resolve())),
    close: () => server.forceShutdown(),
  };
}

/** Echo called with grpc-js. */
export function grpcJsCaller(port: number, host = "127.0.0.1"): EchoCaller & { close(): void } {
  const client = new Client(`${host}:${port}`, credentials.createInsecure());
  const unary = (method: DescMethod, request: EchoInit, options?: EchoCallOptions) =>
    new Promise<EchoResponse>((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = definition(method);
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(EchoRequestSchema, request),
        toMetadata(options?.metadata),
        callOptions(options),
        (error, response) => settle(resolve, reject, error, response),
      );
      watch(call, options);
    });
  return {
    unary: (request, options) => unary(Echo.method.unary, request, options),
    missing: (request, options) => unary(Echo.method.missing, request, options),
    serverStream(request, options) {
      const { path, requestSerialize, responseDeserialize } = definition(Echo.method.serverStream);
      const call = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(EchoRequestSchema, request),
        toMetadata(options?.metadata),
        callOptions(options),
      );
      watch(call, options);
      return call as ClientReadableStream<EchoResponse> & AsyncIterable<EchoResponse>;
    },
    clientStream: (requests, options) =>
      new Promise<EchoResponse>((resolve, reject) => {
        const { path, requestSerialize, responseDeserialize } = definition(Echo.method.clientStream);
        const call = client.makeClientStreamRequest(
          path,
          requestSerialize,
          responseDeserialize,
          toMetadata(options?.metadata),
          callOptions(options),
          (error, response) => settle(resolve, reject, error, response),
        );
        watch(call, options);
        void writeAll(requests, call);
      }),
    bidi(requests, options) {
      const { path, requestSerialize, responseDeserialize } = definition(Echo.method.bidi);
      const call = client.makeBidiStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        toMetadata(options?.metadata),
        callOptions(options),
      );
      watch(call, options);
      void writeAll(requests, call);
      return call as unknown as AsyncIterable<EchoResponse>;
    },
    failure(error) {
      const { code, details, metadata } = error as ServiceError;
      const [status] = metadata.get("grpc-status-details-bin");
      const anys = status === undefined ? [] : fromBinary(StatusSchema, Buffer.from(status)).details;
      const texts = anys.map((any) => anyUnpack(any, EchoRequestSchema)?.text ?? "?");
      return { code, message: details, details: texts };
    },
    close: () => client.close(),
  };
}

function definition(method: DescMethod) {
  return {
    path: `/${Echo.typeName}/${method.name}`,
    requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    requestSerialize: serializer(EchoRequestSchema),
    requestDeserialize: deserializer(EchoRequestSchema),
    responseSerialize: serializer(EchoResponseSchema),
    responseDeserialize: deserializer(EchoResponseSchema),
  };
}

function serializer<D extends DescMessage>(schema: D): (message: MessageShape<D>) => Buffer {
  return (message) => Buffer.from(toBinary(schema, message));
}

function deserializer<D extends DescMessage>(schema: D): (bytes: Buffer) => MessageShape<D> {
  return (bytes) => fromBinary(schema, bytes);
}

// === server ===

function echoContext(call: AnyCall): EchoContext & { readonly trailers: Metadata } {
  const abort = new AbortController();
  call.on("cancelled", () => abort.abort());
  if (call.cancelled) abort.abort();
  const trailers = new Metadata();
  return {
    trailers,
    get: (name) => call.metadata.get(name)[0],
    sendInitial: (metadata) => call.sendMetadata(toMetadata(metadata)),
    setTrailers: (metadata) => trailers.merge(toMetadata(metadata)),
    signal: abort.signal,
  };
}

function reply(
  result: Promise<EchoReply>,
  { trailers }: { readonly trailers: Metadata },
  callback: sendUnaryData<EchoReply>,
): void {
  result.then(
    (message) => callback(null, create(EchoResponseSchema, message), trailers),
    (error: unknown) => callback(statusOf(error, trailers)),
  );
}

async function pump(
  replies: AsyncIterable<EchoReply>,
  { trailers, signal }: EchoContext & { readonly trailers: Metadata },
  call: Answering,
): Promise<void> {
  try {
    for await (const message of replies) {
      const wait = !call.write(create(EchoResponseSchema, message));
      if (wait && !signal.aborted) await new Promise<void>((resolve) => call.once("drain", resolve));
    }
    call.end(trailers);
  } catch (error) {
    call.emit("error", statusOf(error, trailers));
  }
}

function statusOf(error: unknown, metadata: Metadata): Partial<ServiceError> {
  if (!(error instanceof EchoFailure)) return { code: 2, details: String(error), metadata };
  const detail = anyPack(EchoRequestSchema, create(EchoRequestSchema, { text: error.request.text }));
  const status = create(StatusSchema, { code: error.code, message: error.message, details: [detail] });
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, status)));
  return { code: error.code, details: error.message, metadata };
}

// === client ===

interface Watched {
  on(event: "metadata", listener: (metadata: Metadata) => void): unknown;
  on(event: "status", listener: (status: { readonly metadata: Metadata }) => void): unknown;
  cancel(): void;
}

function watch(call: Watched, options: EchoCallOptions = {}): void {
  options.signal?.addEventListener("abort", () => call.cancel());
  call.on("metadata", (metadata) => options.onHeaders?.((name) => metadata.get(name)[0]));
  call.on("status", ({ metadata }) => options.onTrailers?.((name) => metadata.get(name)[0]));
}

async function writeAll(
  requests: AsyncIterable<EchoInit>,
  call: {
    write(message: EchoRequest): boolean;
    once(event: "drain" | "status", done: () => void): unknown;
    end(): void;
  },
): Promise<void> {
  let over = false;
  let wake: () => void = () => undefined;
  call.once("status", () => {
    over = true;
    wake();
  });
  for await (const request of requests) {
    if (over) return;
    if (call.write(create(EchoRequestSchema, request))) continue;
    await new Promise<void>((resolve) => {
      call.once("drain", resolve);
      wake = resolve;
    });
  }
  call.end();
}

function callOptions(options: EchoCallOptions = {}): CallOptions {
  return options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs };
}

function toMetadata(plain: PlainMetadata = {}): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(plain)) {
    metadata.set(name, typeof value === "string" ? value : Buffer.from(value));
  }
  return metadata;
}

/** Unary status arrives with the callback; a tick later `status` has been emitted too. */
function settle<T>(
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
  error: unknown,
  value: T | undefined,
): void {
  if (error === null && value !== undefined) setImmediate(() => resolve(value));
  else reject(error);
}
