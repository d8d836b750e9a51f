import { type Document, isMap, isSeq, LineCounter, type Node, parseAllDocuments, type Tags, visit } from "yaml";
import type { Layout } from "./yaml-layout.ts";

/** A text that is no YAML. */
export class YamlError extends Error {
  override name = "YamlError";
}

/** A document of a stream, as a tree of nodes that know where in the text they stand. */
export type YamlDocument = Document.Parsed;

/**
 * Parses a stream of documents as kubectl does: YAML 1.1, with merge keys.
 *
 * @param name of the input, for messages
 * @param keepSourceTokens what editing the text needs, and nobody else
 * @throws YamlError with line and column, both counted from 1
 */
export function parseYaml(text: string, name: string, keepSourceTokens = true): readonly YamlDocument[] {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, {
    version: "1.1",
    customTags: kubernetesTags,
    keepSourceTokens,
    prettyErrors: false,
    logLevel: "error",
    lineCounter,
  });
  if (!Array.isArray(documents)) return [];
  const refuse = (offset: number, message: string): never => {
    const { line, col } = lineCounter.linePos(offset);
    throw new YamlError(`${name}:${line}:${col}: ${message}`);
  };
  for (const document of documents) {
    const [error] = document.errors;
    if (error !== undefined) refuse(error.pos[0], error.message);
    visit(document, {
      Alias(_key, alias) {
        if (alias.resolve(document) === undefined)
          refuse(alias.range?.[0] ?? 0, `no anchor &${alias.source} before *${alias.source}`);
      },
    });
  }
  return documents;
}

/** Kubernetes reads 1.1 by a library to which times of day and dates are texts. */
function kubernetesTags(tags: Tags): Tags {
  return tags.filter(
    (tag) => typeof tag === "string" || (tag.tag !== "tag:yaml.org,2002:timestamp" && tag.format !== "TIME"),
  );
}

/**
 * The document's value. Nodes that an anchor and its aliases share are the same object.
 *
 * @throws YamlError when aliases would multiply it beyond measure */
export function documentValue(document: YamlDocument, name: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new YamlError(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What the text's first nested map and list, and its first line end, say of its author's habits. */
export function layoutOf(document: YamlDocument, text: string): Layout {
  const columnOf = (node: Node): number => columnAt(text, node.range?.[0] ?? 0);
  let indent = firstColumn(document.contents, text);
  let indentLists: boolean | null = null;
  visit(document, {
    Pair(_key, { key, value }) {
      if (!isNode(key) || !isNode(value)) return;
      const column = firstColumn(value, text);
      if (indent === 0 && column > columnOf(key)) indent = column - columnOf(key);
      if (isSeq(value) && value.flow !== true) indentLists ??= columnOf(value) > columnOf(key);
    },
  });
  return {
    newline: text.includes("\r\n") ? "\r\n" : "\n",
    indent: indent === 0 ? 2 : indent,
    indentLists: indentLists ?? false,
  };
}

/** The column of a map's first key; 0 when there is none, or something else stands before it on its line. */
function firstColumn(node: unknown, text: string): number {
  const key = isMap(node) ? node.items[0]?.key : undefined;
  if (!isNode(key)) return 0;
  const start = key.range?.[0] ?? 0;
  return text.slice(lineStart(text, start), start).trim() === "" ? columnAt(text, start) : 0;
}

/** Counted from 0. */
export function columnAt(text: string, offset: number): number {
  return offset - lineStart(text, offset);
}

export function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

/** Where the next line begins; the text's length on its last line. */
export function nextLine(text: string, offset: number): number {
  const newline = text.indexOf("\n", offset);
  return newline === -1 ? text.length : newline + 1;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "range" in value;
}
