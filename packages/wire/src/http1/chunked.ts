import {
  ascii,
  BYTE_CLASS,
  COLON,
  CR,
  equalsWord,
  FIELD_VALUE,
  HEX_VALUE,
  LF,
  SEMICOLON,
  SP,
  TAB,
  TOKEN,
} from "../ascii.ts";
import { assert } from "../assert.ts";

/** What was wrong with a chunked body; None while nothing is. */
export const ChunkError = {
  None: 0,
  BadChunkSize: 1,
  ChunkSizeOverflow: 2,
  BadChunkExt: 3,
  ChunkExtTooLong: 4,
  MissingCrlf: 5,
  BareLf: 6,
  BadTrailer: 7,
  TrailersTooLarge: 8,
} as const;
export type ChunkError = (typeof ChunkError)[keyof typeof ChunkError];

/**
 * The longest chunk-size line accepted, CRLF included. No longer line is ever withheld, so a caller whose buffer holds
 * this and the largest trailer section always makes progress.
 */
export const CHUNK_LINE_BYTES_MAX = 4096;
/** Extension bytes may outweigh the data of a body by this much (16 KiB): a body of framing only is an attack. */
export const CHUNK_EXT_BYTES_MAX = 16384;

const SIZE_DIGITS_MAX = 16;
/** One more hexadecimal digit after this value would pass 2^53-1. */
const SIZE_BEFORE_LAST_DIGIT_MAX = 2 ** 49 - 1;

const State = {
  Size: 0,
  SizeSpace: 1,
  Ext: 2,
  SizeLf: 3,
  Data: 4,
  DataCr: 5,
  DataLf: 6,
  TrailerStart: 7,
  TrailerName: 8,
  TrailerValue: 9,
  TrailerLf: 10,
  LastLf: 11,
  Done: 12,
  Failed: 13,
} as const;
type State = (typeof State)[keyof typeof State];

const CONTENT_LENGTH = ascii("content-length");
const TRANSFER_ENCODING = ascii("transfer-encoding");
const HOST = ascii("host");

const REASONS: readonly string[] = [
  "none",
  "bad-chunk-size",
  "chunk-size-overflow",
  "bad-chunk-extension",
  "chunk-extensions-too-long",
  "chunk-missing-crlf",
  "chunk-bare-lf",
  "bad-trailer",
  "trailers-too-large",
];

/** The stable name of an error, for `l5d-proxy-error`, metrics and logs. */
export function chunkErrorReason(error: ChunkError): string {
  return REASONS[error] ?? "unknown";
}

/**
 * Follows a chunked body (RFC 9112 §7.1) without changing it, to know how far its bytes are good and where it ends.
 * One per message, reused by reset().
 *
 * Stricter than the grammar's fringes: lines end in CRLF only, no space around sizes but before `;`, no framing fields
 * among the trailers. A proxy that is lenient where the next server is not hands over the boundary of the message.
 */
export class ChunkedScanner {
  /** The whole body has been seen, its last CRLF included. */
  done = false;
  error: ChunkError = 0;
  /** Bytes of chunk data so far. */
  dataBytes = 0;
  /** What collect() found last: data, and complete lines of the trailer section. */
  dataAt = 0;
  dataEnd = 0;
  trailersAt = 0;
  trailersEnd = 0;

  #state: State = 0;
  #remaining = 0;
  #sizeDigits = 0;
  /** Bytes of the line in hand that were looked at, all of them withheld. */
  #lineBytes = 0;
  #extBytes = 0;
  #trailerBytes = 0;
  #trailerBytesMax = 0;

  /** Begins a new body whose trailer section, empty line included, may have `trailerBytesMax` bytes. */
  reset(trailerBytesMax: number): void {
    this.done = false;
    this.error = 0;
    this.dataBytes = 0;
    this.#state = State.Size;
    this.#remaining = 0;
    this.#sizeDigits = 0;
    this.#lineBytes = 0;
    this.#extBytes = 0;
    this.#trailerBytes = 0;
    this.#trailerBytesMax = trailerBytesMax;
  }

  /**
   * Looks at [at, end) and returns the offset up to which bytes are valid and may be forwarded as they are. The rest,
   * if neither `done` nor `error` is set, is the beginning of a line: present it again, whole and first, in the next
   * call (it is not looked at twice). With `done`, bytes from the offset on belong to the next message.
   */
  scan(buf: Uint8Array, at: number, end: number): number {
    assert(at <= end && end <= buf.length);
    let p = at;
    let good = at;
    if (this.#lineBytes > 0) {
      p += this.#lineBytes;
      assert(p <= end);
    }
    while (p < end && this.#state < State.Done) {
      if (this.#state === State.Data) {
        p = this.#passData(p, end);
        good = p;
        continue;
      }
      p = this.#scanLine(buf, p, end);
      if (this.#lineBytes === 0) good = p;
    }
    return good;
  }

  /**
   * As scan(), for a body that goes on without its chunks: the data among the bytes is then buf[dataAt, dataEnd), moved
   * together where something was between, and buf[trailersAt, trailersEnd) are the complete trailer lines.
   */
  collect(buf: Uint8Array, at: number, end: number): number {
    assert(at <= end && end <= buf.length);
    this.dataAt = at;
    this.dataEnd = at;
    this.trailersAt = at;
    this.trailersEnd = at;
    let p = at + this.#lineBytes;
    let good = at;
    while (p < end && this.#state < State.Done) {
      const state = this.#state;
      if (state === State.Data) {
        p = this.#passData(p, end);
        this.#keepData(buf, good, p);
        good = p;
        continue;
      }
      p = this.#scanLine(buf, p, end);
      if (this.#lineBytes > 0) continue;
      if (state >= State.TrailerStart && this.#state === State.TrailerStart) {
        if (this.trailersAt === this.trailersEnd) this.trailersAt = good;
        this.trailersEnd = p;
      }
      good = p;
    }
    return good;
  }

  #passData(p: number, end: number): number {
    const taken = Math.min(this.#remaining, end - p);
    this.#remaining -= taken;
    this.dataBytes += taken;
    this.#extBytes = Math.max(0, this.#extBytes - taken);
    if (this.#remaining === 0) this.#state = State.DataCr;
    return p + taken;
  }

  #keepData(buf: Uint8Array, at: number, end: number): void {
    if (this.dataAt === this.dataEnd) {
      this.dataAt = at;
      this.dataEnd = end;
      return;
    }
    buf.copyWithin(this.dataEnd, at, end);
    this.dataEnd += end - at;
  }

  #scanLine(buf: Uint8Array, p: number, end: number): number {
    if (this.#state < State.Data) return this.#scanSizeLine(buf, p, end);
    return this.#state < State.TrailerStart ? this.#scanDataEnd(buf, p, end) : this.#scanTrailers(buf, p, end);
  }

  /** `1*HEXDIG [ BWS ";" … ] CRLF`. Returns where it stopped: behind the line, at the error, or at `end`. */
  #scanSizeLine(buf: Uint8Array, from: number, end: number): number {
    let p = from;
    while (p < end) {
      const byte = buf[p]!;
      if (this.#lineBytes >= CHUNK_LINE_BYTES_MAX) return this.#fail(ChunkError.ChunkExtTooLong, p);
      switch (this.#state) {
        case State.Size:
          if (HEX_VALUE[byte] !== 255) {
            if (this.#sizeDigits === SIZE_DIGITS_MAX || this.#remaining > SIZE_BEFORE_LAST_DIGIT_MAX) {
              return this.#fail(ChunkError.ChunkSizeOverflow, p);
            }
            this.#sizeDigits++;
            this.#remaining = this.#remaining * 16 + HEX_VALUE[byte]!;
          } else if (this.#sizeDigits === 0 || !this.#endSize(byte)) {
            return this.#fail(byte === LF ? ChunkError.BareLf : ChunkError.BadChunkSize, p);
          }
          break;
        case State.SizeSpace:
          this.#extBytes++;
          if (byte === SEMICOLON) this.#state = State.Ext;
          else if (byte !== SP && byte !== TAB) return this.#fail(ChunkError.BadChunkSize, p);
          break;
        case State.Ext:
          if (byte === CR) this.#state = State.SizeLf;
          else if (byte === LF) return this.#fail(ChunkError.BareLf, p);
          else if ((BYTE_CLASS[byte]! & FIELD_VALUE) === 0) return this.#fail(ChunkError.BadChunkExt, p);
          else this.#extBytes++;
          break;
        default:
          if (byte !== LF) return this.#fail(ChunkError.MissingCrlf, p);
          this.#lineBytes = 0;
          this.#sizeDigits = 0;
          this.#state = this.#remaining === 0 ? State.TrailerStart : State.Data;
          return p + 1;
      }
      if (this.#extBytes > CHUNK_EXT_BYTES_MAX) return this.#fail(ChunkError.ChunkExtTooLong, p);
      this.#lineBytes++;
      p++;
    }
    return p;
  }

  /** What may follow the digits; false when `byte` may not. */
  #endSize(byte: number): boolean {
    if (byte === CR) this.#state = State.SizeLf;
    else if (byte === SEMICOLON) this.#state = State.Ext;
    else if (byte === SP || byte === TAB) this.#state = State.SizeSpace;
    else return false;
    if (byte !== CR) this.#extBytes++;
    return true;
  }

  /** The CRLF behind chunk data; each of its bytes is good by itself. */
  #scanDataEnd(buf: Uint8Array, from: number, end: number): number {
    let p = from;
    if (this.#state === State.DataCr) {
      if (buf[p] !== CR) return this.#fail(buf[p] === LF ? ChunkError.BareLf : ChunkError.MissingCrlf, p);
      this.#state = State.DataLf;
      p++;
      if (p === end) return p;
    }
    if (buf[p] !== LF) return this.#fail(ChunkError.MissingCrlf, p);
    this.#state = State.Size;
    return p + 1;
  }

  /** One trailer line, or the empty line that ends the body. */
  #scanTrailers(buf: Uint8Array, from: number, end: number): number {
    let p = from;
    while (p < end) {
      const byte = buf[p]!;
      if (this.#trailerBytes === this.#trailerBytesMax) return this.#fail(ChunkError.TrailersTooLarge, p);
      this.#trailerBytes++;
      switch (this.#state) {
        case State.TrailerStart:
          if (byte === CR) this.#state = State.LastLf;
          else if (byte === LF) return this.#fail(ChunkError.BareLf, p);
          else if ((BYTE_CLASS[byte]! & TOKEN) === 0) return this.#fail(ChunkError.BadTrailer, p);
          else this.#state = State.TrailerName;
          break;
        case State.TrailerName:
          if (byte === COLON) {
            if (isFraming(buf, p - this.#lineBytes, this.#lineBytes)) return this.#fail(ChunkError.BadTrailer, p);
            this.#state = State.TrailerValue;
          } else if ((BYTE_CLASS[byte]! & TOKEN) === 0) {
            return this.#fail(ChunkError.BadTrailer, p);
          }
          break;
        case State.TrailerValue:
          if (byte === CR) this.#state = State.TrailerLf;
          else if (byte === LF) return this.#fail(ChunkError.BareLf, p);
          else if ((BYTE_CLASS[byte]! & FIELD_VALUE) === 0) return this.#fail(ChunkError.BadTrailer, p);
          break;
        default:
          if (byte !== LF) return this.#fail(ChunkError.BadTrailer, p);
          this.done = this.#state === State.LastLf;
          this.#state = this.done ? State.Done : State.TrailerStart;
          this.#lineBytes = 0;
          return p + 1;
      }
      this.#lineBytes++;
      p++;
    }
    return p;
  }

  #fail(error: ChunkError, p: number): number {
    this.error = error;
    this.#state = State.Failed;
    return p;
  }
}

/** Fields that a reader merging trailers into the head would frame or route by (RFC 9110 §6.5.1 forbids sending them). */
function isFraming(buf: Uint8Array, at: number, length: number): boolean {
  return (
    equalsWord(buf, at, length, CONTENT_LENGTH) ||
    equalsWord(buf, at, length, TRANSFER_ENCODING) ||
    equalsWord(buf, at, length, HOST)
  );
}
