import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Random } from "../scripted-io-random.ts";
import { formatHex, parseHex } from "./corpus.ts";
import { type FuzzTarget, fuzz, tryInput } from "./fuzz.ts";
import { mutate } from "./mutate.ts";

const HELLO = Buffer.from("hello, world");
const SECRET = Buffer.from("key");

/** Fails with `SECRET` behind at least five bytes; takes a way of its own for each of its beginnings. */
function lock(tried: string[] = []): FuzzTarget {
  return {
    name: "lock",
    seeds: [HELLO],
    words: [],
    bytesMax: 64,
    run: (input) => {
      tried.push(Buffer.from(input).toString("latin1"));
      const bytes = Buffer.from(input);
      if (bytes.indexOf(SECRET) >= 5) throw new Error("open");
      const found = [2, 1].find((length) => bytes.includes(SECRET.subarray(0, length)));
      return String(found);
    },
  };
}

describe("fuzz", () => {
  test("goes on from inputs that took a new way, and makes what fails small", () => {
    const { failure, ways } = fuzz(lock(), 2, { seconds: 20 });
    expect(String(failure?.error)).toBe("Error: open");
    expect(failure?.input).toHaveLength(5 + SECRET.length);
    expect(ways).toBe(3);
  });

  test("the same seed tries the same inputs, another seed others", () => {
    const [one, again, other]: string[][] = [[], [], []];
    for (const [tried, seed] of [
      [one, 7],
      [again, 7],
      [other, 8],
    ] as const)
      fuzz(lock(tried), seed, { seconds: 20, inputsMax: 500 });
    expect(one).toHaveLength(500);
    expect(again).toEqual(one!);
    expect(other).not.toEqual(one!);
  });

  test("an input is tried the same way however often", () => {
    const draws: number[] = [];
    const target: FuzzTarget = {
      ...lock(),
      run: (_input, random) => {
        draws.push(random.fraction());
        return "";
      },
    };
    tryInput(target, HELLO);
    tryInput(target, HELLO);
    tryInput(target, SECRET);
    expect(draws[0]).toBe(draws[1]!);
    expect(draws[0]).not.toBe(draws[2]!);
  });
});

test("a mutation keeps to its length and leaves the seeds alone", () => {
  const seeds = [HELLO, new Uint8Array(0), Uint8Array.from({ length: 100 }, (_, index) => index)];
  const before = seeds.map((seed) => Uint8Array.from(seed).toHex());
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 120 }), (seed, bytesMax) => {
      const random = new Random(seed);
      for (let i = 0; i < 20; i++)
        expect(mutate({ seeds, words: [SECRET], bytesMax }, random).length).toBeLessThanOrEqual(bytesMax);
    }),
  );
  expect(seeds.map((seed) => Uint8Array.from(seed).toHex())).toEqual(before);
});

describe("corpus files", () => {
  test("any bytes come back, whatever the comment says", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: "binary" }), (bytes, comment) => {
        expect(parseHex(formatHex(bytes, comment))).toEqual(bytes);
      }),
    );
  });

  test.each([
    ["00 ff # a comment\n0A", "00ff0a"],
    ["# nothing", ""],
    ["0 0", "00"],
    ["000", null],
    ["0g", null],
  ])("%j", (text, want) => {
    expect(parseHex(text)?.toHex() ?? null).toBe(want);
  });
});
