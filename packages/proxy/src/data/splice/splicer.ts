import { Errno, type Io, type Pipe, type Stream } from "@bowline/loop";
import type { Pipes } from "./pipes.ts";

/**
 * Moves the bytes of one stream to another inside the kernel, through a pipe: socket → pipe → socket. Both ends count
 * them. The sink must hold no bytes of its own meanwhile, or the order would be lost.
 */
export class Splicer {
  /** Bytes that have left the source and not reached the sink. */
  bytes = 0;
  readonly #io: Io;
  readonly #pipes: Pipes;
  #pipe: Pipe | null = null;

  constructor(io: Io, pipes: Pipes) {
    this.#io = io;
    this.#pipes = pipes;
  }

  get active(): boolean {
    return this.#pipe !== null;
  }

  /** Takes a pipe; without one to have, active stays false. */
  begin(): void {
    this.#pipe ??= this.#pipes.acquire();
  }

  /** Gives the pipe back. */
  end(): void {
    if (this.#pipe === null) return;
    if (this.bytes > 0) this.#pipes.discard(this.#pipe);
    else this.#pipes.release(this.#pipe);
    this.#pipe = null;
    this.bytes = 0;
  }

  /** Takes up to `bytesMax` from the source: bytes taken, 0 at its end, or -errno (EAGAIN also when the pipe is full). */
  fill(from: Stream, bytesMax: number): number {
    const pipe = this.#pipe!;
    const room = Math.min(pipe.capacityBytes - this.bytes, bytesMax);
    if (room <= 0) return -Errno.EAGAIN;
    const moved = this.#io.splice(from.fd, pipe.writeFd, room, false);
    if (moved > 0) {
      this.bytes += moved;
      from.meter.received.value += moved;
    } else if (moved < 0 && moved !== -Errno.EAGAIN) {
      from.errno = -moved;
    }
    return moved;
  }

  /** Gives the sink what it takes now; -errno when it will take nothing any more, else 0. */
  drain(to: Stream): number {
    if (this.bytes === 0) return 0;
    const moved = this.#io.splice(this.#pipe!.readFd, to.fd, this.bytes, false);
    if (moved === -Errno.EAGAIN) return 0;
    if (moved < 0) {
      to.errno = -moved;
      return moved;
    }
    this.bytes -= moved;
    to.meter.sent.value += moved;
    return 0;
  }
}
