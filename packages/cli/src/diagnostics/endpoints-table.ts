import type { ComparedRow } from "./endpoints.ts";

const HEADER = ["NAMESPACE", "IP", "PORT", "POD", "SERVICE"];
const GAP = "   ";

/** Linkerd's columns, and with a proxy to compare with, one more. A table for each namespace. */
export function endpointsTable(rows: readonly ComparedRow[], compared: boolean): string {
  const namespaces = [...new Set(rows.map(({ namespace }) => namespace))].sort();
  const header = compared ? [...HEADER, "PROXY"] : HEADER;
  const tables = namespaces.map((namespace) =>
    rows.filter((row) => row.namespace === namespace).map((row) => cellsOf(row, compared)),
  );
  const lines = [header, ...tables.flat()];
  const widths = header.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  const print = (cells: readonly string[]): string =>
    `${cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(GAP)
      .trimEnd()}\n`;
  return tables.map((cells) => [header, ...cells].map(print).join("")).join("\n");
}

export function endpointsJson(rows: readonly ComparedRow[]): string {
  const shown = rows.map(({ authority: _authority, proxy, ...row }) => (proxy === "" ? row : { ...row, proxy }));
  return `${JSON.stringify(shown, null, 2)}\n`;
}

function cellsOf({ namespace, ip, port, pod, service, proxy }: ComparedRow, compared: boolean): string[] {
  const cells = [namespace, ip, String(port), pod, service];
  return compared ? [...cells, proxy] : cells;
}
