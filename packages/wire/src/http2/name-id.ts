import { ascii } from "../ascii.ts";

/**
 * Header names that are compared as numbers. Those of HPACK's static table come first, in its order (RFC 7541
 * appendix A); then what HTTP/2, gRPC, tracing and the mesh itself look at. `l5d-*` are the names of @bowline/contracts,
 * written again because wire imports nothing.
 */
export const NameId = {
  Other: 0,
  Authority: 1,
  Method: 2,
  Path: 3,
  Scheme: 4,
  Status: 5,
  AcceptCharset: 6,
  AcceptEncoding: 7,
  AcceptLanguage: 8,
  AcceptRanges: 9,
  Accept: 10,
  AccessControlAllowOrigin: 11,
  Age: 12,
  Allow: 13,
  Authorization: 14,
  CacheControl: 15,
  ContentDisposition: 16,
  ContentEncoding: 17,
  ContentLanguage: 18,
  ContentLength: 19,
  ContentLocation: 20,
  ContentRange: 21,
  ContentType: 22,
  Cookie: 23,
  Date: 24,
  Etag: 25,
  Expect: 26,
  Expires: 27,
  From: 28,
  Host: 29,
  IfMatch: 30,
  IfModifiedSince: 31,
  IfNoneMatch: 32,
  IfRange: 33,
  IfUnmodifiedSince: 34,
  LastModified: 35,
  Link: 36,
  Location: 37,
  MaxForwards: 38,
  ProxyAuthenticate: 39,
  ProxyAuthorization: 40,
  Range: 41,
  Referer: 42,
  Refresh: 43,
  RetryAfter: 44,
  Server: 45,
  SetCookie: 46,
  StrictTransportSecurity: 47,
  TransferEncoding: 48,
  UserAgent: 49,
  Vary: 50,
  Via: 51,
  WwwAuthenticate: 52,
  Protocol: 53,
  Te: 54,
  Trailer: 55,
  Connection: 56,
  KeepAlive: 57,
  ProxyConnection: 58,
  Upgrade: 59,
  Http2Settings: 60,
  Forwarded: 61,
  XForwardedFor: 62,
  XForwardedProto: 63,
  XForwardedHost: 64,
  XRequestId: 65,
  Traceparent: 66,
  Tracestate: 67,
  Baggage: 68,
  XB3Traceid: 69,
  XB3Spanid: 70,
  XB3Parentspanid: 71,
  XB3Sampled: 72,
  XB3Flags: 73,
  XAmznTraceId: 74,
  GrpcStatus: 75,
  GrpcMessage: 76,
  GrpcTimeout: 77,
  GrpcEncoding: 78,
  GrpcAcceptEncoding: 79,
  GrpcStatusDetailsBin: 80,
  GrpcTraceBin: 81,
  GrpcTagsBin: 82,
  GrpcPreviousRpcAttempts: 83,
  GrpcRetryPushbackMs: 84,
  L5dClientId: 85,
  L5dDstCanonical: 86,
  L5dDstOverride: 87,
  L5dRequireId: 88,
  L5dOrigProto: 89,
  L5dProxyError: 90,
  L5dProxyErrorCause: 91,
  L5dProxyConnection: 92,
  L5dTimeout: 93,
  L5dRequestTimeout: 94,
  L5dResponseTimeout: 95,
  L5dRetryHttp: 96,
  L5dRetryGrpc: 97,
  L5dRetryLimit: 98,
  L5dRetryTimeout: 99,
} as const;
export type NameId = (typeof NameId)[keyof typeof NameId];

/** How many ids there are, `Other` included: the length of a table indexed by NameId. */
export const NAME_IDS = 100;

const TEXTS: readonly string[] = [
  ":authority",
  ":method",
  ":path",
  ":scheme",
  ":status",
  "accept-charset",
  "accept-encoding",
  "accept-language",
  "accept-ranges",
  "accept",
  "access-control-allow-origin",
  "age",
  "allow",
  "authorization",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "etag",
  "expect",
  "expires",
  "from",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "link",
  "location",
  "max-forwards",
  "proxy-authenticate",
  "proxy-authorization",
  "range",
  "referer",
  "refresh",
  "retry-after",
  "server",
  "set-cookie",
  "strict-transport-security",
  "transfer-encoding",
  "user-agent",
  "vary",
  "via",
  "www-authenticate",
  ":protocol",
  "te",
  "trailer",
  "connection",
  "keep-alive",
  "proxy-connection",
  "upgrade",
  "http2-settings",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-request-id",
  "traceparent",
  "tracestate",
  "baggage",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
  "x-amzn-trace-id",
  "grpc-status",
  "grpc-message",
  "grpc-timeout",
  "grpc-encoding",
  "grpc-accept-encoding",
  "grpc-status-details-bin",
  "grpc-trace-bin",
  "grpc-tags-bin",
  "grpc-previous-rpc-attempts",
  "grpc-retry-pushback-ms",
  "l5d-client-id",
  "l5d-dst-canonical",
  "l5d-dst-override",
  "l5d-require-id",
  "l5d-orig-proto",
  "l5d-proxy-error",
  "l5d-proxy-error-cause",
  "l5d-proxy-connection",
  "l5d-timeout",
  "l5d-request-timeout",
  "l5d-response-timeout",
  "l5d-retry-http",
  "l5d-retry-grpc",
  "l5d-retry-limit",
  "l5d-retry-timeout",
];

const EMPTY = new Uint8Array(0);

/** The bytes of each id's name; empty for `Other`. */
export const NAME_BYTES: readonly Uint8Array[] = [EMPTY, ...TEXTS.map(ascii)];

/**
 * A perfect hash of length, first, middle and last byte: at most one known name is compared with a name from the wire.
 * Found by search; loading fails when a new name falls into a taken slot, and then other factors are to be found.
 */
const SLOTS = 512;
const LENGTH_FACTOR = 90;
const FIRST_FACTOR = 6;
const LAST_FACTOR = 163;
const MIDDLE_FACTOR = 4;
const SLOT_ID = new Uint8Array(SLOTS);
for (let id = 1; id < NAME_BYTES.length; id++) {
  const name = NAME_BYTES[id]!;
  const slot = slotOf(name, 0, name.length);
  if (SLOT_ID[slot] !== 0) throw new Error(`header names share slot ${slot}: ${TEXTS[id - 1]}`);
  SLOT_ID[slot] = id;
}

/** The NameId of the lower-case name in [at, end), `Other` when it is not known. Reads only those bytes. */
export function nameIdOf(bytes: Uint8Array, at: number, end: number): NameId {
  if (at === end) return NameId.Other;
  const id = SLOT_ID[slotOf(bytes, at, end)]!;
  const name = NAME_BYTES[id]!;
  const length = end - at;
  if (name.length !== length) return NameId.Other;
  for (let i = 0; i < length; i++) {
    if (bytes[at + i] !== name[i]) return NameId.Other;
  }
  return id as NameId;
}

function slotOf(bytes: Uint8Array, at: number, end: number): number {
  const length = end - at;
  const sum =
    length * LENGTH_FACTOR +
    bytes[at]! * FIRST_FACTOR +
    bytes[end - 1]! * LAST_FACTOR +
    bytes[at + (length >> 1)]! * MIDDLE_FACTOR;
  return sum & (SLOTS - 1);
}
