import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { frameMessage } from "./framing.ts";

/**
 * A message encoded and framed for the wire. The result may be sent on any number of streams (`sendEncoded`), as long as
 * nobody writes to it.
 */
export function encodeMessage<D extends DescMessage>(schema: D, message: MessageInitShape<D>): Uint8Array {
  return frameMessage(toBinary(schema, create(schema, message)));
}
