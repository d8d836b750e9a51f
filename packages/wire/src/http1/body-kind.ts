import { type Head, Method } from "./head.ts";

/** How the end of a message body is found. */
export const BodyKind = { None: 0, Length: 1, Chunked: 2, Close: 3, Tunnel: 4 } as const;
export type BodyKind = (typeof BodyKind)[keyof typeof BodyKind];

/**
 * RFC 9112 §6.3 for requests. A zero length is None. CONNECT is no exception: content that its fields announce comes
 * before the tunnel, so that a server which refuses the tunnel reads the next request where we do.
 */
export function requestBodyKind(head: Head): BodyKind {
  if (head.chunked) return BodyKind.Chunked;
  return head.contentLength > 0 ? BodyKind.Length : BodyKind.None;
}

/** RFC 9112 §6.3 for responses. Tunnel: bytes flow both ways until close (101, and 2xx to CONNECT). */
export function responseBodyKind(head: Head, requestMethod: Method): BodyKind {
  const status = head.status;
  if (status === 101) return BodyKind.Tunnel;
  if (requestMethod === Method.Connect && status >= 200 && status < 300) return BodyKind.Tunnel;
  if (requestMethod === Method.Head || status < 200 || status === 204 || status === 304) return BodyKind.None;
  if (head.chunked) return BodyKind.Chunked;
  if (head.transferEncoding) return BodyKind.Close;
  if (head.contentLength < 0) return BodyKind.Close;
  return head.contentLength > 0 ? BodyKind.Length : BodyKind.None;
}
