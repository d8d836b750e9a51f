import { Random } from "../scripted-io-random.ts";
import { type Material, mutate } from "./mutate.ts";

/** Something that reads bytes from a peer, and what must hold whatever they are. */
export interface FuzzTarget extends Material {
  readonly name: string;
  /**
   * Tries one input; everything random in it comes from `random`, so that an input tells all about a failure.
   *
   * @returns which way the input took through the code, in a few words: inputs that take a new one are mutated further
   * @throws Error when something does not hold
   */
  readonly run: (input: Uint8Array, random: Random) => string;
}

export interface FuzzLimits {
  /** At least one input is tried. */
  readonly seconds: number;
  readonly inputsMax?: number;
}

export interface FuzzFailure {
  /** As small as it could be made. */
  readonly input: Uint8Array;
  readonly error: unknown;
}

export interface FuzzReport {
  readonly seed: number;
  readonly inputs: number;
  /** Different ways through the code that were seen. */
  readonly ways: number;
  readonly failure: FuzzFailure | null;
}

/** Ways are kept to find more of them, but no more than this many. */
const WAYS_MAX = 4096;
/** An input whose reading takes longer than this is a failure: it is quadratic in something, or worse. */
const INPUT_MS_MAX = 2_000;
const SHRINK_MS = 2_000;

/**
 * Mutates the target's seeds until something does not hold or the time is over. The same seed tries the same inputs in
 * the same order.
 */
export function fuzz(target: FuzzTarget, seed: number, { seconds, inputsMax = Infinity }: FuzzLimits): FuzzReport {
  const random = new Random(seed);
  const seeds = [...target.seeds];
  const seen = new Set<string>();
  const until = performance.now() + seconds * 1000;
  let inputs = 0;
  let failure: FuzzFailure | null = null;
  do {
    const input = inputs < target.seeds.length ? seeds[inputs]! : mutate({ ...target, seeds }, random);
    inputs++;
    try {
      const way = tryInput(target, input);
      if (seen.size < WAYS_MAX && !seen.has(way)) {
        seen.add(way);
        seeds.push(input);
      }
    } catch (error) {
      failure = { input: shrunk(target, input), error };
    }
  } while (failure === null && inputs < inputsMax && performance.now() < until);
  return { seed, inputs, ways: seen.size, failure };
}

/**
 * Tries one input as fuzz() does.
 *
 * @returns the way it took
 * @throws Error when something does not hold, or it took too long
 */
export function tryInput(target: FuzzTarget, input: Uint8Array): string {
  const started = performance.now();
  const way = target.run(Uint8Array.from(input), new Random(hash(input)));
  const tookMs = performance.now() - started;
  if (tookMs > INPUT_MS_MAX) throw new Error(`reading ${input.length} bytes took ${tookMs.toFixed(0)} ms`);
  return way;
}

/** Leaves out whatever the input still fails without, larger pieces first. */
function shrunk(target: FuzzTarget, input: Uint8Array): Uint8Array {
  const until = performance.now() + SHRINK_MS;
  let smallest = input;
  for (let bytes = Math.ceil(input.length / 2); bytes > 0; bytes = bytes === 1 ? 0 : Math.ceil(bytes / 2)) {
    for (let at = 0; at < smallest.length && performance.now() < until; ) {
      const shorter = Uint8Array.from([...smallest.subarray(0, at), ...smallest.subarray(at + bytes)]);
      if (fails(target, shorter)) smallest = shorter;
      else at += bytes;
    }
  }
  return smallest;
}

function fails(target: FuzzTarget, input: Uint8Array): boolean {
  try {
    tryInput(target, input);
    return false;
  } catch {
    // Whatever it fails with: a smaller input may well trip over the same cause elsewhere.
    return true;
  }
}

/** FNV-1a. */
function hash(bytes: Uint8Array): number {
  let sum = 0x811c9dc5;
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193);
  return sum >>> 0;
}
