/**
 * Linkerd's proxy API: messages, their schemas and the services, one namespace per file of `proto/`. Apart from the
 * package's index, so that who needs names only loads no protobuf runtime. `npm run -w packages/contracts generate`
 * writes `gen/` anew.
 */
export * as destination from "./gen/destination_pb.ts";
export * as grpcRoute from "./gen/grpc-route_pb.ts";
export * as httpRoute from "./gen/http-route_pb.ts";
export * as httpTypes from "./gen/http-types_pb.ts";
export * as identity from "./gen/identity_pb.ts";
export * as inbound from "./gen/inbound_pb.ts";
export * as meta from "./gen/meta_pb.ts";
export * as net from "./gen/net_pb.ts";
export * as opaqueRoute from "./gen/opaque-route_pb.ts";
export * as outbound from "./gen/outbound_pb.ts";
export * as tap from "./gen/tap_pb.ts";
export * as tlsRoute from "./gen/tls-route_pb.ts";
export * as transportHeader from "./gen/transport-header_pb.ts";
