import { expect, test } from "bun:test";
import { CASES } from "./cases.ts";
import type { Competitor } from "./competitors/index.ts";
import { formatCase, formatResults, formatTargets } from "./report.ts";
import type { CaseResult, Entry, Sample } from "./run-case.ts";

/** CPU µs per request of each round; P99 is a hundred times that. */
function entry(name: string, cpuByRound: number[], more: Partial<Entry> = {}): Entry {
  const competitor: Competitor = {
    name,
    configuration: "as it is",
    modes: ["http", "http2", "tcp"],
    absence: () => null,
    command: (_lab, { proxyPort }) => ({ argv: [name], port: proxyPort }),
  };
  const samples = cpuByRound.map(
    (us): Sample => ({
      userUsPerUnit: us / 4,
      systemUsPerUnit: (us * 3) / 4,
      unitsPerSecond: 1e6 / us,
      p50Us: us * 50,
      p99Us: us * 100,
      errors: 0,
    }),
  );
  return { competitor, samples, memory: null, bytesPerStream: null, absence: null, failure: null, ...more };
}

function result(caseName: string, entries: Entry[]): CaseResult {
  return { benchCase: CASES.find(({ name }) => name === caseName)!, entries };
}

/** The cells of the table row that starts with these cells. */
function row(text: string, ...start: string[]): string[] | undefined {
  const rows = text.split("\n").map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return rows.find((cells) => start.every((cell, at) => cells[at] === cell));
}

test("a case's table holds medians, the range and paired ratios", () => {
  const text = formatCase(
    result("http1-small", [
      entry("haproxy", [20, 40, 30]),
      entry("floor", [10, 20, 15]),
      entry("bowline", [16, 32, 24]),
    ]),
  );
  expect(row(text, "bowline")?.slice(1, 6)).toEqual(["24.0 (16.0–32.0)", "6.0", "18.0", "0.80", "1.60"]);
  expect(row(text, "haproxy")?.[4]).toBe("1.00");
});

test("who was left out or failed has no row but a reason, and nobody is compared with who failed", () => {
  const text = formatCase(
    result("http1-small", [
      entry("haproxy", [20], { failure: "a wrong body\nand more" }),
      entry("nginx", [], { absence: "not here" }),
      entry("bowline", [16]),
    ]),
  );
  expect(text).toContain("- haproxy: could not be measured: a wrong body\n");
  expect(text).toContain("- nginx: left out: not here.");
  expect(row(text, "haproxy")).toBeUndefined();
  expect(row(text, "bowline")?.[4]).toBe("–");
});

const verdicts: { name: string; bowlineCpu: number[]; want: string[] }[] = [
  { name: "met at the limit", bowlineCpu: [16], want: ["0.800", "met"] },
  { name: "not met", bowlineCpu: [17], want: ["0.850", "NOT MET"] },
  { name: "not measured", bowlineCpu: [], want: ["–", "not measured"] },
];
for (const { name, bowlineCpu, want } of verdicts) {
  test(`a target: ${name}`, () => {
    const text = formatTargets([result("http1-small", [entry("haproxy", [20]), entry("bowline", bowlineCpu)])]);
    expect(row(text, "http1-small", "CPU per request, of haproxy (mode http)", "≤ 0.8")?.slice(3)).toEqual(want);
    expect(text).not.toContain("tcp-bulk");
  });
}

test("memory is judged in MB of a million bytes", () => {
  const memory = { rssBytes: 61e6, pssBytes: 50e6, anonymousBytes: 40e6, peakRssBytes: 70e6 };
  const text = formatTargets([result("memory-100", [entry("bowline", [], { memory })])]);
  expect(row(text, "memory-100")?.slice(2)).toEqual(["≤ 60 MB", "61.0", "NOT MET"]);
});

test("a target of the better of two: the lower figure of each round counts, and both must be there", () => {
  const entries = [entry("haproxy", [10, 20]), entry("nghttpx", [20, 10]), entry("bowline", [7, 9])];
  const what = "CPU per request, of the better of haproxy and nghttpx";
  const reached = (some: Entry[]) =>
    row(formatTargets([result("http2-small-1", some)]), "http2-small-1", what)?.slice(3);
  expect(reached(entries)).toEqual(["0.800", "met"]);
  expect(reached(entries.toSpliced(1, 1))).toEqual(["–", "not measured"]);
  expect(reached(entries.with(0, entry("haproxy", [10, 20], { failure: "a wrong body" })))).toEqual([
    "–",
    "not measured",
  ]);
});

test("an idle stream is judged in KB of a thousand bytes", () => {
  const text = formatTargets([result("http2-idle-streams", [entry("bowline", [], { bytesPerStream: 4_100 })])]);
  expect(row(text, "http2-idle-streams")?.slice(2)).toEqual(["≤ 4 KB", "4.1", "NOT MET"]);
});

test("the results name machine, versions, command and every configuration", () => {
  const run = {
    date: "2026-01-02",
    command: "make bench",
    machine: "M",
    versions: "V",
    rounds: 5,
    secondsEach: 4,
    loadBefore: 0.6,
  };
  const text = formatResults(run, [result("http1-small", [entry("haproxy", [20]), entry("bowline", [16])])]);
  for (const part of [
    "2026-01-02",
    "`make bench`",
    "Machine: M.",
    "Versions: V.",
    "- bowline: as it is.",
    "others were at work",
  ])
    expect(text).toContain(part);
});
