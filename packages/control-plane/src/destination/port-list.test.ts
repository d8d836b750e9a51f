import { expect, test } from "bun:test";
import { parsePortList } from "./port-list.ts";

const NAMED = new Map([
  ["", 9999],
  ["http", 8080],
  ["https-2", 8443],
]);

const ROWS: { text: string; has: number[]; hasNot: number[] }[] = [
  { text: "", has: [], hasNot: [1, 80, 9999, 65_535] },
  { text: "80", has: [80], hasNot: [79, 81, 8080] },
  { text: "80,443", has: [80, 443], hasNot: [81] },
  { text: "80-82,443,", has: [80, 81, 82, 443], hasNot: [79, 83, 9999] },
  { text: " 80 , 443 ", has: [80, 443], hasNot: [] },
  { text: "http,https-2", has: [8080, 8443], hasNot: [80] },
  { text: "nobody,80", has: [80], hasNot: [8080] },
  { text: "0,80", has: [80], hasNot: [0] },
  { text: "90-80,81", has: [81], hasNot: [80, 85, 90] },
  { text: "80-65536,81", has: [81], hasNot: [80, 82] },
  { text: "80-,81", has: [81], hasNot: [80] },
];

test.each(ROWS)("%o", ({ text, has, hasNot }) => {
  const list = parsePortList(text, NAMED);
  expect(has.filter((port) => !list.has(port))).toEqual([]);
  expect(hasNot.filter((port) => list.has(port))).toEqual([]);
});
