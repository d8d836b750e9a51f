import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { frameMessage, MessageReader, ReadStep } from "./framing.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const hexOf = (bytes: Uint8Array) => bytes.toHex();

const rows: { name: string; stream: string; messages: string[]; last: ReadStep; max?: number }[] = [
  { name: "nothing", stream: "", messages: [], last: ReadStep.NeedMore },
  { name: "an empty message", stream: "00 00000000", messages: [""], last: ReadStep.NeedMore },
  { name: "one message", stream: "00 00000002 abcd", messages: ["abcd"], last: ReadStep.NeedMore },
  { name: "two and a half", stream: "00 00000001 aa 00 00000000 00 00000002 bb", messages: ["aa", ""], last: 0 },
  { name: "a message of the largest size", stream: "00 00000003 010203", messages: ["010203"], last: 0, max: 3 },
  { name: "one byte too many", stream: "00 00000004", messages: [], last: ReadStep.TooLarge, max: 3 },
  { name: "a length of 2^32-1", stream: "00 ffffffff", messages: [], last: ReadStep.TooLarge },
  { name: "a compressed message", stream: "01 00000001 aa", messages: [], last: ReadStep.Compressed },
  { name: "compressed behind a good one", stream: "00 00000001 aa 01", messages: ["aa"], last: ReadStep.Compressed },
  { name: "an unknown flag", stream: "80", messages: [], last: ReadStep.BadFlag },
];

function readAll(pieces: readonly Uint8Array[], max?: number): { messages: string[]; last: ReadStep } {
  const reader = new MessageReader(max);
  const messages: string[] = [];
  let last: ReadStep = ReadStep.NeedMore;
  for (const piece of pieces) {
    reader.push(piece, 0, piece.length);
    for (last = reader.next(); last === ReadStep.Message; last = reader.next()) messages.push(hexOf(reader.message));
    if (last !== ReadStep.NeedMore) break;
  }
  return { messages, last };
}

describe("MessageReader", () => {
  for (const { name, stream, messages, last, max } of rows) {
    test(`${name}, whole, byte by byte and cut at every place`, () => {
      const bytes = hex(stream);
      expect(readAll([bytes], max)).toEqual({ messages, last });
      expect(
        readAll(
          Array.from(bytes, (byte) => Uint8Array.of(byte)),
          max,
        ),
      ).toEqual({ messages, last });
      for (let cut = 0; cut <= bytes.length; cut++) {
        expect(readAll([bytes.subarray(0, cut), bytes.subarray(cut)], max)).toEqual({ messages, last });
      }
    });
  }

  test("gives back what frameMessage made, in any pieces", () => {
    const message = fc.uint8Array({ maxLength: 600 });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(700)), (messages, cuts) => {
        const stream = Buffer.concat(messages.map(frameMessage));
        const places = [...cuts.map((cut) => cut % (stream.length + 1)), 0, stream.length].sort((a, b) => a - b);
        const pieces = places.slice(1).map((end, i) => stream.subarray(places[i], end));
        expect(readAll(pieces)).toEqual({ messages: messages.map(hexOf), last: ReadStep.NeedMore });
      }),
    );
  });

  test("messages stay as they were while more is received", () => {
    const reader = new MessageReader();
    const kept: Uint8Array[] = [];
    for (let i = 0; i < 50; i++) {
      const framed = frameMessage(new Uint8Array(i * 7).fill(i));
      reader.push(framed, 0, 3);
      reader.push(framed, 3, framed.length);
      expect(reader.next()).toBe(ReadStep.Message);
      kept.push(reader.message);
    }
    expect(kept.every((message, i) => message.length === i * 7 && message.every((byte) => byte === i))).toBe(true);
  });

  test("a length announced but not sent costs no memory", () => {
    const reader = new MessageReader();
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 100 }, () => {
      const each = new MessageReader();
      each.push(hex("00 00400000 aa"), 0, 6);
      each.next();
      return each;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
    expect(readers.every((each) => each.bufferedBytes === 6)).toBe(true);
    expect(reader.bufferedBytes).toBe(0);
  });

  test("16 MiB in pieces of 1 KiB are copied a few times at most", () => {
    const reader = new MessageReader(1 << 24);
    const framed = frameMessage(new Uint8Array((1 << 24) - 100));
    const start = performance.now();
    for (let at = 0; at < framed.length; at += 1024) {
      reader.push(framed, at, Math.min(framed.length, at + 1024));
      reader.next();
    }
    expect(reader.message.length).toBe(framed.length - 5);
    // Copying all that is held for every piece would take 128 GiB of copying.
    expect(performance.now() - start).toBeLessThan(5_000);
  });
});
