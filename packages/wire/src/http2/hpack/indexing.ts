import { NAME_IDS, NameId } from "../name-id.ts";

/** When an encoder puts a field into the dynamic table. */
export const Indexing = {
  /** Once the same field comes again. */
  OnSecondSight: 0,
  /** The first time already, as long as nothing has to be evicted for it: such fields repeat. */
  AtOnce: 1,
  /** Such fields differ from message to message; one that does repeat costs little as a literal. */
  Never: 2,
  /** As OnSecondSight unless the value is so short that it could be guessed (RFC 7541 §7.1.3): then never. */
  Secret: 3,
} as const;
export type Indexing = (typeof Indexing)[keyof typeof Indexing];

/** A secret shorter than this is not indexed, since the size of a block would tell whether a guess is right. */
export const SECRET_BYTES_MIN = 20;

/** By NameId. */
export const INDEXING: Uint8Array = new Uint8Array(NAME_IDS);

assign(Indexing.AtOnce, [
  NameId.Authority,
  NameId.Method,
  NameId.Path,
  NameId.Scheme,
  NameId.Status,
  NameId.Protocol,
  NameId.Accept,
  NameId.AcceptCharset,
  NameId.AcceptEncoding,
  NameId.AcceptLanguage,
  NameId.AcceptRanges,
  NameId.AccessControlAllowOrigin,
  NameId.CacheControl,
  NameId.ContentEncoding,
  NameId.ContentLanguage,
  NameId.ContentType,
  NameId.GrpcAcceptEncoding,
  NameId.GrpcEncoding,
  NameId.GrpcStatus,
  NameId.L5dClientId,
  NameId.L5dDstCanonical,
  NameId.L5dOrigProto,
  NameId.Server,
  NameId.StrictTransportSecurity,
  NameId.Te,
  NameId.Trailer,
  NameId.UserAgent,
  NameId.Vary,
  NameId.Via,
]);
assign(Indexing.Never, [
  NameId.Age,
  NameId.Baggage,
  NameId.ContentLength,
  NameId.ContentRange,
  NameId.Date,
  NameId.Etag,
  NameId.GrpcStatusDetailsBin,
  NameId.GrpcTimeout,
  NameId.GrpcTraceBin,
  NameId.IfModifiedSince,
  NameId.IfNoneMatch,
  NameId.LastModified,
  NameId.Location,
  NameId.Range,
  NameId.Traceparent,
  NameId.Tracestate,
  NameId.XAmznTraceId,
  NameId.XB3Parentspanid,
  NameId.XB3Spanid,
  NameId.XB3Traceid,
  NameId.XRequestId,
]);
assign(Indexing.Secret, [NameId.Authorization, NameId.Cookie, NameId.ProxyAuthorization, NameId.SetCookie]);

function assign(indexing: Indexing, ids: readonly NameId[]): void {
  for (const id of ids) INDEXING[id] = indexing;
}
