import { type ErrorCode, Http2Connection, type Http2Handler, type Http2Settings, type Role } from "@bowline/wire";
import type { ByteStream, ByteStreamOwner } from "./byte-stream.ts";
import type { Clock } from "./clock.ts";
import { FrameOutput } from "./frame-output.ts";

const EMPTY = new Uint8Array(0);

export interface LinkOwner<U> extends Http2Handler<U> {
  /** Bytes were received and handled. */
  onReceived(): void;
  /** The connection is over, its streams have been told. The error is null when it ended in order. */
  onLinkClosed(error: Error | null): void;
}

/** An HTTP/2 connection on a byte stream: brings the one's frames to the other, and keeps what neither takes yet. */
export class Http2Link<U> implements ByteStreamOwner {
  readonly http2: Http2Connection<U>;
  readonly stream: ByteStream;
  closed = false;
  /** Why it was closed: null while it is not, and when it ended in order. */
  closeError: Error | null = null;
  readonly #owner: LinkOwner<U>;
  readonly #clock: Clock;
  readonly #output = new FrameOutput();
  /** A frame's beginning whose rest has not come. */
  #carry: Uint8Array = EMPTY;
  #carryEnd = 0;
  #blocked = false;
  #paused = false;
  #flushScheduled = false;
  /** The engine is at work, and may be calling whoever calls us. */
  #inEngine = false;
  /** close() was called meanwhile. */
  #closeWanted: { readonly code: ErrorCode; readonly error: Error | null } | null = null;
  readonly #flushNow: () => void = () => {
    this.#flushScheduled = false;
    this.#flush();
  };

  constructor(role: Role, settings: Http2Settings, owner: LinkOwner<U>, stream: ByteStream, clock: Clock) {
    this.#owner = owner;
    this.#clock = clock;
    this.stream = stream;
    this.http2 = new Http2Connection(role, settings, owner, this.#output);
  }

  begin(): void {
    this.stream.owner = this;
    this.http2.begin(this.#clock.nowMs());
    this.flushSoon();
  }

  /** To be called after any method of `http2`: writes what it wrote, together with what else this turn brings. */
  flushSoon(): void {
    if (this.#flushScheduled || this.closed) return;
    this.#flushScheduled = true;
    queueMicrotask(this.#flushNow);
  }

  /** To be called about once a second: the engine's limits on how long a peer may take. */
  tick(stallMsMax: number): void {
    if (this.closed) return;
    const nowMs = this.#clock.nowMs();
    this.#inEngine = true;
    this.http2.checkOpening(nowMs);
    this.http2.checkStalled(nowMs, stallMsMax);
    this.#leaveEngine();
    this.#flush();
  }

  /** Says goodbye with `code` and closes; open streams end as lost. During a callback it waits for the callback's end. */
  close(code: ErrorCode, error: Error | null): void {
    if (this.closed) return;
    if (this.#inEngine) {
      this.#closeWanted ??= { code, error };
      return;
    }
    this.http2.goAway(code);
    this.#writeOutput();
    this.stream.end();
    this.#finish(error);
  }

  onBytes(bytes: Uint8Array): void {
    if (this.closed) return;
    const nowMs = this.#clock.nowMs();
    this.#inEngine = true;
    if (this.#carryEnd === 0) {
      const taken = this.http2.receive(bytes, 0, bytes.length, nowMs);
      this.#keep(bytes, taken, bytes.length);
    } else {
      this.#append(bytes);
      const taken = this.http2.receive(this.#carry, 0, this.#carryEnd, nowMs);
      this.#dropFromCarry(taken);
    }
    this.#leaveEngine();
    if (this.closed) return;
    this.#owner.onReceived();
    this.flushSoon();
  }

  onDrain(): void {
    this.#blocked = false;
    this.#flush();
  }

  onClose(error: Error | null): void {
    this.#finish(error);
  }

  #flush(): void {
    if (this.closed) return;
    while (!this.closed && !this.#blocked && this.#output.end > 0) {
      this.#writeOutput();
      this.#inEngine = true;
      this.http2.drained();
      this.#leaveEngine();
    }
    if (this.closed) return;
    if (this.http2.failed) {
      this.stream.end();
      this.#finish(new Error(`HTTP/2 connection error: ${this.http2.errorReason}`));
    } else if (this.http2.finished) {
      this.stream.end();
      this.#finish(null);
    } else {
      this.#pauseOrResume();
    }
  }

  #leaveEngine(): void {
    this.#inEngine = false;
    const wanted = this.#closeWanted;
    this.#closeWanted = null;
    if (wanted !== null) this.close(wanted.code, wanted.error);
  }

  #writeOutput(): void {
    if (this.#output.end > 0) this.#blocked = !this.stream.write(this.#output.take());
  }

  #pauseOrResume(): void {
    const pause = this.http2.congested;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.stream.pause();
    else this.stream.resume();
  }

  #finish(error: Error | null): void {
    if (this.closed) return;
    this.closed = true;
    this.closeError = error;
    this.stream.owner = null;
    this.#carry = EMPTY;
    this.http2.lost();
    this.#output.take();
    this.#owner.onLinkClosed(error);
  }

  #keep(bytes: Uint8Array, at: number, end: number): void {
    if (at === end) return;
    this.#carry = bytes.slice(at, end);
    this.#carryEnd = end - at;
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#carryEnd + bytes.length;
    if (needed > this.#carry.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#carry.length));
      grown.set(this.#carry.subarray(0, this.#carryEnd));
      this.#carry = grown;
    }
    this.#carry.set(bytes, this.#carryEnd);
    this.#carryEnd = needed;
  }

  #dropFromCarry(taken: number): void {
    if (taken === this.#carryEnd) {
      this.#carry = EMPTY;
      this.#carryEnd = 0;
      return;
    }
    this.#carry.copyWithin(0, taken, this.#carryEnd);
    this.#carryEnd -= taken;
  }
}
