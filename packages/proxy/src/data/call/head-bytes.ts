/**
 * What the heads and trailers of one connection's requests may take together while they are under way. With HPACK a few
 * bytes stand for 64 KiB of them (CVE-2026-49975), and a connection may have thousands of requests: 10,000 with the usual
 * kilobyte are within this.
 */
const HEAD_BYTES_MAX: number = 16 << 20;

/** Counts them. */
export class HeadBytes {
  bytes = 0;

  get exhausted(): boolean {
    return this.bytes > HEAD_BYTES_MAX;
  }
}
