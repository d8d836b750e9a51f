import { FieldList } from "@bowline/wire";
import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { encodeMessage } from "../encode.ts";

/** A method as a client calls it on one channel. */
export interface ClientMethod {
  readonly service: string;
  readonly method: string;
  /** The request head of a call without metadata and deadline; shared, so that it is encoded once per connection. */
  readonly head: FieldList;
  readonly encode: (message: MessageInitShape<DescMessage>) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => MessageShape<DescMessage>;
}

/** What a channel says about itself in every request. */
export interface RequestOrigin {
  readonly scheme: "http" | "https";
  readonly authority: string;
  readonly userAgent: string;
}

export function clientMethod(method: DescMethod, origin: RequestOrigin): ClientMethod {
  const head = new FieldList();
  head.addText(":method", "POST");
  head.addText(":scheme", origin.scheme);
  head.addText(":path", `/${method.parent.typeName}/${method.name}`);
  head.addText(":authority", origin.authority);
  head.addText("te", "trailers");
  head.addText("content-type", "application/grpc");
  head.addText("user-agent", origin.userAgent);
  head.share();
  return {
    service: method.parent.typeName,
    method: method.name,
    head,
    encode: (message) => encodeMessage(method.input, message),
    decode: (bytes) => fromBinary(method.output, bytes),
  };
}
