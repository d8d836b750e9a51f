import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { GrpcError } from "../grpc-error.ts";
import type { Metadata } from "../metadata.ts";

/** What a handler knows of its call, and can do beside answering. */
export interface CallContext {
  readonly service: string;
  readonly method: string;
  /** The other end of the connection, `ip:port`. */
  readonly peer: string;
  readonly requestMetadata: Metadata;
  /** When the call's time is over, on the server's clock (`performance.now()` by default); null without a limit. */
  readonly deadline: number | null;
  /** Aborts when the call ends by the client, its deadline or the connection; its reason is the GrpcError. */
  readonly signal: AbortSignal;
  /** Sends the response head now, with metadata; otherwise it goes out before the first message. */
  sendInitialMetadata(metadata?: Metadata): void;
  /** Metadata to go with the status. */
  setTrailers(metadata: Metadata): void;
}

/** Answers of a call pushed one by one, for whoever sends to thousands: no promise or closure per message. */
export interface ServerStream<O extends DescMessage = DescMessage> {
  /** False: more is buffered than should be; go on after onDrain. A stream that ended drops what is sent. */
  send(message: MessageInitShape<O>): boolean;
  /** Sends what `encodeMessage` made; the same bytes may go to any number of streams. */
  sendEncoded(framed: Uint8Array): boolean;
  /** Ends the call with OK after what was sent. */
  end(): void;
  /** Ends the call with the status of a GrpcError, or UNKNOWN for anything else, after what was sent. */
  fail(error: unknown): void;
  /** Sent and not yet taken by the connection. */
  readonly bufferedBytes: number;
  readonly closed: boolean;
  onDrain: (() => void) | null;
  /** Once, when the call is over for whatever reason; the error is null for OK. */
  onClose: ((error: GrpcError | null) => void) | null;
}

type Awaitable<T> = T | Promise<T>;

export type UnaryHandler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  context: CallContext,
) => Awaitable<MessageInitShape<O>>;

export type ClientStreamingHandler<I extends DescMessage, O extends DescMessage> = (
  requests: AsyncIterable<MessageShape<I>>,
  context: CallContext,
) => Awaitable<MessageInitShape<O>>;

/** Either a function that returns the answers, or an object whose `push` sends them. */
export type ServerStreamingHandler<I extends DescMessage, O extends DescMessage> =
  | ((request: MessageShape<I>, context: CallContext) => AsyncIterable<MessageInitShape<O>>)
  | { push(request: MessageShape<I>, stream: ServerStream<O>, context: CallContext): Awaitable<void> };

export type BidiStreamingHandler<I extends DescMessage, O extends DescMessage> =
  | ((requests: AsyncIterable<MessageShape<I>>, context: CallContext) => AsyncIterable<MessageInitShape<O>>)
  | {
      push(requests: AsyncIterable<MessageShape<I>>, stream: ServerStream<O>, context: CallContext): Awaitable<void>;
    };

/** Handlers of a service's methods, by their names in TypeScript. A method left out is UNIMPLEMENTED. */
export type ServiceImplementation<S extends DescService> = {
  [P in keyof S["method"]]?: S["method"][P] extends DescMethodUnary<infer I, infer O>
    ? UnaryHandler<I, O>
    : S["method"][P] extends DescMethodServerStreaming<infer I, infer O>
      ? ServerStreamingHandler<I, O>
      : S["method"][P] extends DescMethodClientStreaming<infer I, infer O>
        ? ClientStreamingHandler<I, O>
        : S["method"][P] extends DescMethodBiDiStreaming<infer I, infer O>
          ? BidiStreamingHandler<I, O>
          : never;
};

/** A method with its handler, as a running server keeps it: without the types that the descriptor gave it. */
export type ServerMethod = {
  readonly service: string;
  readonly method: string;
  readonly decode: (bytes: Uint8Array) => MessageShape<DescMessage>;
  readonly encode: (message: MessageInitShape<DescMessage>) => Uint8Array;
} & (
  | { readonly kind: "unary"; readonly handler: UnaryHandler<DescMessage, DescMessage> }
  | { readonly kind: "server_streaming"; readonly handler: ServerStreamingHandler<DescMessage, DescMessage> }
  | { readonly kind: "client_streaming"; readonly handler: ClientStreamingHandler<DescMessage, DescMessage> }
  | { readonly kind: "bidi_streaming"; readonly handler: BidiStreamingHandler<DescMessage, DescMessage> }
);
