import type { DescMethod, DescService, MessageShape } from "@bufbuild/protobuf";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";

/** A service of generated code as `@grpc/grpc-js` wants it described. */
export function grpcServiceOf(service: DescService): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.name, definitionOf(method)]));
}

/** A method of generated code as `@grpc/grpc-js` wants it described. */
export function definitionOf<M extends DescMethod>(
  method: M,
): MethodDefinition<MessageShape<M["input"]>, MessageShape<M["output"]>> {
  const { parent, name, methodKind, input, output } = method;
  return {
    path: `/${parent.typeName}/${name}`,
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestSerialize: (message) => Buffer.from(toBinary(input, message)),
    requestDeserialize: (bytes) => fromBinary(input, bytes) as MessageShape<M["input"]>,
    responseSerialize: (message) => Buffer.from(toBinary(output, message)),
    responseDeserialize: (bytes) => fromBinary(output, bytes) as MessageShape<M["output"]>,
  };
}
