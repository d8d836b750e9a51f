import { type Buf, Errno, type Stream } from "@bowline/loop";
import { type Head, type HeadLimits, HeadStep } from "@bowline/wire";
import type { Plane } from "../plane.ts";
import { Carry, HEADROOM_BYTES, READ_BYTES_FIRST } from "./carry.ts";

/** parseRequestHead or parseResponseHead. */
type ParseHead = (bytes: Uint8Array, at: number, end: number, limits: HeadLimits, out: Head) => HeadStep;

/** The receiving half of one HTTP/1 connection: reads, keeps what cannot be used yet, and parses heads. */
export class Intake {
  readonly carry: Carry;
  /** The head in hand, parsed or half parsed; null when there is none. */
  head: Head | null = null;
  /** One read at most, bytes. */
  readBytes: number = READ_BYTES_FIRST;
  /** After `receive`: what there is to look at is buf[at, end), and whether the read was as long as it could be. */
  buf: Buf;
  at = 0;
  end = 0;
  filled = false;
  readonly #plane: Plane;
  readonly #parse: ParseHead;

  constructor(plane: Plane, parse: ParseHead) {
    this.#plane = plane;
    this.#parse = parse;
    this.buf = plane.rx;
    this.carry = new Carry(plane.reactor.io, plane.bufs);
  }

  /**
   * Reads behind what is kept: bytes received, 0 at the end of the stream, or -errno (EAGAIN when there are none, or when
   * as much is kept as may be; the stream is then no longer read).
   * @param keptBytesMax how much may be kept
   */
  receive(stream: Stream, keptBytesMax: number): number {
    const { carry } = this;
    const moved = carry.makeRoom(keptBytesMax);
    this.head?.shift(moved);
    const held = carry.buf;
    if (held !== null && carry.room === 0) {
      stream.pauseReading();
      return -Errno.EAGAIN;
    }
    const buf = held ?? this.#plane.rx;
    const at = held === null ? HEADROOM_BYTES : carry.end;
    const wanted = held === null ? this.readBytes : Math.min(carry.room, this.readBytes);
    const received = stream.read(buf, at, wanted);
    if (received <= 0) return received;
    if (held !== null) carry.end += received;
    this.buf = buf;
    this.at = held === null ? at : carry.at;
    this.end = at + received;
    this.filled = received === wanted;
    return received;
  }

  /** Parses the head that begins at `at`. NeedMore: what there is of it is kept; without any bytes there is no head. */
  parse(buf: Buf, at: number, end: number): HeadStep {
    if (at === end) {
      this.carry.clear();
      return HeadStep.NeedMore;
    }
    this.head ??= this.#plane.heads.acquire();
    const { head } = this;
    const step = this.#parse(buf.bytes, at, end, this.#plane.headLimits, head);
    if (step === HeadStep.NeedMore) head.shift(this.carry.keep(buf, at, end));
    return step;
  }

  /** The head in hand has been used. */
  releaseHead(): void {
    if (this.head === null) return;
    this.head.reset();
    this.#plane.heads.release(this.head);
    this.head = null;
  }

  /** Forgets everything: the connection is over. */
  clear(): void {
    this.carry.clear();
    this.releaseHead();
    this.readBytes = READ_BYTES_FIRST;
  }
}
