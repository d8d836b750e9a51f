import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Http2Stream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

function streamOf(id: number): Http2Stream<null> {
  const stream = new Http2Stream<null>();
  stream.id = id;
  return stream;
}

describe("a table of streams", () => {
  test("holds what a map holds, whatever comes and goes", () => {
    const id = fc.oneof(fc.nat({ max: 60 }), fc.nat({ max: 0x3fff_ffff })).map((n) => n * 2 + 1);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), id), { maxLength: 400 }), (steps) => {
        const table = new StreamTable<null>();
        const map = new Map<number, Http2Stream<null>>();
        for (const [put, id] of steps) {
          const known = map.get(id);
          expect(table.get(id)).toBe(known ?? null);
          if (put && known === undefined) {
            map.set(id, streamOf(id));
            table.put(map.get(id)!);
          } else if (!put && known !== undefined) {
            map.delete(id);
            table.remove(known);
          }
        }
        for (const [id, stream] of map) expect(table.get(id)).toBe(stream);
        expect(table.count).toBe(map.size);
        expect(new Set(table.list())).toEqual(new Set(map.values()));
      }),
    );
  });

  test("finds ids that a peer chose to collide about as fast as others", () => {
    const inARow = Array.from({ length: 8192 }, (_, i) => i * 2 + 1);
    const chosen = inARow.map((_, i) => i * 0x2_0000 + 1);
    // All in one row of the table, a search would take 4096 steps and not one or two.
    expect(searchMs(chosen)).toBeLessThan(50 * searchMs(inARow) + 20);
  });
});

/** The best of a few rounds of finding every id. */
function searchMs(ids: readonly number[]): number {
  const table = new StreamTable<null>();
  for (const id of ids) table.put(streamOf(id));
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20; round++) {
    const before = performance.now();
    for (const id of ids) table.get(id);
    best = Math.min(best, performance.now() - before);
  }
  return best;
}
