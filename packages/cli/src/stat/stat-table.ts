import type { StatRow } from "@bowline/viz";

export interface TableOptions {
  /** Also bytes per second. */
  readonly wide: boolean;
  /** With a column for the namespace. */
  readonly allNamespaces: boolean;
  /** `deploy/web` in place of `web`, where several kinds are shown. */
  readonly prefix: string | null;
}

/**
 * One kind's rows as Linkerd prints them: the first column to the left, the others to the right, three spaces apart; `-` where there
 * was nothing to measure.
 */
export function statTable(rows: readonly StatRow[], options: TableOptions): string {
  const showStatus = rows.some(({ status }) => status !== undefined);
  const header = [
    ...(options.allNamespaces ? ["NAMESPACE"] : []),
    "NAME",
    ...(showStatus ? ["STATUS"] : []),
    "MESHED",
    "SUCCESS",
    "RPS",
    "LATENCY_P50",
    "LATENCY_P95",
    "LATENCY_P99",
    "TCP_CONN",
    ...(options.wide ? ["READ_BYTES/SEC", "WRITE_BYTES/SEC"] : []),
  ];
  return align([header, ...rows.map((row) => cellsOf(row, options, showStatus))], options.allNamespaces ? 2 : 1);
}

function cellsOf(row: StatRow, options: TableOptions, showStatus: boolean): string[] {
  const { requests, tcp, meshed } = row;
  return [
    ...(options.allNamespaces ? [row.namespace] : []),
    options.prefix === null ? row.name : `${options.prefix}/${row.name}`,
    ...(showStatus ? [row.status ?? ""] : []),
    meshed === undefined ? "-" : `${meshed.meshed}/${meshed.total}`,
    requests === undefined ? "-" : `${(requests.success * 100).toFixed(2)}%`,
    requests === undefined ? "-" : `${requests.rps.toFixed(1)}rps`,
    ...[requests?.latencyMs.p50, requests?.latencyMs.p95, requests?.latencyMs.p99].map(milliseconds),
    tcp === undefined ? "-" : String(Math.round(tcp.open)),
    ...(options.wide
      ? [tcp?.readBytesPerSecond, tcp?.writeBytesPerSecond].map((rate) =>
          rate === undefined ? "-" : `${rate.toFixed(1)}B/s`,
        )
      : []),
  ];
}

function milliseconds(value: number | null | undefined): string {
  return value === null || value === undefined ? "-" : `${Math.round(value)}ms`;
}

/** Cells of the first `left` columns to the left. */
function align(lines: readonly (readonly string[])[], left: number): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  return lines
    .map((cells) =>
      cells
        .map((cell, column) => (column < left ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join("   ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}
