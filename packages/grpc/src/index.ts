/** gRPC client and server on the HTTP/2 engine of wire, over any byte stream. */
export {
  type Backoff,
  type ExponentialBackoffOptions,
  exponentialBackoff,
  type GrpcBackoffOptions,
  grpcBackoff,
} from "./backoff.ts";
export type { Address, ByteStream, ByteStreamOwner, Connect, Listen, Listening, ListenOptions } from "./byte-stream.ts";
export type { CallOptions } from "./client/call-options.ts";
export { GrpcChannel } from "./client/channel.ts";
export type { ChannelOptions, ChannelState, Resolver } from "./client/channel-options.ts";
export { type Client, createClient, type Responses } from "./client/client.ts";
export { type Clock, SYSTEM_CLOCK } from "./clock.ts";
export { encodeMessage } from "./encode.ts";
export { frameMessage, MESSAGE_BYTES_MAX } from "./framing.ts";
export { GrpcError, type GrpcErrorOptions, toGrpcError } from "./grpc-error.ts";
export type { KeepAliveOptions } from "./keep-alive.ts";
export { Metadata, type MetadataValue } from "./metadata.ts";
export { connectTcp, listenTcp } from "./node-net.ts";
export type { GrpcObserver } from "./observer.ts";
export { decodeGrpcMessage, encodeGrpcMessage } from "./percent-encoding.ts";
export { GrpcServer } from "./server/grpc-server.ts";
export type {
  BidiStreamingHandler,
  CallContext,
  ClientStreamingHandler,
  ServerStream,
  ServerStreamingHandler,
  ServiceImplementation,
  UnaryHandler,
} from "./server/implementation.ts";
export { DEFAULT_SERVER_LIMITS, type GrpcServerOptions, type ServerLimits } from "./server/server-options.ts";
export { GrpcStatus, grpcStatusName, parseGrpcStatus } from "./status.ts";
export { grpcStatusOfHttp, grpcStatusOfReset, httpStatusOfGrpc } from "./status-http.ts";
export { formatGrpcTimeout, parseGrpcTimeoutMs } from "./timeout.ts";
