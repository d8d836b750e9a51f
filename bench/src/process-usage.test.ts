import { expect, test } from "bun:test";
import { parseKilobytes, parseStat, readCpuTime, readMemory, treeOf } from "./process-usage.ts";

const REST = "20 0 1 0 100 200 300";
const stats: { name: string; line: string; want: ReturnType<typeof parseStat> }[] = [
  {
    name: "a plain name",
    line: `12 (nginx) S 3 12 12 0 -1 64 1 2 3 4 250 75 8 9 ${REST}`,
    want: { pid: 12, parentPid: 3, userUs: 2_500_000, systemUs: 750_000 },
  },
  {
    name: "a name with spaces and parentheses",
    line: `7 (a) S 9 (b) c) R 1 7 7 0 -1 64 1 2 3 4 0 1 8 9 ${REST}`,
    want: { pid: 7, parentPid: 1, userUs: 0, systemUs: 10_000 },
  },
  { name: "a cut line", line: "7 (x) S 1", want: null },
  { name: "nothing", line: "", want: null },
];
for (const { name, line, want } of stats) {
  test(`a stat line with ${name}`, () => {
    expect(parseStat(line)).toEqual(want);
  });
}

test("kilobytes are found by their exact name", () => {
  const text = "Rss:          10 kB\nPss:           4 kB\nPss_Anon:      2 kB\n";
  expect(parseKilobytes(text, "Rss")).toBe(10_240);
  expect(parseKilobytes(text, "Pss")).toBe(4_096);
  expect(parseKilobytes(text, "Swap")).toBe(0);
});

test("a tree holds grandchildren listed before their parents, and nobody else", () => {
  const line = (pid: number, parentPid: number) => ({ pid, parentPid, userUs: 0, systemUs: 0 });
  const all = [line(4, 3), line(3, 2), line(2, 1), line(9, 1), line(1, 0)];
  expect(treeOf(2, all).map(({ pid }) => pid)).toEqual([4, 3, 2]);
  expect(treeOf(5, all)).toEqual([]);
});

test("this process has used time and memory", () => {
  const { userUs, systemUs } = readCpuTime([process.pid]);
  expect(userUs + systemUs).toBeGreaterThan(0);
  const { rssBytes, pssBytes, peakRssBytes } = readMemory([process.pid]);
  expect(rssBytes).toBeGreaterThanOrEqual(pssBytes);
  expect(pssBytes).toBeGreaterThan(1_000_000);
  expect(peakRssBytes).toBeGreaterThan(1_000_000);
});

test("a process that is gone is an error, not zero", () => {
  // Linux pids end at 2^22.
  expect(() => readCpuTime([2 ** 22 + 1])).toThrow("has ended");
});
