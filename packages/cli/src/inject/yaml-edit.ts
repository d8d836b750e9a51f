import {
  type Alias,
  type CST,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { isMapObject } from "./map-object.ts";
import { type Layout, renderDocument, renderFlow, renderItem, renderPair } from "./yaml-layout.ts";
import { columnAt, layoutOf, lineStart, nextLine, type YamlDocument } from "./yaml-text.ts";

/** A range of the text that is replaced; empty ranges insert. */
export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

type JsonMap = Readonly<Record<string, unknown>>;

/** Something in the text that can't be edited in place: the node around it is written anew. */
class Rewrite extends Error {}

/**
 * The edits that make a document mean `after` in place of `before`, leaving every byte between them alone.
 *
 * @param before the document's value
 * @param after the wanted value, which shares all that is unchanged with `before`, by reference
 */
export function editsFor(document: YamlDocument, text: string, before: unknown, after: unknown): readonly TextEdit[] {
  return new YamlEditor(document, text).run(before, after);
}

/** The edit that writes a whole document anew, comments lost: for what can't be edited in place. */
export function rewriteOf(document: YamlDocument, text: string, after: unknown): TextEdit {
  const layout = layoutOf(document, text);
  const [start, end] = document.contents?.range ?? [0, 0];
  const rendered =
    isContainer(document.contents) && document.contents.flow === true
      ? renderFlow(after, 0, layout)
      : renderDocument(after, layout);
  return { start, end, text: text[end - 1] === "\n" ? rendered + layout.newline : rendered };
}

/** Edits must not overlap; several insertions at one place keep their order. */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  // The sort is stable. Where something is removed and something else inserted, the insertion is first.
  const sorted = [...edits].sort((a, b) => a.start - b.start || Number(a.end > a.start) - Number(b.end > b.start));
  let result = "";
  let at = 0;
  for (const edit of sorted) {
    result += text.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  result += text.slice(at);
  // When the last line went, and had no end, the line before it is the last.
  return text.endsWith("\n") ? result : result.replace(/\r?\n$/, "");
}

class YamlEditor {
  readonly #document: YamlDocument;
  readonly #text: string;
  readonly #layout: Layout;
  #edits: TextEdit[] = [];
  /** Anchored nodes whose text is edited: their aliases would change with them. */
  readonly #changedAnchors: Set<unknown> = new Set();

  constructor(document: YamlDocument, text: string) {
    this.#document = document;
    this.#text = text;
    this.#layout = layoutOf(document, text);
  }

  run(before: unknown, after: unknown): readonly TextEdit[] {
    const root = this.#document.contents;
    if (root === null || before === after) return [];
    const done = this.#attempt(() => {
      this.#change(root, before, after);
      this.#expandAliases();
    });
    return done ? this.#edits : [rewriteOf(this.#document, this.#text, after)];
  }

  #change(node: Node, before: unknown, after: unknown): void {
    if ("anchor" in node && node.anchor !== undefined) this.#changedAnchors.add(node);
    if (isMap(node) && isMapObject(before) && isMapObject(after)) this.#changeMap(node, before, after);
    else if (isSeq(node) && Array.isArray(before) && Array.isArray(after)) this.#changeList(node, before, after);
    else throw new Rewrite();
  }

  #changeMap(map: YAMLMap, before: JsonMap, after: JsonMap): void {
    const removed: (Pair | undefined)[] = [];
    for (const key of Object.keys(before)) {
      const pair = findPair(map, key);
      if (!Object.hasOwn(after, key)) removed.push(pair);
      // What a merge key brings is overruled by a key of the map's own.
      else if (before[key] !== after[key]) {
        if (pair === undefined) this.#addPair(map, key, after[key]);
        else this.#changePair(map, pair, key, before[key], after[key]);
      }
    }
    this.#removePairs(map, removed);
    for (const key of Object.keys(after)) if (!Object.hasOwn(before, key)) this.#addPair(map, key, after[key]);
  }

  #changePair(map: YAMLMap, pair: Pair, key: string, before: unknown, after: unknown): void {
    const value = pair.value;
    const inPlace = isContainer(value) && value.items.length > 0;
    if (inPlace && this.#attempt(() => this.#change(value, before, after))) return;
    const start = nodeStart(pair.key);
    const end = this.#endOfPair(pair);
    if (map.flow === true) this.#replace(start, end, this.#flowPair(map, key, after));
    else this.#replaceLines(start, end, renderPair(key, after, columnAt(this.#text, start), this.#layout));
  }

  #addPair(map: YAMLMap, key: string, value: unknown): void {
    const [first] = map.items;
    const last = map.items.at(-1);
    if (first === undefined || last === undefined) throw new Rewrite();
    const end = this.#endOfPair(last);
    if (map.flow === true) this.#addToFlow(map, end, this.#flowPair(map, key, value));
    else this.#insertAfter(end, renderPair(key, value, columnAt(this.#text, nodeStart(first.key)), this.#layout));
  }

  #removePairs(map: YAMLMap, pairs: readonly (Pair | undefined)[]): void {
    if (pairs.length === 0) return;
    const gone = map.items.map((pair) => pairs.includes(pair));
    // A pair that is not there came by a merge key, which can't be kept from bringing it.
    if (pairs.includes(undefined) || !gone.includes(false)) throw new Rewrite();
    if (map.flow === true) {
      this.#removeFromFlow(
        map.items.map((pair) => [nodeStart(pair.key), this.#endOfPair(pair)]),
        gone,
      );
    } else {
      for (const pair of pairs) if (pair !== undefined) this.#removeLines(nodeStart(pair.key), this.#endOfPair(pair));
    }
  }

  /** Unchanged items are found by reference; what stands between them in `after` is new. */
  #changeList(list: YAMLSeq, before: readonly unknown[], after: readonly unknown[]): void {
    const removed: number[] = [];
    let next = 0;
    for (const [index, item] of before.entries()) {
      const found = after.indexOf(item, next);
      if (found !== -1) {
        for (const added of after.slice(next, found)) this.#insertItem(list, index, added);
        next = found + 1;
      } else if (next < after.length && before.length === after.length) {
        this.#changeItem(list, index, item, after[next]);
        next += 1;
      } else removed.push(index);
    }
    this.#removeItems(list, removed);
    for (const added of after.slice(next)) this.#insertItem(list, list.items.length, added);
  }

  #changeItem(list: YAMLSeq, index: number, before: unknown, after: unknown): void {
    const item: unknown = list.items[index];
    if (isContainer(item) && this.#attempt(() => this.#change(item, before, after))) return;
    if (list.flow === true) {
      this.#replace(nodeStart(item), nodeEnd(item), renderFlow(after, this.#flowColumn(list), this.#layout));
    } else {
      const dash = dashOf(list, index);
      const rendered = renderItem(after, columnAt(this.#text, dash), this.#layout);
      this.#replaceLines(dash, this.#endOfItem(list, index), rendered);
    }
  }

  #insertItem(list: YAMLSeq, index: number, value: unknown): void {
    const last = list.items.at(-1);
    if (list.flow === true) {
      if (last === undefined || index < list.items.length) throw new Rewrite();
      this.#addToFlow(list, nodeEnd(last), renderFlow(value, this.#flowColumn(list), this.#layout));
    } else if (index > 0) {
      this.#insertAfter(this.#endOfItem(list, index - 1), this.#itemOf(list, value));
    } else {
      const start = lineStart(this.#text, dashOf(list, 0));
      if (!this.#isBlank(start, dashOf(list, 0))) throw new Rewrite();
      const at = this.#startOfComments(start);
      this.#replace(at, at, this.#itemOf(list, value) + this.#layout.newline);
    }
  }

  #itemOf(list: YAMLSeq, value: unknown): string {
    return renderItem(value, columnAt(this.#text, dashOf(list, 0)), this.#layout);
  }

  #removeItems(list: YAMLSeq, indexes: readonly number[]): void {
    if (indexes.length === 0) return;
    const gone = list.items.map((_item, index) => indexes.includes(index));
    if (!gone.includes(false)) throw new Rewrite();
    if (list.flow === true)
      this.#removeFromFlow(
        list.items.map((item) => [nodeStart(item), nodeEnd(item)]),
        gone,
      );
    else for (const index of indexes) this.#removeLines(dashOf(list, index), this.#endOfItem(list, index));
  }

  /** Each item goes with what separates it from the next one that stays, or at the end from the one before. */
  #removeFromFlow(ranges: readonly (readonly [start: number, end: number])[], gone: readonly boolean[]): void {
    const lastKept = gone.lastIndexOf(false);
    const [, keptEnd = 0] = ranges[lastKept] ?? [];
    const [, end = 0] = ranges.at(-1) ?? [];
    for (const [index, [start]] of ranges.entries()) {
      const [next] = ranges[index + 1] ?? [];
      if (gone[index] === true && index < lastKept && next !== undefined) this.#replace(start, next, "");
    }
    if (keptEnd < end) this.#replace(keptEnd, end, "");
  }

  /** Comments on the lines above a line belong to what stands on it. */
  #startOfComments(line: number): number {
    if (line === 0) return line;
    const previous = lineStart(this.#text, line - 1);
    return /^[ \t]*#/.test(this.#text.slice(previous, line)) ? this.#startOfComments(previous) : line;
  }

  /** Makes edits, or none of them when one is not possible. */
  #attempt(edit: () => void): boolean {
    const made = this.#edits.length;
    try {
      edit();
      return true;
    } catch (error) {
      if (!(error instanceof Rewrite)) throw error;
      this.#edits = this.#edits.slice(0, made);
      return false;
    }
  }

  /** Other places that share an edited node by an alias get a copy of what it was. */
  #expandAliases(): void {
    if (this.#changedAnchors.size === 0) return;
    visit(this.#document, {
      Pair: (_key, pair, path) => {
        if (isAlias(pair.value) && this.#isStale(pair.value)) this.#expandInPair(pair, pair.value, path.at(-1));
      },
      Seq: (_key, list) => {
        for (const [index, item] of list.items.entries()) {
          if (isAlias(item) && this.#isStale(item)) this.#expandInList(list, index, item);
        }
      },
    });
  }

  #expandInPair(pair: Pair, alias: Alias, map: unknown): void {
    const start = nodeStart(pair.key);
    // A merge key takes a map in flow style as well, and would be a mere text once it was rendered.
    const isMerge = this.#text.slice(start, nodeEnd(pair.key)) === "<<";
    if (isMerge || !isMap(map) || map.flow === true || !isScalar(pair.key)) {
      this.#expandInline(alias);
    } else {
      const value: unknown = alias.toJS(this.#document);
      const rendered = renderPair(String(pair.key.value), value, columnAt(this.#text, start), this.#layout);
      this.#replaceLines(start, this.#endOfPair(pair), rendered);
    }
  }

  #expandInList(list: YAMLSeq, index: number, alias: Alias): void {
    if (list.flow === true) this.#expandInline(alias);
    else {
      const rendered = this.#itemOf(list, alias.toJS(this.#document));
      this.#replaceLines(dashOf(list, index), this.#endOfItem(list, index), rendered);
    }
  }

  #expandInline(alias: Alias): void {
    this.#replace(nodeStart(alias), nodeEnd(alias), renderFlow(alias.toJS(this.#document), null, this.#layout));
  }

  #isStale(alias: Alias): boolean {
    const start = nodeStart(alias);
    const replaced = this.#edits.some((edit) => edit.start <= start && start < edit.end);
    return !replaced && this.#changedAnchors.has(alias.resolve(this.#document));
  }

  #flowPair(map: YAMLMap, key: string, value: unknown): string {
    return `${JSON.stringify(key)}: ${renderFlow(value, this.#flowColumn(map), this.#layout)}`;
  }

  /** Where the items of a flow collection begin if each has a line of its own; null when they share one. */
  #flowColumn(collection: Container): number | null {
    const [first] = collection.items;
    const start = isPair(first) ? nodeStart(first.key) : nodeStart(first);
    const line = lineStart(this.#text, start);
    return line > nodeStart(collection) && this.#isBlank(line, start) ? start - line : null;
  }

  #addToFlow(collection: Container, end: number, rendered: string): void {
    const column = this.#flowColumn(collection);
    const gap = column === null ? " " : this.#layout.newline + " ".repeat(column);
    this.#replace(end, end, `,${gap}${rendered}`);
  }

  /** Puts lines behind the line on which something ends, comments on that line included. */
  #insertAfter(end: number, rendered: string): void {
    const text = this.#text;
    const at = text[end - 1] === "\n" ? end : nextLine(text, end);
    const { newline } = this.#layout;
    if (at === text.length && text[at - 1] !== "\n") this.#replace(at, at, newline + rendered);
    else this.#replace(at, at, rendered + newline);
  }

  /** `rendered` is indented as the place it goes to, where that indentation already stands. */
  #replaceLines(start: number, end: number, rendered: string): void {
    const column = columnAt(this.#text, start);
    const last = this.#text[end - 1] === "\n" ? this.#layout.newline : "";
    this.#replace(start, end, rendered.slice(column) + last);
  }

  #removeLines(start: number, end: number): void {
    const text = this.#text;
    const from = lineStart(text, start);
    const to = text[end - 1] === "\n" ? end : nextLine(text, end);
    if (!this.#isBlank(from, start)) throw new Rewrite();
    this.#replace(from, to, "");
  }

  #replace(start: number, end: number, text: string): void {
    this.#edits.push({ start, end, text });
  }

  #isBlank(start: number, end: number): boolean {
    return this.#text.slice(start, end).trim() === "";
  }

  #endOfPair(pair: Pair): number {
    const source = pair.srcToken as CST.CollectionItem | undefined;
    const colon = source?.sep?.find((token) => token.type === "map-value-ind");
    const value = this.#endOf(pair.value);
    if (value !== null) return value;
    return colon === undefined ? nodeEnd(pair.key) : colon.offset + 1;
  }

  #endOfItem(list: YAMLSeq, index: number): number {
    return this.#endOf(list.items[index]) ?? dashOf(list, index) + 1;
  }

  /** Where the text of a node ends; null when it has none, as the value in `key:`. */
  #endOf(node: unknown): number | null {
    if (isMap(node) && node.flow !== true) {
      const last = node.items.at(-1);
      return last === undefined ? null : this.#endOfPair(last);
    }
    if (isSeq(node) && node.flow !== true) {
      return node.items.length === 0 ? null : this.#endOfItem(node, node.items.length - 1);
    }
    if (!isScalar(node) && !isAlias(node) && !isContainer(node)) return null;
    const [start, end] = node.range ?? [0, 0];
    return start === end ? null : end;
  }
}

type Container = YAMLMap | YAMLSeq;

function isContainer(node: unknown): node is Container {
  return isMap(node) || isSeq(node);
}

function findPair(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === key);
}

function nodeStart(node: unknown): number {
  return rangeOf(node)[0];
}

function nodeEnd(node: unknown): number {
  return rangeOf(node)[1];
}

function rangeOf(node: unknown): readonly [start: number, end: number] {
  if (!isScalar(node) && !isAlias(node) && !isContainer(node)) throw new Rewrite();
  if (node.range === undefined || node.range === null) throw new Rewrite();
  return [node.range[0], node.range[1]];
}

function dashOf(list: YAMLSeq, index: number): number {
  const source = list.srcToken as CST.BlockSequence | undefined;
  const dashes = source?.items.flatMap((item) => item.start.filter((token) => token.type === "seq-item-ind"));
  const dash = dashes?.[index];
  if (dash === undefined) throw new Rewrite();
  return dash.offset;
}
