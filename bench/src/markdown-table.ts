/** A Markdown table padded so that it also reads well in a terminal; the first column to the left, the others to the right. */
export function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(...[title, ...rows.map((row) => row[column] ?? "")].map((text) => text.length), 3),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((columnWidth, column) => padded(cells[column] ?? "", columnWidth, column)).join(" | ")} |`;
  const rule = widths.map((columnWidth, column) =>
    column === 0 ? "-".repeat(columnWidth) : `${"-".repeat(columnWidth - 1)}:`,
  );
  return [line(header), line(rule), ...rows.map(line)].join("\n");
}

function padded(text: string, columnWidth: number, column: number): string {
  const space = " ".repeat(columnWidth - text.length);
  return column === 0 ? text + space : space + text;
}
