import { ApiError } from "./api-error.ts";
import type { KubeObject, LabelSelector } from "./types.ts";

export type SelectorOperator = "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";

/** One condition on labels. In, NotIn, Gt and Lt have values (Gt and Lt exactly one), the others none. */
export interface Requirement {
  readonly key: string;
  readonly operator: SelectorOperator;
  readonly values: readonly string[];
}

/** All of these must hold; none at all is true of everything. */
export type Selector = readonly Requirement[];

/** One condition on a field, by its path ("status.phase"). */
export interface FieldRequirement {
  readonly path: string;
  readonly equal: boolean;
  readonly value: string;
}

type Labels = Readonly<Record<string, string>> | undefined;

/** Whether an object's `spec.selector` applies to these labels. No selector selects nothing; an empty one, everything. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels): boolean {
  if (selector === undefined) return false;
  const wanted = selector.matchLabels;
  for (const key in wanted) {
    if (labels?.[key] !== wanted[key]) return false;
  }
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    if (!holds(key, operator, values ?? [], labels)) return false;
  }
  return true;
}

/** Whether a parsed selector applies to these labels. */
export function matchesRequirements(selector: Selector, labels: Labels): boolean {
  return selector.every(({ key, operator, values }) => holds(key, operator, values, labels));
}

/**
 * Reads the text form of a selector, as in `?labelSelector=` and `kubectl -l`: `a=b`, `a==b`, `a!=b`, `a in (b,c)`,
 * `a notin (b)`, `a`, `!a`, `a>1`, `a<1`, joined by commas.
 * @throws ApiError 400 for anything else
 */
export function parseLabelSelector(text: string): Selector {
  return splitOutsideBrackets(text).map((term) => parseTerm(term, text));
}

/** The text form of an object's selector, for queries. */
export function formatLabelSelector(selector: LabelSelector): string {
  const equal = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const others = (selector.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    switch (operator) {
      case "In":
        return `${key} in (${values.join(",")})`;
      case "NotIn":
        return `${key} notin (${values.join(",")})`;
      case "Exists":
        return key;
      case "DoesNotExist":
        return `!${key}`;
      default:
        throw ApiError.badRequest(`${operator} is not an operator of label selectors`);
    }
  });
  return [...equal, ...others].join(",");
}

/**
 * Reads `?fieldSelector=`: `path=value`, `path==value` and `path!=value`, joined by commas. A backslash takes the
 * meaning from `,`, `=` and itself.
 * @throws ApiError 400 for anything else
 */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  const terms = text.match(/(?:\\.|[^\\,])+/gs) ?? [];
  return terms.map((term) => {
    const match = /^\s*([A-Za-z0-9_./[\]-]+?)\s*(==|!=|=)(.*)$/s.exec(term);
    if (match === null) throw ApiError.badRequest(`invalid field selector ${JSON.stringify(text)}`);
    const [, path = "", operator, value = ""] = match;
    return { path, equal: operator !== "!=", value: value.trim().replace(/\\([\\,=])/g, "$1") };
  });
}

/** Whether an object's fields are as wanted. A field that isn't there counts as "", as the API has it. */
export function matchesFields(requirements: readonly FieldRequirement[], object: KubeObject): boolean {
  return requirements.every(({ path, equal, value }) => (fieldText(object, path) === value) === equal);
}

function fieldText(object: unknown, path: string): string {
  let at = object;
  for (const key of path.split(".")) {
    if (typeof at !== "object" || at === null) return "";
    at = (at as Record<string, unknown>)[key];
  }
  return typeof at === "string" || typeof at === "number" || typeof at === "boolean" ? String(at) : "";
}

function holds(key: string, operator: string, values: readonly string[], labels: Labels): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return value !== undefined && Number.parseInt(value, 10) > Number(values[0]);
    case "Lt":
      return value !== undefined && Number.parseInt(value, 10) < Number(values[0]);
    default:
      throw ApiError.badRequest(`${operator} is not an operator of label selectors`);
  }
}

function splitOutsideBrackets(text: string): string[] {
  const terms: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "(") depth++;
    else if (char === ")") depth--;
    else if (char === "," && depth === 0) {
      terms.push(text.slice(from, at));
      from = at + 1;
    }
  }
  if (text.trim() !== "") terms.push(text.slice(from));
  return terms;
}

// A prefix that is a DNS name, optionally, and a name: letters and digits with -, _ and . between them.
const KEY = /^(?:[a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;

function parseTerm(term: string, whole: string): Requirement {
  const set = /^\s*(\S+)\s+(in|notin)\s*\(([^()]*)\)\s*$/.exec(term);
  if (set !== null) {
    const values = (set[3] ?? "").split(",").map((value) => value.trim());
    return checked({ key: set[1] ?? "", operator: set[2] === "in" ? "In" : "NotIn", values }, whole);
  }
  const compared = /^\s*([^\s=!<>]+)\s*(==|!=|=|>|<)\s*(\S*)\s*$/.exec(term);
  if (compared !== null) {
    const operator = COMPARISONS[compared[2] ?? ""] ?? "In";
    return checked({ key: compared[1] ?? "", operator, values: [compared[3] ?? ""] }, whole);
  }
  const bare = /^\s*(!?)\s*(\S+)\s*$/.exec(term);
  const operator = bare?.[1] === "!" ? "DoesNotExist" : "Exists";
  return checked({ key: bare?.[2] ?? "", operator, values: [] }, whole);
}

const COMPARISONS: Readonly<Record<string, SelectorOperator>> = {
  "=": "In",
  "==": "In",
  "!=": "NotIn",
  ">": "Gt",
  "<": "Lt",
};

function checked(requirement: Requirement, whole: string): Requirement {
  const numeric = requirement.operator === "Gt" || requirement.operator === "Lt";
  const good = numeric ? /^-?\d+$/ : VALUE;
  if (!KEY.test(requirement.key) || !requirement.values.every((value) => good.test(value))) {
    throw ApiError.badRequest(`unable to parse requirement: invalid label selector ${JSON.stringify(whole)}`);
  }
  return requirement;
}
