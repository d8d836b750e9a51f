import { BodyKind, ChunkError, ChunkedScanner } from "@bowline/wire";

/** Trailer sections are held line by line only, so this bounds work, not memory; heads have the same limit. */
const TRAILER_BYTES_MAX = 65536;

/** Follows one message body to its end without changing it. */
export class BodyReader {
  /** The body is complete; for a body that ends with its connection, never set here. */
  done = true;
  error: ChunkError = ChunkError.None;
  /** What takeData() found last. */
  dataAt = 0;
  dataEnd = 0;
  trailersAt = 0;
  trailersEnd = 0;
  #kind: BodyKind = BodyKind.None;
  #remaining = 0;
  readonly #chunks = new ChunkedScanner();

  /** There is no body, not even an empty one in chunks. */
  get absent(): boolean {
    return this.#kind === BodyKind.None;
  }

  /** The body has no other end than that of its connection. */
  get endsByClose(): boolean {
    return this.#kind === BodyKind.Close;
  }

  /** Bytes to come that need no looking at: the rest of a body of known length. */
  get plainBytes(): number {
    return this.#kind === BodyKind.Length ? this.#remaining : 0;
  }

  /** `bytes` of the plain ones have passed without being shown here. */
  skip(bytes: number): void {
    this.#remaining -= bytes;
    this.done = this.#remaining === 0;
  }

  /** Begins a body. Tunnels are not bodies. */
  begin(kind: BodyKind, contentLength: number): void {
    this.#kind = kind;
    this.error = ChunkError.None;
    this.done = kind === BodyKind.None;
    if (kind === BodyKind.Length) this.#remaining = contentLength;
    else if (kind === BodyKind.Chunked) this.#chunks.reset(TRAILER_BYTES_MAX);
  }

  /**
   * How far the bytes [at, end) belong to the body and may be forwarded. Bytes of an unfinished chunk line are left out
   * and have to be presented again, first, together with what follows them.
   */
  take(bytes: Uint8Array, at: number, end: number): number {
    switch (this.#kind) {
      case BodyKind.Length: {
        const taken = Math.min(this.#remaining, end - at);
        this.#remaining -= taken;
        this.done = this.#remaining === 0;
        return at + taken;
      }
      case BodyKind.Chunked: {
        if (this.done) return at;
        const good = this.#chunks.scan(bytes, at, end);
        this.done = this.#chunks.done;
        this.error = this.#chunks.error;
        return good;
      }
      case BodyKind.Close:
        return end;
      default:
        return at;
    }
  }

  /**
   * As `take`, for a body that goes on without its framing: the data among the bytes is then [dataAt, dataEnd), moved
   * together where chunks were between, and complete lines of trailers are [trailersAt, trailersEnd).
   */
  takeData(bytes: Uint8Array, at: number, end: number): number {
    if (this.#kind !== BodyKind.Chunked) {
      const good = this.take(bytes, at, end);
      this.dataAt = at;
      this.dataEnd = good;
      this.trailersAt = good;
      this.trailersEnd = good;
      return good;
    }
    const chunks = this.#chunks;
    const good = this.done ? at : chunks.collect(bytes, at, end);
    this.done = chunks.done;
    this.error = chunks.error;
    this.dataAt = chunks.dataAt;
    this.dataEnd = chunks.dataEnd;
    this.trailersAt = chunks.trailersAt;
    this.trailersEnd = chunks.trailersEnd;
    return good;
  }
}
