/** Matching of a request's header fields and query parameters. */
import { compilePattern, type Pattern } from "../regex/pattern.ts";
import type { RequestFacts } from "../types/request.ts";
import type { HeaderMatch, QueryMatch } from "../types/route.ts";

/** More fields of one name than any request may have. */
const FIELDS_OF_A_NAME_MAX = 1024;

/** A name and what its value must be: `value`, or what `pattern` matches. */
export interface FieldTest {
  readonly name: string;
  readonly value: string;
  readonly pattern: Pattern | null;
}

/** A fault names the expression that does not compile. */
export function compileFields(
  matches: readonly (HeaderMatch | QueryMatch)[],
): { readonly tests: FieldTest[] } | { readonly fault: string } {
  const tests: FieldTest[] = [];
  for (const match of matches) {
    if (match.kind === "exact") {
      tests.push({ name: match.name, value: match.value, pattern: null });
      continue;
    }
    const compiled = compilePattern(match.regex);
    if ("fault" in compiled) return compiled;
    tests.push({ name: match.name, value: "", pattern: compiled.pattern });
  }
  return { tests };
}

/** Whether each test holds for some field of its name. */
export function headersMatch(tests: readonly FieldTest[], request: RequestFacts): boolean {
  for (const test of tests) if (!headerMatches(test, request)) return false;
  return true;
}

function headerMatches(test: FieldTest, request: RequestFacts): boolean {
  for (let nth = 0; nth < FIELDS_OF_A_NAME_MAX; nth += 1) {
    const value = request.header(test.name, nth);
    if (value === null) return false;
    if (test.pattern === null ? value === test.value : isText(value) && test.pattern.matches(value)) return true;
  }
  return false;
}

/** Expressions are for text: visible ASCII, spaces and tabs. */
function isText(value: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(value);
}

/** Whether each test holds for some parameter of its name, read as form fields are (WHATWG URL §5.1). */
export function queryMatches(tests: readonly FieldTest[], query: string): boolean {
  if (tests.length === 0) return true;
  const parameters = parseQuery(query);
  return tests.every((test) =>
    parameters.some(
      ([name, value]) =>
        name === test.name && (test.pattern === null ? value === test.value : test.pattern.matches(value)),
    ),
  );
}

function parseQuery(query: string): [name: string, value: string][] {
  const parameters: [string, string][] = [];
  for (const part of query.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    parameters.push([decodeForm(name), equals < 0 ? "" : decodeForm(part.slice(equals + 1))]);
  }
  return parameters;
}

function decodeForm(text: string): string {
  const spaced = text.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  // A percent sign that begins no escape stands for itself; escapes that are no UTF-8 stay as they are.
  return spaced.replaceAll(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}
