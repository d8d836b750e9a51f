import { expect, test } from "bun:test";
import { array, assert, constantFrom, nat, property, string, tuple } from "fast-check";
import { HeadCache } from "./head-cache.ts";

const encoder = new TextEncoder();

/** Asks for a head as users do, and translates it to its own text where it is not known. */
function translate(cache: HeadCache<string>, text: string, offset: number): { text: string; known: boolean } {
  const bytes = encoder.encode("#".repeat(offset) + text);
  const found = cache.find(bytes, offset, bytes.length);
  if (found !== null) return { text: found, known: true };
  const copy = cache.copyOf(bytes, offset, bytes.length);
  // What has been translated may not look the same any more.
  bytes.fill(0);
  if (copy !== null) cache.keep(copy, text);
  return { text, known: false };
}

test("a head is known from its third time on, wherever its bytes are", () => {
  const cache = new HeadCache<string>();
  const known = [0, 3, 1, 200].map((offset) => translate(cache, "GET / HTTP/1.1\r\n\r\n", offset).known);
  expect(known).toEqual([false, false, true, true]);
});

test("no head is taken for another", () => {
  // Alike but for bytes that the hash may pass over.
  const head = tuple(constantFrom("a", "b", ""), string({ maxLength: 6 }), constantFrom("y", "z")).map((p) =>
    p.join("-"),
  );
  assert(
    property(array(tuple(head, nat(3)), { maxLength: 60 }), (heads) => {
      const cache = new HeadCache<string>();
      for (const [text, offset] of heads) expect(translate(cache, text, offset).text).toBe(text);
    }),
    { numRuns: 300 },
  );
});

test("a long head is not kept", () => {
  const cache = new HeadCache<string>();
  const known = [1, 2, 3, 4].map(() => translate(cache, "x".repeat(1025), 0).known);
  expect(known).toEqual([false, false, false, false]);
});
