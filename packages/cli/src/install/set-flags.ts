/** Values as they are written by people, before they are checked. */
export type ValueTree = { [key: string]: unknown };

/** A `--set` whose text can't be understood, or does not fit the others. */
export class SetFlagError extends Error {
  override readonly name = "SetFlagError";
}

/** How the right side of a `=` is taken: `--set` guesses numbers and booleans, `--set-string` does not. */
export type SetKind = "typed" | "string";

/**
 * Adds what `--set` says to a tree, in Helm's syntax: `a.b=1,c=x`, `list={a,b}`, `list[0].name=x`, with a backslash before
 * commas, dots, brackets and equals signs that are meant as such.
 * @throws SetFlagError
 */
export function applySet(tree: ValueTree, text: string, kind: SetKind): void {
  for (const item of splitAt(text, ",")) {
    if (item.trim() === "") continue;
    const [path = "", ...rest] = splitAt(item, "=");
    if (rest.length === 0) throw new SetFlagError(`${quote(item)} has no "=": write path.to.value=something`);
    put(tree, parsePath(path), parseValue(rest.join("="), kind), item);
  }
}

/** `--set-file path=FILE`: the file's text becomes the value. */
export function applySetFile(tree: ValueTree, text: string, read: (path: string) => string): void {
  for (const item of splitAt(text, ",")) {
    const [path = "", ...rest] = splitAt(item, "=");
    if (rest.length === 0) throw new SetFlagError(`${quote(item)} has no "=": write path.to.value=FILE`);
    put(tree, parsePath(path), read(unescaped(rest.join("="))), item);
  }
}

/** Adds `changes` to `tree`: maps are joined, everything else is replaced. */
export function mergeTree(tree: ValueTree, changes: ValueTree): void {
  for (const [key, change] of Object.entries(changes)) {
    const present = tree[key];
    if (isTree(change)) {
      const joined = isTree(present) ? present : {};
      mergeTree(joined, change);
      tree[key] = joined;
    } else tree[key] = change;
  }
}

export function isTree(value: unknown): value is ValueTree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

type Step = string | number;

function parsePath(text: string): Step[] {
  const steps: Step[] = [];
  for (const part of splitAt(text.trim(), ".")) {
    const [name = "", ...indexes] = splitAt(part, "[");
    const key = unescaped(name);
    if (key === "" || key === "__proto__") throw new SetFlagError(`${quote(text)} is not the path of a value`);
    steps.push(key);
    for (const index of indexes) {
      const digits = /^(\d{1,3})\]$/.exec(index)?.[1];
      if (digits === undefined) throw new SetFlagError(`${quote(text)}: [${index} is not the index of a list`);
      steps.push(Number(digits));
    }
  }
  return steps;
}

function put(tree: ValueTree, steps: readonly Step[], value: unknown, item: string): void {
  let at: ValueTree | unknown[] = tree;
  for (const [depth, step] of steps.entries()) {
    if (Array.isArray(at) !== (typeof step === "number")) {
      throw new SetFlagError(`${quote(item)}: another value says that a list is a map, or a map a list`);
    }
    const holder = at as Record<Step, unknown>;
    if (depth === steps.length - 1) {
      holder[step] = value;
      return;
    }
    const empty = typeof steps[depth + 1] === "number" ? [] : {};
    const next: unknown = holder[step] ?? empty;
    if (typeof next !== "object" || next === null) {
      throw new SetFlagError(`${quote(item)}: ${steps.slice(0, depth + 1).join(".")} is a value, not a map`);
    }
    holder[step] = next;
    at = next as ValueTree | unknown[];
  }
}

function parseValue(text: string, kind: SetKind): unknown {
  const list = /^\{(.*)\}$/s.exec(text.trim())?.[1];
  if (list !== undefined) return list.trim() === "" ? [] : splitAt(list, ",").map((item) => scalar(item.trim(), kind));
  return scalar(text, kind);
}

function scalar(text: string, kind: SetKind): unknown {
  const plain = unescaped(text);
  if (kind === "string") return plain;
  switch (plain) {
    case "true":
      return true;
    case "false":
      return false;
    case "null":
      return null;
    default:
      // Digits with a zero before them are names, such as a version's, not numbers.
      return /^-?(0|[1-9]\d{0,14})(\.\d+)?$/.test(plain) ? Number(plain) : plain;
  }
}

/** Parts of a text between separators that are neither escaped nor within braces. */
function splitAt(text: string, separator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "\\") at++;
    else if (char === "{") depth++;
    else if (char === "}") depth--;
    else if (char === separator && depth <= 0) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/gs, "$1");
}

function quote(text: string): string {
  return JSON.stringify(text);
}
