const SLOTS = 64;
/** Longer heads are rarely the same twice, and would take too much memory. */
const HEAD_BYTES_MAX = 1024;

interface Entry<T> {
  readonly bytes: Uint8Array;
  readonly value: T;
}

/**
 * What heads that come again and again were translated to, found by their bytes. A head is kept when it comes for the
 * second time running in its slot, so that heads of which each is another cost a hash and no memory.
 */
export class HeadCache<T> {
  readonly #entries: (Entry<T> | null)[] = Array.from({ length: SLOTS }, () => null);
  readonly #hashes: Int32Array = new Int32Array(SLOTS);
  #slot = 0;
  #worthKeeping = false;

  /** What bytes[at, end) were translated to, or null. */
  find(bytes: Uint8Array, at: number, end: number): T | null {
    this.#worthKeeping = false;
    if (end - at > HEAD_BYTES_MAX) return null;
    const hash = hashOf(bytes, at, end);
    const slot = hash & (SLOTS - 1);
    const entry = this.#entries[slot]!;
    if (entry !== null && isSame(entry.bytes, bytes, at, end)) return entry.value;
    this.#slot = slot;
    this.#worthKeeping = this.#hashes[slot] === hash;
    this.#hashes[slot] = hash;
    return null;
  }

  /** A copy of the bytes that `find` has just missed, when they are worth keeping: translating may change them. */
  copyOf(bytes: Uint8Array, at: number, end: number): Uint8Array | null {
    return this.#worthKeeping ? bytes.slice(at, end) : null;
  }

  /** Keeps what the head that `find` has just missed was translated to. */
  keep(bytes: Uint8Array, value: T): void {
    this.#entries[this.#slot] = { bytes, value };
  }
}

/** Every fourth byte and the length: heads that differ elsewhere only meet in a slot, and are told apart there. */
function hashOf(bytes: Uint8Array, at: number, end: number): number {
  let hash = end - at;
  for (let i = at; i < end; i += 4) hash = (Math.imul(hash, 31) + bytes[i]!) | 0;
  return hash ^ (hash >>> 15);
}

function isSame(kept: Uint8Array, bytes: Uint8Array, at: number, end: number): boolean {
  if (kept.length !== end - at) return false;
  for (let i = 0; i < kept.length; i++) {
    if (kept[i] !== bytes[at + i]) return false;
  }
  return true;
}
