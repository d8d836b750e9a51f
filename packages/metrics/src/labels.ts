export type LabelPair = readonly [name: string, value: string];

/**
 * The label text of a series without braces, in the caller's order, built once when the series is made:
 * `labels([["direction", "inbound"], ["peer", "src"]])` is `direction="inbound",peer="src"`.
 * A lone surrogate cannot be written as UTF-8 and becomes U+FFFD here, so that equal texts stay equal series.
 */
export function labels(pairs: readonly LabelPair[]): string {
  let text = "";
  for (const [name, value] of pairs) {
    if (text !== "") text += ",";
    text += `${name}="${escapeLabelValue(value)}"`;
  }
  return text;
}

/** Joins ready-made label texts, skipping empty ones, so that no `,,` and no trailing comma can appear. */
export function joinLabels(...texts: readonly string[]): string {
  return texts.filter((text) => text !== "").join(",");
}

/** Reads label text back into pairs; null if it is not valid label text. A trailing comma is allowed, as Prometheus does. */
export function parseLabels(text: string): LabelPair[] | null {
  const pairs: LabelPair[] = [];
  let at = 0;
  while (at < text.length) {
    LABEL.lastIndex = at;
    const match = LABEL.exec(text);
    if (match === null) return null;
    pairs.push([match[1] ?? "", unescapeText(match[2] ?? "")]);
    at = LABEL.lastIndex;
  }
  return pairs;
}

// name, "=", quoted value in which a backslash escapes the next character, then a comma or the end.
const LABEL = /[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:\\.|[^"\\])*)"[ \t]*(?:,[ \t]*|$)/sy;
const NEEDS_ESCAPE = /[\\"\n]/g;
const ESCAPED = /\\(.)/gs;

function escapeLabelValue(value: string): string {
  return value.toWellFormed().replace(NEEDS_ESCAPE, (char) => (char === "\n" ? "\\n" : `\\${char}`));
}

/** Undoes the backslash escapes of label values and HELP texts. */
export function unescapeText(escaped: string): string {
  return escaped.replace(ESCAPED, (_, char: string) => (char === "n" ? "\n" : char));
}
