import { createHash } from "node:crypto";

/** MB that a session may hold; the 10 of the default are too few for what a stream that nobody reads lets pile up. */
export const ROOMY: { readonly maxSessionMemory: number } = { maxSessionMemory: 100 };

export interface Digest {
  readonly bytes: number;
  readonly hash: string;
}

export async function digestOf(stream: AsyncIterable<Buffer>): Promise<Digest> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of stream) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, hash: hash.digest("hex") };
}

/** Bytes that differ from every shifted copy of themselves over a few KB. */
export function patterned(bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  for (let i = 0; i < bytes; i++) buffer[i] = (i ^ (i >>> 11)) & 0xff;
  return buffer;
}
