import type { Traffic, TrafficSource } from "./traffic.ts";

const COLUMNS = [
  { title: "req/s", width: 8 },
  { title: "success", width: 9 },
  { title: "P50 ms", width: 8 },
  { title: "P95 ms", width: 8 },
  { title: "P99 ms", width: 8 },
  { title: "open", width: 6 },
] as const;

const LABEL_WIDTH = 32;

export function tableHead(): string {
  return "".padEnd(LABEL_WIDTH) + COLUMNS.map(({ title, width }) => title.padStart(width)).join("");
}

/** One line, as wide as the head. */
export function tableRow({ label }: TrafficSource, traffic: Traffic): string {
  const { requestsPerSecond, successRate, p50Ms, p95Ms, p99Ms, open } = traffic;
  const cells = [
    requestsPerSecond.toFixed(1),
    Number.isNaN(successRate) ? "-" : `${(100 * successRate).toFixed(1)} %`,
    ...[p50Ms, p95Ms, p99Ms].map((ms) => (Number.isNaN(ms) ? "-" : ms.toFixed(1))),
    String(open),
  ];
  return label.padEnd(LABEL_WIDTH) + cells.map((cell, i) => cell.padStart(COLUMNS[i]?.width ?? 0)).join("");
}
