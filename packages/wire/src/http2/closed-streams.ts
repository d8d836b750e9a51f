/** Ids of streams that ended by the peer's own word: what it sends on them after that is its fault. */
const ENDED_IDS = 16;
/** Ids of streams that we reset: the peer may have sent anything before it read of it. Doubles up to the second. */
const RESET_IDS_MIN = 16;
const RESET_IDS_MAX = 1024;

const NONE = new Int32Array(0);

/** How a stream that is no longer open came to its end, as far as that is remembered. */
export const ClosedBy = { Unknown: 0, Peer: 1, Us: 2 } as const;
export type ClosedBy = (typeof ClosedBy)[keyof typeof ClosedBy];

/**
 * What RFC 9113 §5.1 lets a peer send on a closed stream depends on how it was closed; this remembers the latest ones.
 * Two rings, so that many exchanges that went well do not push out the few that were reset.
 */
export class ClosedStreams {
  private readonly ended: Int32Array;
  private endedCount: number;
  private resets: Int32Array;
  private resetCount: number;

  constructor() {
    this.ended = new Int32Array(ENDED_IDS);
    this.endedCount = 0;
    this.resets = NONE;
    this.resetCount = 0;
  }

  /** Both sides have sent END_STREAM, or the peer has sent RST_STREAM. */
  addEnded(id: number): void {
    this.ended[this.endedCount++ & (ENDED_IDS - 1)] = id;
  }

  addReset(id: number): void {
    if (this.resetCount === this.resets.length && this.resetCount < RESET_IDS_MAX) {
      const grown = new Int32Array(Math.max(RESET_IDS_MIN, this.resets.length * 2));
      grown.set(this.resets);
      this.resets = grown;
    }
    this.resets[this.resetCount++ & (this.resets.length - 1)] = id;
  }

  closedBy(id: number): ClosedBy {
    if (this.resets.includes(id)) return ClosedBy.Us;
    return this.ended.includes(id) ? ClosedBy.Peer : ClosedBy.Unknown;
  }
}
