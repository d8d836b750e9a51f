export { Detected, detectProtocol } from "./detect/detect.ts";
export { BodyKind, requestBodyKind, responseBodyKind } from "./http1/body-kind.ts";
export {
  CHUNK_EXT_BYTES_MAX,
  CHUNK_LINE_BYTES_MAX,
  ChunkError,
  ChunkedScanner,
  chunkErrorReason,
} from "./http1/chunked.ts";
export { markField, markFraming, markHopByHop, markIndex } from "./http1/drop.ts";
export {
  DEFAULT_HEAD_LIMITS,
  FIELD_DROP,
  FIELD_ID_MASK,
  FIELD_STRIDE,
  FIELDS_MAX,
  FieldId,
  FLAGS,
  Head,
  type HeadLimits,
  LINE_END,
  Method,
  NAME_END,
  NAME_START,
  TargetForm,
  VALUE_END,
  VALUE_START,
} from "./http1/head.ts";
export { HeadStep, headErrorReason, isHeadSizeError } from "./http1/head-step.ts";
export { parseRequestHead, parseResponseHead } from "./http1/parse-head.ts";
export { rewriteHead, rewrittenHeadBytes } from "./http1/rewrite-head.ts";
export { methodOf } from "./http1/start-line.ts";
export { Http2Connection } from "./http2/connection.ts";
export {
  copyBytes,
  FIELD_LIST_STRIDE,
  FIELD_META,
  FIELD_NAME_AT,
  FIELD_VALUE_AT,
  FIELD_VALUE_END,
  FieldList,
  META_DROPPED,
  META_NAME_ID,
  META_NEVER_INDEXED,
} from "./http2/fields.ts";
export {
  ErrorCode,
  FRAME_BYTES_DEFAULT,
  FRAME_HEAD_BYTES,
  FrameType,
  PREFACE,
} from "./http2/frame.ts";
export { type FrameSink, type Http2Handler, ResetBy, Role } from "./http2/handler.ts";
export { HpackDecoder, type HpackLimits } from "./http2/hpack/decoder.ts";
export { HpackEncoder } from "./http2/hpack/encoder.ts";
export { HpackStep } from "./http2/hpack/hpack-step.ts";
export { NAME_BYTES, NameId, nameIdOf } from "./http2/name-id.ts";
export { DEFAULT_HTTP2_SETTINGS, type Http2Settings } from "./http2/settings.ts";
export type { Http2Stream } from "./http2/stream.ts";
export { ClientHello, HELLO_BYTES_MAX, HelloStep, readClientHello } from "./tls/client-hello.ts";
