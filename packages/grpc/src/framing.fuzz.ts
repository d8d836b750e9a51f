import { frameMessage, MESSAGE_HEAD_BYTES, MessageReader, ReadStep } from "./framing.ts";

const MESSAGE_BYTES_MAX = 2000;

/** What a fuzzing run did. */
export interface FuzzReport {
  readonly rounds: number;
  readonly messages: number;
}

/**
 * Feeds streams of messages, some then damaged, to a MessageReader in pieces, and compares what it takes out with what a
 * plain reading of the whole stream finds.
 *
 * @param seconds how long to go on; at least one round is run
 * @param seed the same seed tries the same streams
 * @throws Error naming seed and round when the two differ
 */
export function fuzzGrpcFraming(seconds: number, seed: number): FuzzReport {
  const random = seededRandom(seed);
  const until = performance.now() + seconds * 1000;
  let rounds = 0;
  let messages = 0;
  do {
    const stream = randomStream(random);
    const want = readWhole(stream);
    const got = readInPieces(stream, random);
    if (want !== got) throw new Error(`gRPC framing: seed ${seed}, round ${rounds}: read ${got}, want ${want}`);
    messages += want.split(" ").length - 1;
    rounds++;
  } while (performance.now() < until);
  return { rounds, messages };
}

function randomStream(random: () => number): Uint8Array {
  const parts: Uint8Array[] = [];
  const count = Math.floor(random() * 12);
  for (let i = 0; i < count; i++) {
    const bytes = Math.floor(random() ** 3 * (MESSAGE_BYTES_MAX + 2));
    parts.push(frameMessage(new Uint8Array(bytes).fill(i + 1)));
  }
  const stream = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    stream.set(part, at);
    at += part.length;
  }
  const damaged = random() < 0.3 && stream.length > 0;
  if (damaged) stream[Math.floor(random() * stream.length)] = Math.floor(random() * 256);
  return random() < 0.3 ? stream.subarray(0, Math.floor(random() * stream.length)) : stream;
}

/** The whole stream read the plain way; one word per message, then how it ended. */
function readWhole(stream: Uint8Array): string {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
  let words = "";
  let at = 0;
  while (at < stream.length) {
    const flag = view.getUint8(at);
    if (flag !== 0) return `${words}${flag === 1 ? ReadStep.Compressed : ReadStep.BadFlag}`;
    if (stream.length - at < MESSAGE_HEAD_BYTES) break;
    const messageBytes = view.getUint32(at + 1);
    if (messageBytes > MESSAGE_BYTES_MAX) return `${words}${ReadStep.TooLarge}`;
    const end = at + MESSAGE_HEAD_BYTES + messageBytes;
    if (end > stream.length) break;
    words += `${word(stream.subarray(at + MESSAGE_HEAD_BYTES, end))} `;
    at = end;
  }
  return `${words}${ReadStep.NeedMore}`;
}

function readInPieces(stream: Uint8Array, random: () => number): string {
  const reader = new MessageReader(MESSAGE_BYTES_MAX);
  const pieceMax = 1 + Math.floor(random() ** 4 * stream.length);
  let words = "";
  let step: ReadStep = ReadStep.NeedMore;
  for (let at = 0; at < stream.length; ) {
    const end = Math.min(stream.length, at + 1 + Math.floor(random() * pieceMax));
    reader.push(stream, at, end);
    at = end;
    // Takes at some pieces only, so that messages queue up too.
    if (end < stream.length && random() < 0.5) continue;
    for (step = reader.next(); step === ReadStep.Message; step = reader.next()) words += `${word(reader.message)} `;
    if (step !== ReadStep.NeedMore) break;
  }
  return `${words}${step}`;
}

function word(message: Uint8Array): string {
  let sum = message.length;
  for (const byte of message) sum = (sum * 31 + byte) >>> 0;
  return `${message.length}:${sum.toString(16)}`;
}

/** Mulberry32: small, fast, and good enough to choose test cases. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
