/** Random numbers that are the same for the same seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** At least 0, below 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  }

  /** True with this probability; takes no number from the sequence when there is nothing to decide. */
  chance(probability: number): boolean {
    return probability > 0 && this.fraction() < probability;
  }

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1));
  }

  /** From 1 to `max`, small ones as often as large ones: where things go wrong is at the edges. */
  upTo(max: number): number {
    return this.chance(0.3) ? this.between(1, Math.min(max, 8)) : this.between(1, max);
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[this.between(0, from.length - 1)];
    if (picked === undefined) throw new RangeError("nothing to pick from");
    return picked;
  }

  shuffle(items: unknown[]): void {
    for (let last = items.length - 1; last > 0; last--) {
      const other = this.between(0, last);
      [items[last], items[other]] = [items[other], items[last]];
    }
  }
}

/** What the simulated kernel and network do to the code under test; probabilities from 0 to 1. */
export interface Adversity {
  /** A receive, send or splice moves fewer bytes than it could. */
  readonly shortMove: number;
  /** A receive, send, splice or accept says EAGAIN although there is something to do. */
  readonly falseAgain: number;
  /** Epoll tells an fd ready that is not, or comes back early with nothing. */
  readonly spuriousWake: number;
  /** Ready fds are left out of one answer of epoll; they come in a later one. */
  readonly withhold: number;
  /** The order of ready fds is random. */
  readonly shuffle: boolean;
  /** The network delivers only a part of what is there. */
  readonly partialDelivery: number;
  /** Bytes, FIN and RST take up to this long. */
  readonly latencyMsMax: number;
  /** A connection attempt takes up to this long to be decided; 0 decides it within `connect`. */
  readonly connectMsMax: number;
  /** A connection is torn down by the network some time in its life: both ends see a reset. */
  readonly networkReset: number;
  /** `accept`, `connect` or `openPipe` says EMFILE. */
  readonly fdShortage: number;
  /** Capacity of each socket's send and receive buffer, one picked for each. */
  readonly socketBufferBytes: readonly number[];
  /** Pages of a pipe, one picked for each (the code may ask for more, as an unprivileged user may in vain). */
  readonly pipePages: readonly number[];
}

/** A kind world: whole moves, no latency, no surprises. */
export const CALM: Adversity = {
  shortMove: 0,
  falseAgain: 0,
  spuriousWake: 0,
  withhold: 0,
  shuffle: false,
  partialDelivery: 0,
  latencyMsMax: 0,
  connectMsMax: 0,
  networkReset: 0,
  fdShortage: 0,
  socketBufferBytes: [262_144],
  pipePages: [16],
};

/**
 * A hostile world, which kinds of hostility drawn from the seed: a run that has all of them at once hides what needs
 * one of them alone. Connections are not reset and fds do not run out unless the test asks for that.
 */
export function hostile(random: Random): Adversity {
  const maybe = (probability: number): number => (random.chance(0.6) ? probability * random.fraction() : 0);
  const latencyMsMax = random.pick([0, 0.1, 2, 40]);
  const buffers = [[262_144], [4096, 65_536], [16, 300, 5000]];
  // A byte at a time over a slow network only takes for ever.
  if (latencyMsMax <= 2) buffers.push([1, 2, 3, 100_000]);
  return {
    shortMove: maybe(1),
    falseAgain: maybe(0.5),
    spuriousWake: maybe(0.3),
    withhold: maybe(0.6),
    shuffle: random.chance(0.7),
    partialDelivery: maybe(1),
    latencyMsMax,
    connectMsMax: random.pick([0, 1, 30]),
    networkReset: 0,
    fdShortage: 0,
    socketBufferBytes: random.pick(buffers),
    pipePages: random.pick([[16], [1, 2, 16], [1]]),
  };
}
