import { CASES } from "./cases.ts";
import { cpu, entryOf, type Figure, p99, rate, ratioTo, ratioToBetter } from "./figures.ts";
import type { CaseResult } from "./run-case.ts";

/** A figure that Bowline is to reach. */
export interface Target {
  readonly caseName: string;
  readonly what: string;
  readonly limit: string;
  /** NaN when not measured. */
  readonly measured: (results: readonly CaseResult[]) => number;
  readonly met: (measured: number) => boolean;
  readonly unit: "ratio" | "MB" | "KB";
}

const SUBJECT = "bowline";

const HTTP2_PROXIES = ["haproxy", "nghttpx"] as const;
const STREAM_BYTES_MAX = 4_000;

/** Where HTTP/2 is spoken. */
const streamCases = CASES.filter(({ mode, load }) => load.kind === "streams" || mode === "chain").map(
  ({ name }) => name,
);
const requestCases = CASES.filter(({ mode, load }) => load.kind === "requests" && mode !== "chain").map(
  ({ name }) => name,
);

export const TARGETS: readonly Target[] = [
  atMost("CPU per request, of haproxy (mode http)", "http1-small", cpu, "haproxy", 0.8),
  atMost("CPU per request, of the floor", "http1-small", cpu, "floor", 1.25),
  atMost("CPU per request, of haproxy (mode tcp)", "tcp-small", cpu, "haproxy", 1.0),
  atMost("CPU per GiB, of haproxy (mode tcp)", "tcp-bulk", cpu, "haproxy", 1.0),
  atLeast("bytes per second, of haproxy (mode tcp)", "tcp-bulk", rate, "haproxy", 1.0),
  ...requestCases.map((name) => atMost("P99 latency, of haproxy", name, p99, "haproxy", 1.2)),
  ...streamCases.flatMap((name) => [
    atMostOfBetter("CPU per request", name, cpu, 0.8),
    atMostOfBetter("P99 latency", name, p99, 1),
  ]),
  memoryAtMost("memory-100", 60),
  memoryAtMost("memory-2000", 150),
  memoryAtMost("memory-services", 60),
  {
    caseName: "http2-idle-streams",
    what: "resident memory of an idle stream",
    limit: `≤ ${STREAM_BYTES_MAX / 1e3} KB`,
    measured: (results) =>
      (entryOf(resultOf(results, "http2-idle-streams"), SUBJECT)?.bytesPerStream ?? Number.NaN) / 1e3,
    met: (measured) => measured * 1e3 <= STREAM_BYTES_MAX,
    unit: "KB",
  },
];

function atMost(what: string, caseName: string, figure: Figure, reference: string, limit: number): Target {
  return {
    caseName,
    what,
    limit: `≤ ${limit}`,
    measured: (results) => subjectRatio(results, caseName, figure, reference),
    met: (measured) => measured <= limit,
    unit: "ratio",
  };
}

function atMostOfBetter(what: string, caseName: string, figure: Figure, limit: number): Target {
  return {
    ...atMost(`${what}, of the better of ${HTTP2_PROXIES.join(" and ")}`, caseName, figure, "", limit),
    measured: (results) => {
      const result = resultOf(results, caseName);
      const entry = entryOf(result, SUBJECT);
      if (result === undefined || entry === undefined) return Number.NaN;
      return ratioToBetter(result, entry, HTTP2_PROXIES, figure);
    },
  };
}

function atLeast(what: string, caseName: string, figure: Figure, reference: string, limit: number): Target {
  return {
    ...atMost(what, caseName, figure, reference, limit),
    limit: `≥ ${limit}`,
    met: (measured) => measured >= limit,
  };
}

function memoryAtMost(caseName: string, limitMb: number): Target {
  return {
    caseName,
    what: "resident memory",
    limit: `≤ ${limitMb} MB`,
    measured: (results) => (entryOf(resultOf(results, caseName), SUBJECT)?.memory?.rssBytes ?? Number.NaN) / 1e6,
    met: (measured) => measured <= limitMb,
    unit: "MB",
  };
}

function subjectRatio(results: readonly CaseResult[], caseName: string, figure: Figure, reference: string): number {
  const result = resultOf(results, caseName);
  const entry = entryOf(result, SUBJECT);
  return result === undefined || entry === undefined ? Number.NaN : ratioTo(result, entry, reference, figure);
}

function resultOf(results: readonly CaseResult[], caseName: string): CaseResult | undefined {
  return results.find(({ benchCase }) => benchCase.name === caseName);
}
