/** Free objects kept at most; a burst's surplus is left to the collector. */
const FREE_MAX = 4096;

/** Keeps objects that are made once and used for one connection after another. */
export class Recycler<T> {
  readonly #make: () => T;
  readonly #free: T[] = [];

  constructor(make: () => T) {
    this.#make = make;
  }

  acquire(): T {
    return this.#free.pop() ?? this.#make();
  }

  /** Gives an object back; the caller has reset it and keeps no reference. */
  release(object: T): void {
    if (this.#free.length < FREE_MAX) this.#free.push(object);
  }
}
