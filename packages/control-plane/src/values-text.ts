import { parse, stringify } from "yaml";
import { DEFAULT_VALUES, type Values } from "./values.ts";

/** Values that can't be used; the message names the path of the first that is wrong. */
export class ValuesError extends Error {
  override name = "ValuesError";
}

/**
 * Reads values as linkerd-config and values files hold them: YAML, of which what is absent is as in `base`. Fields that
 * nobody here knows are left out: an older program may meet a newer one's values.
 *
 * @throws ValuesError when a value is of another type than its default, or the text is no YAML
 */
export function parseValues(text: string, base: Values = DEFAULT_VALUES): Values {
  return mergeValues(base, parseYaml(text));
}

/** The base with the fields of `changes` in place of its own. Maps that users fill (labels, selectors) are replaced whole. */
export function mergeValues(base: Values, changes: unknown): Values {
  if (changes === undefined || changes === null) return base;
  return merge(base, changes, "") as Values;
}

/** The text of linkerd-config's key `values`. Private keys have no business there and are left out. */
export function stringifyValues(values: Values): string {
  return stringify(values, (key, value: unknown) => (key === "keyPEM" ? undefined : value), { lineWidth: 0 });
}

/** Values whose content is the user's, not of a shape known here. */
const OPEN_PATHS: ReadonlySet<string> = new Set([
  "podAnnotations",
  "podLabels",
  "commonLabels",
  "nodeSelector",
  "deploymentStrategy",
  "proxyInjector.namespaceSelector",
  "proxyInjector.objectSelector",
  "profileValidator.namespaceSelector",
  "profileValidator.objectSelector",
  "policyValidator.namespaceSelector",
  "policyValidator.objectSelector",
]);

/** Unset is null there, so that the default says nothing about the type. */
const NUMBER_OR_NULL: ReadonlySet<string> = new Set(["proxy.runtime.workers.maximumCPURatio"]);

function merge(base: unknown, change: unknown, path: string): unknown {
  if (change === undefined) return base;
  if (NUMBER_OR_NULL.has(path))
    return expectType(change, path, change === null || typeof change === "number", "number");
  if (change === null) return base;
  if (Array.isArray(base)) return expectType(change, path, Array.isArray(change), "list");
  if (!isMap(base)) return mergeScalar(base, change, path);
  expectType(change, path, isMap(change), "map");
  if (!isMap(change) || OPEN_PATHS.has(path)) return change;
  const prefix = path === "" ? "" : `${path}.`;
  return Object.fromEntries(
    Object.entries(base).map(([key, value]) => [key, merge(value, change[key], `${prefix}${key}`)]),
  );
}

/** A number where a text is wanted is how YAML reads unquoted ports and quantities, and meant as a text. */
function mergeScalar(base: unknown, change: unknown, path: string): unknown {
  if (typeof base === "string" && typeof change === "number") return String(change);
  return expectType(change, path, typeof change === typeof base, typeof base);
}

function expectType(value: unknown, path: string, fits: boolean, type: string): unknown {
  if (!fits) throw new ValuesError(`${path || "values"}: ${JSON.stringify(value)} is not a ${type}`);
  return value;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseYaml(text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new ValuesError(`values are no YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
}
