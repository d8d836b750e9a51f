import type { Io, Pipe } from "@bowline/loop";

/** What one splice moves at most: the largest pipe the system gives unprivileged users, at half the CPU per byte of 256 KiB. */
const PIPE_BYTES = 1048576;
/** Pipes at a time; with all in use, streams are copied. 48 MiB stay under the system's soft limit of 64 MiB per user. */
const PIPES_MAX = 48;

/** The pipes that splicing streams go through, kept for the next stream. */
export class Pipes {
  readonly #io: Io;
  readonly #free: Pipe[] = [];
  #open = 0;

  constructor(io: Io) {
    this.#io = io;
  }

  /** An empty pipe; null when there is none to have. */
  acquire(): Pipe | null {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#open >= PIPES_MAX) return null;
    const pipe = this.#io.openPipe(PIPE_BYTES);
    if (typeof pipe === "number") return null;
    this.#open += 1;
    return pipe;
  }

  /** Takes back a pipe that is empty. */
  release(pipe: Pipe): void {
    this.#free.push(pipe);
  }

  /** Takes back a pipe that still has bytes of a stream that broke. */
  discard(pipe: Pipe): void {
    this.#io.closePipe(pipe);
    this.#open -= 1;
  }
}
