import { expect, test } from "bun:test";
import { BodyKind, ChunkError } from "@bowline/wire";
import { array, assert, nat, property } from "fast-check";
import { BodyReader } from "./body-reader.ts";

interface Row {
  readonly name: string;
  readonly kind: BodyKind;
  readonly length?: number;
  readonly input: string;
  /** Bytes of the input that are the body's. */
  readonly taken: number;
  readonly done: boolean;
  readonly error?: ChunkError;
}

const CHUNKED = "4\r\nabcd\r\n0\r\n\r\n";
const TRAILERS = "A;x=y\r\n0123456789\r\n0\r\nx: y\r\n\r\n";
const ROWS: readonly Row[] = [
  { name: "none", kind: BodyKind.None, input: "GET /", taken: 0, done: true },
  { name: "length", kind: BodyKind.Length, length: 3, input: "abcGET", taken: 3, done: true },
  { name: "length, some missing", kind: BodyKind.Length, length: 9, input: "abc", taken: 3, done: false },
  { name: "chunked", kind: BodyKind.Chunked, input: `${CHUNKED}GET`, taken: CHUNKED.length, done: true },
  { name: "trailers", kind: BodyKind.Chunked, input: `${TRAILERS}GET`, taken: TRAILERS.length, done: true },
  { name: "half a chunk line", kind: BodyKind.Chunked, input: "4\r\nabcd\r\n1", taken: 9, done: false },
  {
    name: "no chunk size",
    kind: BodyKind.Chunked,
    input: "x\r\n",
    taken: 0,
    done: false,
    error: ChunkError.BadChunkSize,
  },
  { name: "until close", kind: BodyKind.Close, input: "anything", taken: 8, done: false },
];

test.each(ROWS)("a body of kind $name: how far it goes, and whether that is its end", (row) => {
  const reader = new BodyReader();
  reader.begin(row.kind, row.length ?? 0);
  const bytes = Buffer.from(`__${row.input}`);
  expect(reader.take(bytes, 2, bytes.length) - 2).toBe(row.taken);
  expect([reader.done, reader.endsByClose]).toEqual([row.done, row.kind === BodyKind.Close]);
  expect(reader.error).toBe(row.error ?? ChunkError.None);
});

test("cut anywhere, with the untaken rest presented again, a body has the same end", () => {
  assert(
    property(array(nat(7), { maxLength: 40 }), (cuts) => {
      for (const { kind, length = 0, input, taken, done, error } of ROWS) {
        if (error !== undefined) continue;
        const bytes = Buffer.from(input);
        const reader = new BodyReader();
        reader.begin(kind, length);
        let at = 0;
        let seen = 0;
        for (const cut of [...cuts, input.length]) {
          seen = Math.min(input.length, seen + cut);
          at = reader.take(bytes, at, seen);
        }
        expect([at, reader.done]).toEqual([taken, done]);
      }
    }),
  );
});

test("plain bytes are those of a length that need not be looked at; skipping them all ends the body", () => {
  const reader = new BodyReader();
  reader.begin(BodyKind.Length, 10);
  expect(reader.take(Buffer.from("abcd"), 0, 4)).toBe(4);
  expect(reader.plainBytes).toBe(6);
  reader.skip(5);
  expect([reader.plainBytes, reader.done]).toEqual([1, false]);
  reader.skip(1);
  expect([reader.plainBytes, reader.done]).toEqual([0, true]);
  reader.begin(BodyKind.Chunked, 0);
  expect(reader.plainBytes).toBe(0);
});
