import { stringify } from "yaml";

/** How a document is laid out, so that what is added to it looks like the rest. */
export interface Layout {
  readonly newline: "\n" | "\r\n";
  /** Columns that a map within a map is indented by. */
  readonly indent: number;
  /** Whether lists in maps are indented as maps are, or begin at the key's column. */
  readonly indentLists: boolean;
}

/** `key: value` in block style, every line indented by `column`; without the last newline. */
export function renderPair(key: string, value: unknown, column: number, layout: Layout): string {
  return indented(toYaml({ [key]: value }, layout), column, layout);
}

/** `- value` in block style, every line indented by `column`; without the last newline. */
export function renderItem(value: unknown, column: number, layout: Layout): string {
  return indented(toYaml([value], layout), column, layout);
}

/** A whole document, without the last newline. */
export function renderDocument(value: unknown, layout: Layout): string {
  return indented(toYaml(value, layout), 0, layout);
}

/**
 * A value in flow style, that is, as JSON: on one line, or on several, of which all but the first are indented by
 * `column`.
 */
export function renderFlow(value: unknown, column: number | null, layout: Layout): string {
  if (column === null) return JSON.stringify(value);
  return JSON.stringify(value, null, layout.indent).replaceAll("\n", layout.newline + " ".repeat(column));
}

/**
 * YAML that means the same to parsers of 1.1, which kubectl is, and of 1.2. Repeated values become no anchors, and long
 * texts are not folded.
 */
function toYaml(value: unknown, layout: Layout): string {
  return stringify(value, {
    version: "1.1",
    compat: "core",
    aliasDuplicateObjects: false,
    lineWidth: 0,
    indent: layout.indent,
    indentSeq: layout.indentLists,
  });
}

function indented(text: string, column: number, layout: Layout): string {
  const margin = " ".repeat(column);
  const lines = text.replace(/\n$/, "").split("\n");
  return lines.map((line) => (line === "" ? line : margin + line)).join(layout.newline);
}
