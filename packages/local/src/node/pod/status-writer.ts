/** Writes something as it is at the time of writing; wishes that come while that goes on are one more writing. */
export class StatusWriter {
  readonly #write: () => Promise<unknown>;
  readonly #onError: (error: unknown) => void;
  #writing: Promise<void> | undefined;
  #again = false;

  constructor(write: () => Promise<unknown>, onError: (error: unknown) => void) {
    this.#write = write;
    this.#onError = onError;
  }

  /** Resolves when what is so now has been written, or has failed to be. Never rejects. */
  async request(): Promise<void> {
    this.#again = true;
    this.#writing ??= this.#run();
    await this.#writing;
  }

  async #run(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        await this.#write();
      }
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#writing = undefined;
    }
  }
}
