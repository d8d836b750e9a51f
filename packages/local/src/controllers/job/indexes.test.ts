import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatIndexes, parseIndexes } from "./indexes.ts";

describe("completed indexes", () => {
  const rows: [number[], string][] = [
    [[], ""],
    [[3], "3"],
    [[1, 0], "0,1"],
    [[0, 1, 2, 5, 7, 8, 9], "0-2,5,7-9"],
  ];
  test.each(rows)("%p is written %p", (indexes, text) => {
    expect(formatIndexes(indexes)).toBe(text);
    expect(parseIndexes(text)).toEqual([...indexes].sort((a, b) => a - b));
  });

  test("come back as they were", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(60)), (indexes) => {
        expect(parseIndexes(formatIndexes(indexes))).toEqual([...indexes].sort((a, b) => a - b));
      }),
    );
  });
});
