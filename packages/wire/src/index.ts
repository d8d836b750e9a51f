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
export { ClientHello, HELLO_BYTES_MAX, HelloStep, readClientHello } from "./tls/client-hello.ts";
