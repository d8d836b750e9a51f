import type { FrameSink } from "../handler.ts";

/** A sink that keeps everything until take(); for tests and measurements. */
export class GrowingSink implements FrameSink {
  bytes: Uint8Array = new Uint8Array(1024);
  end = 0;

  reserve(count: number): void {
    if (this.end + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.end + count));
    grown.set(this.bytes.subarray(0, this.end));
    this.bytes = grown;
  }

  /** A copy of what is in it, which is then out of it. The connection's drained() is the caller's to call. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.end);
    this.end = 0;
    return taken;
  }
}
