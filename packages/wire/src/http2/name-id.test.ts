import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NAME_BYTES, NAME_IDS, NameId, nameIdOf } from "./name-id.ts";

const NAMED = Object.entries(NameId).filter(([key]) => key !== "Other");
const PSEUDO = new Set(["Authority", "Method", "Path", "Scheme", "Status", "Protocol"]);

describe("nameIdOf", () => {
  test.each(NAMED)("%s is found by the name its key says", (key, id) => {
    const text = (PSEUDO.has(key) ? ":" : "") + key.replace(/(?!^)([A-Z]|(?<=X)B3)/g, "-$1").toLowerCase();
    expect(Buffer.from(NAME_BYTES[id]!).toString()).toBe(text);
    const padded = Buffer.from(`x${text}x`);
    expect(nameIdOf(padded, 1, padded.length - 1)).toBe(id);
    expect(nameIdOf(padded, 0, padded.length - 1)).toBe(NameId.Other);
    expect(nameIdOf(padded, 1, padded.length)).toBe(NameId.Other);
  });

  test("ids are the numbers below NAME_IDS", () => {
    expect(Object.values(NameId)).toEqual(Array.from({ length: NAME_IDS }, (_, id) => id as NameId));
    expect(NAME_BYTES.length).toBe(NAME_IDS);
  });

  test("any other bytes are Other", () => {
    const known = new Set(NAME_BYTES.map((name) => Buffer.from(name).toString("latin1")));
    const name = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .tuple(fc.constantFrom(...NAME_BYTES.slice(1)), fc.nat(), fc.nat({ max: 255 }))
        .map(([bytes, place, byte]) =>
          Uint8Array.from(bytes).fill(byte, place % bytes.length, (place % bytes.length) + 1),
        ),
    );
    fc.assert(
      fc.property(name, (bytes) => {
        const text = Buffer.from(bytes).toString("latin1");
        expect(nameIdOf(bytes, 0, bytes.length) !== NameId.Other).toBe(text !== "" && known.has(text));
      }),
    );
  });
});
