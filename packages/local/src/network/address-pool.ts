import { HOST_NUMBER_MAX, HOST_NUMBER_MIN } from "./addresses.ts";

export interface AddressPoolOptions {
  readonly min?: number;
  readonly max?: number;
  /** "late": goes round, so that a freed number is used again when all others have been. "first": the last freed one. */
  readonly reuse: "late" | "first";
}

/** Which host numbers are in use. */
export class AddressPool {
  readonly #min: number;
  readonly #max: number;
  readonly #reuse: "late" | "first";
  readonly #used = new Set<number>();
  readonly #freed: number[] = [];
  /** Numbers that somebody else had before whoever has them now. */
  readonly #again = new Set<number>();
  /** In the first round, what is beyond it is new. */
  #highest: number;
  #last: number;

  constructor(options: AddressPoolOptions) {
    this.#min = options.min ?? HOST_NUMBER_MIN;
    this.#max = options.max ?? HOST_NUMBER_MAX;
    this.#reuse = options.reuse;
    this.#last = this.#min - 1;
    this.#highest = this.#last;
  }

  /** Marks a number that was found in use; the search for free ones goes on after the highest of them. */
  adopt(host: number): void {
    this.#used.add(host);
    this.#last = Math.max(this.#last, host);
    this.#highest = this.#last;
  }

  /** Throws when all are in use. */
  take(): number {
    const host = this.#takeFreed() ?? this.#takeNext();
    this.#used.add(host);
    if (host <= this.#highest) this.#again.add(host);
    this.#highest = Math.max(this.#highest, host);
    return host;
  }

  /** Whether a number that was taken had, or may have had, an owner before. */
  wasUsedBefore(host: number): boolean {
    return this.#again.has(host);
  }

  release(host: number): void {
    if (this.#used.delete(host) && this.#reuse === "first") this.#freed.push(host);
  }

  #takeFreed(): number | undefined {
    for (let host = this.#freed.pop(); host !== undefined; host = this.#freed.pop()) {
      if (!this.#used.has(host)) return host;
    }
    return undefined;
  }

  #takeNext(): number {
    const count = this.#max - this.#min + 1;
    if (this.#used.size >= count) throw new Error(`all ${count} pod addresses are in use`);
    do {
      this.#last = this.#last >= this.#max ? this.#min : this.#last + 1;
    } while (this.#used.has(this.#last));
    return this.#last;
  }
}
