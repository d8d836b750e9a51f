import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import type { CallOptions } from "../../client/call-options.ts";
import type { GrpcChannel } from "../../client/channel.ts";
import { createClient } from "../../client/client.ts";
import { GrpcError } from "../../grpc-error.ts";
import { Metadata } from "../../metadata.ts";
import type { GrpcServer } from "../../server/grpc-server.ts";
import type { CallContext } from "../../server/implementation.ts";
import { GrpcStatus, parseGrpcStatus } from "../../status.ts";
import { Echo, EchoRequestSchema } from "../gen/echo_pb.ts";
import { type EchoContext, EchoFailure, type EchoReply, EchoService } from "./echo-service.ts";
import type { EchoCaller, EchoCallOptions } from "./scenarios.ts";

/** Serves Echo with this package. */
export function serveEcho(server: GrpcServer, service: EchoService = new EchoService()): EchoService {
  server.add(Echo, {
    unary: (request, context) => service.unary(request, echoContext(context)).catch(rethrow),
    serverStream: (request, context) => rethrowing(service.serverStream(request, echoContext(context))),
    clientStream: (requests, context) => service.clientStream(requests, echoContext(context)).catch(rethrow),
    bidi: (requests, context) => rethrowing(service.bidi(requests, echoContext(context))),
  });
  return service;
}

/** Calls Echo with this package. */
export function echoCaller(channel: GrpcChannel): EchoCaller {
  const client = createClient(Echo, channel);
  return {
    unary: (request, options) => client.unary(request, callOptions(options)),
    missing: (request, options) => client.missing(request, callOptions(options)),
    serverStream: (request, options) => client.serverStream(request, callOptions(options)),
    clientStream: (requests, options) => client.clientStream(requests, callOptions(options)),
    bidi: (requests, options) => client.bidi(requests, callOptions(options)),
    failure(error) {
      if (!(error instanceof GrpcError)) throw error;
      const detail = error.detail(EchoRequestSchema);
      return { code: error.code, message: error.statusMessage, details: detail === undefined ? [] : [detail.text] };
    },
  };
}

function callOptions(options: EchoCallOptions = {}): CallOptions {
  const { metadata, onHeaders, onTrailers, ...same } = options;
  return {
    ...same,
    ...(metadata === undefined ? {} : { metadata: new Metadata(metadata) }),
    onHeaders: (received) => onHeaders?.((name) => received.getAll(name)[0]),
    onTrailers: (received) => onTrailers?.((name) => received.getAll(name)[0]),
  };
}

function echoContext(context: CallContext): EchoContext {
  return {
    get: (name) => context.requestMetadata.getAll(name)[0],
    sendInitial: (metadata) => context.sendInitialMetadata(new Metadata(metadata)),
    setTrailers: (metadata) => context.setTrailers(new Metadata(metadata)),
    signal: context.signal,
  };
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
  const detail = anyPack(EchoRequestSchema, create(EchoRequestSchema, { text: error.request.text }));
  const code = parseGrpcStatus(String(error.code));
  throw new GrpcError(code === GrpcStatus.Ok ? GrpcStatus.Unknown : code, error.message, { details: [detail] });
}
