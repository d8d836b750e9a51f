import type { Buf, BufPool, Io } from "@bowline/loop";
import { Method } from "@bowline/wire";
import type { Exchange } from "./exchange.ts";
import type { Http1Client } from "./relay.ts";

/** Larger requests are not kept: the copy would cost more than the rare 502 it saves. */
const REPLAY_BYTES_MAX = 65536;

/**
 * A copy of what was sent of a request on a reused connection. The server may have been closing that connection while
 * we sent; with the copy the request can go out again on a new one (RFC 9112 §9.3.1).
 */
export class ReplayCopy {
  buf: Buf | null = null;
  bytes = 0;
  /** False once the request is longer than what is kept, or its response has begun. */
  complete = false;
  readonly #io: Io;
  readonly #bufs: BufPool;

  constructor(io: Io, bufs: BufPool) {
    this.#io = io;
    this.#bufs = bufs;
  }

  begin(): void {
    this.clear();
    this.complete = true;
  }

  add(from: Buf, at: number, end: number): void {
    if (!this.complete) return;
    const bytes = end - at;
    if (this.bytes + bytes > REPLAY_BYTES_MAX) {
      this.clear();
      return;
    }
    this.#reserve(this.bytes + bytes);
    this.#io.copy(this.buf!, this.bytes, from, at, bytes);
    this.bytes += bytes;
  }

  /** Drops the copy: the response has begun, or the request is too large. */
  clear(): void {
    if (this.buf !== null) this.#bufs.release(this.buf);
    this.buf = null;
    this.bytes = 0;
    this.complete = false;
  }

  #reserve(bytes: number): void {
    const buf = this.buf;
    if (buf !== null && buf.bytes.length >= bytes) return;
    const larger = this.#bufs.acquire(bytes);
    if (buf !== null) {
      this.#io.copy(larger, 0, buf, 0, this.bytes);
      this.#bufs.release(buf);
    }
    this.buf = larger;
  }
}

/**
 * Whether a request that got no byte of a response may go out again: all of it is still here, it went out on a reused
 * connection, and either the method is idempotent or the server had closed (errno 0) before its kernel got anything of
 * it, so that the server cannot have acted on it (RFC 9110 §9.2.2 forbids proxies to repeat anything else). A FIN tells
 * what was received before it; a reset does not, since Linux ignores the acknowledgement in it: within the 40 ms of a
 * delayed one the server may have read the request.
 */
export function mayReplay(copy: ReplayCopy, exchange: Exchange, client: Http1Client, errno: number): boolean {
  return copy.complete && copy.buf !== null && mayRepeat(exchange.method, client, errno);
}

/** The same for a request of which somebody else knows whether all is still here. */
export function mayRepeat(method: Method, client: Http1Client, errno: number): boolean {
  return client.reused && (isIdempotent(method) || (errno === 0 && client.nothingAcknowledged()));
}

/** RFC 9110 §9.2.2. */
function isIdempotent(method: Method): boolean {
  switch (method) {
    case Method.Get:
    case Method.Head:
    case Method.Options:
    case Method.Trace:
    case Method.Put:
    case Method.Delete:
      return true;
    default:
      return false;
  }
}
