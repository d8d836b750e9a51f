import { expect, test } from "bun:test";
import { rejectionOf } from "@bowline/testkit";
import fc from "fast-check";
import { ApiError } from "./api-error.ts";
import { lines, watchEvents } from "./watch.ts";

async function* cut(bytes: Uint8Array, at: readonly number[]): AsyncGenerator<Uint8Array> {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...places, bytes.length]) {
    yield bytes.subarray(from, to);
    from = to;
  }
}

async function* whole(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}

test("lines are the same however the bytes are cut", async () => {
  const text = fc.string({ unit: fc.constantFrom("a", "ü", "🙂", "\n", " ") });
  await fc.assert(
    fc.asyncProperty(text, fc.array(fc.nat()), async (source, places) => {
      const found = await Array.fromAsync(lines(cut(new TextEncoder().encode(source), places)));
      expect(found).toEqual(
        source
          .split("\n")
          .slice(0, -1)
          .filter((line) => line.trim() !== ""),
      );
    }),
  );
});

test("an ERROR event is thrown as what its Status says", async () => {
  const status = { kind: "Status", code: 410, reason: "Expired", message: "too old resource version: 1 (7)" } as const;
  const text = `{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n${JSON.stringify({ type: "ERROR", object: status })}\n`;
  const events = watchEvents(whole(text));
  expect((await events.next()).value).toMatchObject({ type: "ADDED", object: { metadata: { name: "a" } } });
  expect(await rejectionOf(events.next())).toEqual(ApiError.fromStatus(status));
});

test.each(["{", "[]", "1", '{"type":"ADDED"}'])("%j is not an event", async (line) => {
  expect((await rejectionOf(watchEvents(whole(`${line}\n`)).next())).message).toMatch(/not/);
});

test("a line without an end is refused before it fills the memory", async () => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    const chunk = new Uint8Array(1 << 20).fill(97);
    for (;;) yield chunk;
  }
  expect((await rejectionOf(lines(endless()).next())).message).toMatch(/line of over/);
});
