/**
 * What a peer may make us do for nothing. Every kind of work that a peer gets for a few bytes has an allowance: so much
 * at once, so much a second for ever, and more by real work (see `earn`). A peer beyond its allowance gets GOAWAY with
 * ENHANCE_YOUR_CALM and its connection ends; what it could make us hold and do until then is what stands here.
 */
export interface Allowance {
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * Streams that came to nothing: reset by a client before their end (rapid reset, CVE-2023-44487), reset by us for the
 * peer's fault (MadeYouReset, CVE-2025-8671), or refused. An exchange that ends well earns one back, so that a proxy
 * whose clients give up on half of their requests is never cut off. The burst lets a peer cancel a whole connection's
 * worth of streams at once: it is this or twice the stream limit, whichever is more. nghttp2 has 1000 and 33 a second.
 */
export const WASTED_STREAMS: Allowance = { burst: 1000, perSecond: 50 };

/**
 * Frames that get no message further (CVE-2019-9518): empty or all-padding DATA without END_STREAM, empty CONTINUATION,
 * interim responses. Honest peers do send some of them, so that each exchange earns a few.
 */
export const EMPTY_FRAMES: Allowance = { burst: 1000, perSecond: 100 };
export const EMPTIES_PER_EXCHANGE = 4;

/** SETTINGS (CVE-2019-9515): each is answered, and may touch every stream. Adaptive peers send one a round trip. */
export const SETTINGS_FRAMES: Allowance = { burst: 200, perSecond: 10 };
/** Settings in one frame that cost one SETTINGS frame more. */
export const SETTINGS_PER_COST = 16;

/**
 * PING (CVE-2019-9512): gRPC measures its bandwidth with one a round trip while data flows, which on one machine is
 * thousands a second; HEADERS and DATA therefore earn one each.
 */
export const PINGS: Allowance = { burst: 2000, perSecond: 200 };

/**
 * WINDOW_UPDATE, PRIORITY (CVE-2019-9513), unknown frames, frames on closed streams, and DATA frames that a tiny window
 * makes us send (CVE-2019-9511, costing SLIVER_COST each). DATA frames in either direction and heads earn EARN_PER_FRAME:
 * honest peers send two WINDOW_UPDATEs for each DATA frame at most.
 */
export const OVERHEAD_FRAMES: Allowance = { burst: 10_000, perSecond: 1000 };
export const EARN_PER_FRAME = 4;
export const SLIVER_BYTES = 64;
export const SLIVER_COST = 8;

/**
 * CONTINUATION flood (CVE-2024-27316 and its kin): frames in one header block. A list of the largest size takes five
 * frames of the smallest frame limit; clients are known that split more finely than they need to.
 */
export const CONTINUATIONS_MAX = 32;
/** Bytes of one encoded block, as multiple of the largest list: no honest encoder writes more than the list's size. */
export const BLOCK_BYTES_PER_LIST_BYTE = 2;

/**
 * Answers the peer asked for (SETTINGS and PING acknowledgements, RST_STREAM) and does not read: bytes in the sink
 * since it was last emptied. A read of 64 KiB full of PINGs asks for about as much.
 */
export const REPLY_BYTES_MAX: number = 256 << 10;

/** A sink with this much in it is a reason to read no more requests: as multiple of outputBytesMax. */
export const CONGESTED_OUTPUTS = 4;

/** A peer has this long to send its preface and SETTINGS, and as long again to acknowledge ours. */
export const PREFACE_MS_MAX = 10_000;
export const SETTINGS_ACK_MS_MAX = 10_000;

/** What a stalled stream has to move between two checks so that it counts as alive. */
export const STALL_PROGRESS_BYTES = 1024;

/** Windows are not widened beyond this. */
export const WINDOW_BYTES_MAX: number = 16 << 20;

/** A server asks for a new connection when ids are about to run out, this many streams before. */
export const STREAM_IDS_RESERVED = 1000;

/** Stream objects kept for use again. */
export const SPARE_STREAMS_MAX = 128;

/** A leaky bucket that does no arithmetic on time until it is full. */
export class Bucket {
  private level: number;
  private readonly burst: number;
  private readonly perSecond: number;
  private sinceMs: number;

  constructor(allowance: Allowance, burstMin: number) {
    this.level = 0;
    this.burst = Math.max(allowance.burst, burstMin);
    this.perSecond = allowance.perSecond;
    this.sinceMs = 0;
  }

  start(nowMs: number): void {
    this.sinceMs = nowMs;
  }

  /** False when the allowance is exceeded. */
  spend(cost: number, nowMs: number): boolean {
    this.level += cost;
    return this.level <= this.burst || this.leak(nowMs);
  }

  earn(amount: number): void {
    this.level = this.level > amount ? this.level - amount : 0;
  }

  private leak(nowMs: number): boolean {
    const leaked = Math.floor((Math.max(0, nowMs - this.sinceMs) * this.perSecond) / 1000);
    if (leaked > 0) {
      this.level = Math.max(0, this.level - leaked);
      this.sinceMs = nowMs;
    }
    return this.level <= this.burst;
  }
}
