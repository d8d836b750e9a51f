import type { Random } from "../scripted-io-random.ts";

/** What mutations are made from. */
export interface Material {
  /** Inputs to begin with, at least one. */
  readonly seeds: readonly Uint8Array[];
  /** Byte sequences that mean something to the parser. */
  readonly words: readonly Uint8Array[];
  /** No input gets longer. */
  readonly bytesMax: number;
}

/** Edges of what lengths, counters and identifiers of protocols are kept in. */
const INTERESTING: readonly number[] = [
  0,
  1,
  2,
  4,
  5,
  8,
  9,
  10,
  13,
  16,
  31,
  32,
  63,
  64,
  126,
  127,
  128,
  129,
  254,
  255,
  256,
  4095,
  4096,
  16383,
  16384,
  16385,
  32767,
  32768,
  65534,
  65535,
  65536,
  2 ** 24 - 1,
  2 ** 24,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
];
const MUTATIONS_MAX = 8;
const INSERTED_MAX = 16;

/** A seed with some changes; the same for the same state of `random`. */
export function mutate(material: Material, random: Random): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(random.pick(material.seeds));
  // Mostly few: a message with one thing wrong gets further into a parser than noise does.
  const changes = random.chance(0.5) ? random.between(1, 2) : random.between(1, MUTATIONS_MAX);
  for (let i = 0; i < changes; i++) bytes = random.pick(MUTATIONS)(bytes, material, random);
  return bytes.length > material.bytesMax ? bytes.subarray(0, material.bytesMax) : bytes;
}

type Mutation = (bytes: Uint8Array, material: Material, random: Random) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  setByte,
  setInteger,
  (bytes, _material, random) => insert(bytes, random, noise(random)),
  (bytes, { words }, random) => (words.length === 0 ? bytes : insert(bytes, random, random.pick(words))),
  (bytes, { words }, random) => (words.length === 0 ? bytes : overwrite(bytes, random, random.pick(words))),
  remove,
  (bytes, _material, random) => insert(bytes, random, piece(bytes, random)),
  (bytes, { seeds }, random) => insert(bytes, random, piece(random.pick(seeds), random)),
  (bytes, { seeds }, random) => splice(bytes, random.pick(seeds), random),
  (bytes, _material, random) => bytes.subarray(0, random.between(0, bytes.length)),
];

function flipBit(bytes: Uint8Array, _material: Material, random: Random): Uint8Array {
  if (bytes.length > 0) bytes[random.between(0, bytes.length - 1)]! ^= 1 << random.between(0, 7);
  return bytes;
}

function setByte(bytes: Uint8Array, _material: Material, random: Random): Uint8Array {
  if (bytes.length > 0) bytes[random.between(0, bytes.length - 1)] = random.between(0, 255);
  return bytes;
}

/** An interesting number over one to four bytes, most significant first. */
function setInteger(bytes: Uint8Array, _material: Material, random: Random): Uint8Array {
  return overwrite(bytes, random, bigEndian(random.pick(INTERESTING), random.between(1, 4)));
}

function bigEndian(value: number, width: number): Uint8Array {
  return Uint8Array.from({ length: width }, (_, index) => Math.floor(value / 256 ** (width - 1 - index)) % 256);
}

function noise(random: Random): Uint8Array {
  return Uint8Array.from({ length: random.between(1, INSERTED_MAX) }, () => random.between(0, 255));
}

function piece(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.between(0, bytes.length);
  return bytes.subarray(at, Math.min(bytes.length, at + random.upTo(Math.max(1, bytes.length))));
}

function insert(bytes: Uint8Array, random: Random, what: Uint8Array): Uint8Array {
  const at = random.between(0, bytes.length);
  return joined(bytes.subarray(0, at), what, bytes.subarray(at));
}

function overwrite(bytes: Uint8Array, random: Random, what: Uint8Array): Uint8Array {
  const at = random.between(0, bytes.length);
  return joined(bytes.subarray(0, at), what, bytes.subarray(at + what.length));
}

function remove(bytes: Uint8Array, _material: Material, random: Random): Uint8Array {
  const at = random.between(0, bytes.length);
  return joined(bytes.subarray(0, at), bytes.subarray(at + random.upTo(Math.max(1, bytes.length - at))));
}

/** The beginning of one and the end of another. */
function splice(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  return joined(bytes.subarray(0, random.between(0, bytes.length)), other.subarray(random.between(0, other.length)));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
