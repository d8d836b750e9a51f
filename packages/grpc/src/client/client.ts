import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { type Incoming, onlyMessage } from "../incoming.ts";
import type { CallOptions } from "./call-options.ts";
import type { GrpcChannel } from "./channel.ts";
import { ClientCall, type Requests } from "./client-call.ts";
import { clientMethod } from "./client-method.ts";

/** Responses as they come; leaving the loop early (or return()) cancels the call, as the options' signal does. */
export type Responses<O extends DescMessage> = AsyncIterableIterator<MessageShape<O>, undefined, undefined>;

/**
 * A service's methods as functions. All reject, or throw into the loop over the responses, with a GrpcError unless the
 * status is OK. A streaming call begins when its function is called, not when the responses are read.
 */
export type Client<S extends DescService> = {
  readonly [P in keyof S["method"]]: S["method"][P] extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
    : S["method"][P] extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, options?: CallOptions) => Responses<O>
      : S["method"][P] extends DescMethodClientStreaming<infer I, infer O>
        ? (requests: AsyncIterable<MessageInitShape<I>>, options?: CallOptions) => Promise<MessageShape<O>>
        : S["method"][P] extends DescMethodBiDiStreaming<infer I, infer O>
          ? (requests: AsyncIterable<MessageInitShape<I>>, options?: CallOptions) => Responses<O>
          : never;
};

type Init = MessageInitShape<DescMessage>;

/** A client for a service on a channel. Many clients may share a channel. */
export function createClient<S extends DescService>(service: S, channel: GrpcChannel): Client<S> {
  const client: Record<string, unknown> = {};
  for (const method of service.methods) client[method.localName] = caller(method, channel);
  // The mapped type says of each name what `caller` makes by the method's kind.
  return client as Client<S>;
}

function caller(method: DescMethod, channel: GrpcChannel): unknown {
  const plan = clientMethod(method, channel.setup.origin);
  const begin = (requests: Requests, options: CallOptions) => {
    const call = new ClientCall(channel, plan, requests, options);
    call.start();
    return call.incoming;
  };
  switch (method.methodKind) {
    case "unary":
      return async (request: Init, options: CallOptions = {}) => only(begin(plan.encode(request), options));
    case "client_streaming":
      return async (requests: AsyncIterable<Init>, options: CallOptions = {}) => only(begin(requests, options));
    case "server_streaming":
      return (request: Init, options: CallOptions = {}) => begin(plan.encode(request), options);
    case "bidi_streaming":
      return (requests: AsyncIterable<Init>, options: CallOptions = {}) => begin(requests, options);
  }
}

async function only<T>(incoming: Incoming<T>): Promise<T> {
  try {
    return await onlyMessage(incoming);
  } finally {
    // Ends the call where its server goes on after what should have been all.
    await incoming.return();
  }
}
