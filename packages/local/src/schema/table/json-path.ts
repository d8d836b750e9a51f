import { isObject, sameJson } from "../schema.ts";

/** One step from values to values below them. */
type Step = (value: unknown) => readonly unknown[];

/**
 * The JSONPath of printer columns: fields (`.spec.name`, `['a.b/c']`, dots escaped by a backslash), indexes and slices, wildcards, unions,
 * recursive descent, and filters that compare a field with a literal. Parsed once, and used for each row.
 * @returns what finds all the values; nothing where the path leads nowhere, or to more on its way than a cell could show
 * @throws SyntaxError for a path that cannot be read
 */
export function parseJsonPath(path: string): (value: unknown) => unknown[] {
  const steps = stepsOf(path.replace(/^\{(.*)\}$/s, "$1").replace(/^[$@]/, ""));
  return (value) => {
    let found: unknown[] = [value];
    for (const step of steps) {
      found = found.flatMap((each) => [...step(each)]);
      // Each ".." multiplies, and whoever writes a definition writes as many as they like.
      if (found.length > FOUND_MAX) return [];
    }
    return found;
  };
}

const FOUND_MAX = 10_000;

function stepsOf(path: string): Step[] {
  const steps: Step[] = [];
  let rest = path;
  while (rest !== "") {
    const [step, length] = rest.startsWith("[") ? bracketStep(rest) : fieldStep(rest);
    steps.push(...step);
    rest = rest.slice(length);
  }
  return steps;
}

function fieldStep(text: string): [steps: Step[], length: number] {
  const match = /^(\.{0,2})((?:\\.|[^.[\\\s=<>!()])*)/.exec(text);
  const [whole = "", dots = "", raw = ""] = match ?? [];
  if (whole === "") throw new SyntaxError(`cannot read JSONPath at ${JSON.stringify(text)}`);
  const name = raw.replace(/\\(.)/g, "$1");
  const steps: Step[] = dots === ".." ? [descendants] : [];
  if (raw === "*") steps.push(childrenOf);
  else if (name !== "") steps.push(field(name));
  return [steps, whole.length];
}

function bracketStep(text: string): [steps: Step[], length: number] {
  const end = closingBracket(text);
  const inner = text.slice(1, end).trim();
  return [[parseBracket(inner)], end + 1];
}

function closingBracket(text: string): number {
  let quote: string | undefined;
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index];
    if (quote !== undefined) quote = char === quote ? undefined : quote;
    else if (char === "'" || char === '"') quote = char;
    else if (char === "[") depth++;
    else if (char === "]" && --depth === 0) return index;
  }
  throw new SyntaxError(`unterminated bracket in JSONPath ${JSON.stringify(text)}`);
}

function parseBracket(inner: string): Step {
  if (inner === "*") return childrenOf;
  const filter = /^\?\s*\((.*)\)$/s.exec(inner)?.[1];
  if (filter !== undefined) return parseFilter(filter.trim());
  if (/^-?\d*:-?\d*$/.test(inner)) {
    const [from = "", to = ""] = inner.split(":");
    return (value) => (Array.isArray(value) ? value.slice(Number(from), to === "" ? undefined : Number(to)) : []);
  }
  const parts = inner.split(/,(?=(?:[^']*'[^']*')*[^']*$)/).map((part) => part.trim());
  const steps = parts.map((part) => {
    const quoted = /^'(.*)'$|^"(.*)"$/s.exec(part);
    if (quoted !== null) return field(quoted[1] ?? quoted[2] ?? "");
    if (!/^-?\d+$/.test(part)) throw new SyntaxError(`cannot read JSONPath [${inner}]`);
    return (value: unknown) => (Array.isArray(value) ? defined(value.at(Number(part))) : []);
  });
  return (value) => steps.flatMap((step) => [...step(value)]);
}

const COMPARISONS: Readonly<Record<string, (a: unknown, b: unknown) => boolean>> = {
  "==": sameJson,
  "!=": (a, b) => !sameJson(a, b),
  "<=": (a, b) => isOrdered(a, b) && compare(a, b) <= 0,
  ">=": (a, b) => isOrdered(a, b) && compare(a, b) >= 0,
  "<": (a, b) => isOrdered(a, b) && compare(a, b) < 0,
  ">": (a, b) => isOrdered(a, b) && compare(a, b) > 0,
};

function parseFilter(text: string): Step {
  const match = /^(@.*?)\s*(==|!=|<=|>=|<|>)\s*(.+)$/s.exec(text);
  if (match === null) {
    const exists = parseJsonPath(text);
    return (value) => childrenOf(value).filter((child) => exists(child).length > 0);
  }
  const [, left = "", operator = "", right = ""] = match;
  const find = parseJsonPath(left);
  const wanted = literalOf(right.trim());
  const holds = COMPARISONS[operator];
  return (value) => childrenOf(value).filter((child) => find(child).some((found) => holds?.(found, wanted)));
}

function literalOf(text: string): unknown {
  const quoted = /^'(.*)'$|^"(.*)"$/s.exec(text);
  if (quoted !== null) return quoted[1] ?? quoted[2];
  try {
    return JSON.parse(text);
  } catch {
    throw new SyntaxError(`cannot read ${JSON.stringify(text)} in a JSONPath filter`);
  }
}

function isOrdered(a: unknown, b: unknown): boolean {
  return typeof a === typeof b && (typeof a === "number" || typeof a === "string");
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a) < String(b) ? -1 : String(a) === String(b) ? 0 : 1;
}

function field(name: string): Step {
  return (value) => (isObject(value) ? defined(value[name]) : []);
}

function defined(value: unknown): readonly unknown[] {
  return value === undefined ? [] : [value];
}

function childrenOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.values(value) : [];
}

function descendants(value: unknown): readonly unknown[] {
  return [value, ...childrenOf(value).flatMap((child) => [...descendants(child)])];
}
