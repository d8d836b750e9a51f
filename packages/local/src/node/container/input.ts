import { closeSync, constants, openSync, writeSync } from "node:fs";

/** A reader that is slow is asked again after this time. */
const RETRY_MS = 10;

/**
 * The standard input of a container: a FIFO that this process holds open, so that the container waits for more as long as nobody
 * says that there is none. It ends with this process: an adopted container has had its last input.
 */
export class ContainerInput {
  readonly #fd: number;
  #open = true;
  #written: Promise<void> = Promise.resolve();

  /** @param path of the FIFO; opening it for both ways neither waits for a reader nor fails without one */
  constructor(path: string) {
    this.#fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  }

  /** Resolves when the container has been given the bytes, or has ended. */
  write(bytes: Uint8Array): Promise<void> {
    const copy = Uint8Array.from(bytes);
    this.#written = this.#written.then(() => this.#writeAll(copy));
    return this.#written;
  }

  /** The container gets what has been written, and then the end. */
  end(): Promise<void> {
    this.#written = this.#written.then(() => this.close());
    return this.#written;
  }

  /** At once, whatever has not been taken. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#fd);
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && this.#open; ) {
      const taken = tryWrite(this.#fd, bytes.subarray(at));
      if (taken === 0) await Bun.sleep(RETRY_MS);
      at += taken;
    }
  }
}

/** @returns how many bytes there was room for */
function tryWrite(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return 0;
    throw error;
  }
}
