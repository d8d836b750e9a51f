import type { Buf, Stream } from "@bowline/loop";
import type { Head } from "@bowline/wire";
import type { Exchange } from "./exchange.ts";
import type { Http1Client } from "./relay.ts";

/** Who has a request on an Http1Client, and gets its response. */
export interface Requester {
  readonly exchange: Exchange;
  /** The response's body is wanted without its framing: as data, and trailers (BodyReader.takeData). */
  readonly wantsData: boolean;
  /** Where a body may go by splice; null where it may not. */
  readonly spliceTo: Stream | null;
  /** No connection to the destination came about. */
  onConnectFailed(errno: number): void;
  /** The server takes bytes again. */
  onServerDrained(): void;
  /** The server ended (errno 0) or broke before it sent any byte of a response. */
  onNoResponse(client: Http1Client, errno: number): void;
  /** What the server sent cannot be a response; nothing of it has been passed on. */
  onBadResponse(reason: string): void;
  /** A byte of the response's head is there: from here on the request cannot be sent again. */
  onResponseByte(): void;
  /** A head with a status below 200; false when the client is gone, and the request with it. */
  onInterim(buf: Buf, head: Head): boolean;
  /** The response's head, and what there is of its body, up to `bodyEnd`; false as for onInterim. */
  onResponse(buf: Buf, head: Head, bodyEnd: number): boolean;
  /** Bytes of the body; false as for onInterim. */
  onBody(buf: Buf, at: number, end: number): boolean;
  /** 101, or 2xx to CONNECT: from here on the bytes [head.end, end) and all others pass as they are. */
  onTunnel(buf: Buf, head: Head, end: number): void;
  /** So many bytes of the body have come from the server, or some gone to the client, by splice. */
  onSpliced(bytes: number): void;
  /** Whoever the body is spliced to takes no more. */
  onSpliceFailed(): void;
  onResponseDone(): void;
  /** The server broke within the response: nobody must take what there is for the whole. */
  onResponseTruncated(): void;
  /** The server closed after its response while the request was still being sent. */
  onServerGone(): void;
}
