import { Errno, type Stream, WriteResult } from "@bowline/loop";
import { READ_BYTES_FIRST, READ_BYTES_MAX, READ_BYTES_MIN } from "../http1/carry.ts";
import type { Plane } from "../plane.ts";
import { Splicer } from "../splice/splicer.ts";

/** Reads in a row that fill the whole buffer, after which bytes move by splice. */
const FULL_READS_BEFORE_SPLICE = 2;
/** Moves in a row that are this small, after which they are copied again. */
const SMALL_MOVES_BEFORE_COPY = 16;
const SMALL_MOVE_BYTES = 8192;

export const FlowStep = {
  /** Goes on when there is more to read, or when the sink takes more. */
  Going: 0,
  /** The source has ended, and the sink has been told. */
  Ended: 1,
  /** The source was reset. */
  Reset: 2,
  /** The sink takes nothing any more. */
  Refused: 3,
} as const;
export type FlowStep = (typeof FlowStep)[keyof typeof FlowStep];

/**
 * One direction of a relayed connection. Small bytes are copied through the loop's read buffer; a stream that keeps
 * filling it moves inside the kernel instead, through a pipe: source socket → pipe → sink socket.
 */
export class Flow {
  ended = false;
  /** The sink refused bytes: the rest of the source is of no use. */
  refused = false;
  readonly #plane: Plane;
  readonly #splicer: Splicer;
  #from: Stream | null = null;
  #to: Stream | null = null;
  #readBytes = READ_BYTES_FIRST;
  #fullReads = 0;
  #smallMoves = 0;
  #sourceEnded = false;

  constructor(plane: Plane) {
    this.#plane = plane;
    this.#splicer = new Splicer(plane.reactor.io, plane.pipes);
  }

  begin(from: Stream, to: Stream): void {
    this.ended = false;
    this.refused = false;
    this.#from = from;
    this.#to = to;
    this.#readBytes = READ_BYTES_FIRST;
    this.#fullReads = 0;
    this.#smallMoves = 0;
    this.#sourceEnded = false;
  }

  /** Gives the pipe back; the connection is over. */
  release(): void {
    this.#splicer.end();
    this.#from = null;
    this.#to = null;
  }

  /** The source may have something. */
  pump(): FlowStep {
    return this.#splicer.active ? this.#splice() : this.#copy();
  }

  /** The sink takes bytes again. */
  resume(): FlowStep {
    if (this.#splicer.bytes > 0) return this.#splice();
    if (!this.#sourceEnded) this.#from!.resumeReading();
    return FlowStep.Going;
  }

  #copy(): FlowStep {
    const from = this.#from!;
    const wanted = this.#readBytes;
    const received = from.read(this.#plane.rx, 0, wanted);
    if (received <= 0) return this.#onNothing(received);
    const result = this.#to!.write(this.#plane.rx, 0, received);
    if (result === WriteResult.Broken) return this.#refuse();
    if (result === WriteResult.Held) {
      this.#readBytes = READ_BYTES_MIN;
      from.pauseReading();
    }
    if (received < wanted) {
      this.#fullReads = 0;
    } else {
      this.#fullReads++;
      if (result === WriteResult.Done) this.#readBytes = Math.min(2 * wanted, READ_BYTES_MAX);
      if (this.#fullReads >= FULL_READS_BEFORE_SPLICE && result === WriteResult.Done) {
        this.#splicer.begin();
        this.#smallMoves = 0;
      }
    }
    return FlowStep.Going;
  }

  #splice(): FlowStep {
    const from = this.#from!;
    const splicer = this.#splicer;
    const moved = this.#sourceEnded ? -Errno.EAGAIN : splicer.fill(from, Number.MAX_SAFE_INTEGER);
    if (moved < 0 && moved !== -Errno.EAGAIN) return this.#onNothing(moved);
    if (moved === 0) this.#sourceEnded = true;
    if (splicer.drain(this.#to!) < 0) return this.#refuse();
    if (splicer.bytes > 0) {
      from.pauseReading();
      this.#to!.awaitWritable();
      return FlowStep.Going;
    }
    if (this.#sourceEnded) return this.#onNothing(0);
    from.resumeReading();
    this.#noteMove(moved);
    return FlowStep.Going;
  }

  #noteMove(moved: number): void {
    if (moved >= SMALL_MOVE_BYTES) {
      this.#smallMoves = 0;
    } else if (++this.#smallMoves >= SMALL_MOVES_BEFORE_COPY) {
      this.#splicer.end();
      this.#fullReads = 0;
    }
  }

  /** The source gave no bytes: nothing there now, its end (0), or a reset. */
  #onNothing(received: number): FlowStep {
    if (received === -Errno.EAGAIN) return FlowStep.Going;
    this.#from!.pauseReading();
    this.ended = true;
    this.#splicer.end();
    if (received < 0) return FlowStep.Reset;
    this.#to!.finish();
    return FlowStep.Ended;
  }

  #refuse(): FlowStep {
    this.#from!.pauseReading();
    this.refused = true;
    this.ended = true;
    this.#splicer.end();
    return FlowStep.Refused;
  }
}
