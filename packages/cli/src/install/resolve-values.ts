import { DEFAULT_VALUES, mergeValues, type Values } from "@bowline/control-plane";
import { parse, stringify } from "yaml";
import { CommandFailure } from "../io.ts";
import { closestPath, isOpen, unknownPaths, valueFaults } from "./check-values.ts";
import { HIGH_AVAILABILITY } from "./high-availability.ts";
import { applySet, applySetFile, isTree, mergeTree, SetFlagError, type ValueTree } from "./set-flags.ts";

/** Where values come from, later ones before earlier: what is stored, --ha, --values, flags, --set and its like. */
export interface ValueSources {
  /** Of an earlier installation. */
  readonly stored?: ValueTree;
  readonly ha: boolean;
  readonly files: readonly string[];
  readonly flags: ValueTree;
  readonly set: readonly string[];
  readonly setString: readonly string[];
  readonly setFile: readonly string[];
}

export interface ResolvedValues {
  readonly values: Values;
  /** Names that mean nothing here, which values files may have. */
  readonly ignored: readonly string[];
}

/**
 * Puts values together and judges them, every fault at once.
 * @throws CommandFailure
 */
export function resolveValues(sources: ValueSources, read: (path: string) => string): ResolvedValues {
  const tree: ValueTree = {};
  mergeTree(tree, structuredClone(sources.stored ?? {}));
  if (sources.ha) mergeTree(tree, structuredClone(HIGH_AVAILABILITY));
  for (const path of sources.files) mergeTree(tree, parseValuesFile(path, read(path)));
  mergeTree(tree, sources.flags);
  const ignored = unknownPaths(tree);

  const typed = setTree(sources, read);
  const misspelt = unknownPaths(typed);
  if (misspelt.length > 0) {
    const path = misspelt[0] ?? "";
    const close = closestPath(path);
    throw new CommandFailure(`--set: there is no value "${path}"${close === undefined ? "" : `; is ${close} meant?`}`);
  }
  mergeTree(tree, typed);
  return { values: checked(tree), ignored };
}

/**
 * The part of values that differs from the defaults: what `upgrade` starts from. Certificates and keys of the issuer and
 * of webhooks are left out; their Secrets have them.
 */
export function overridesOf(values: Values): string {
  return stringify(difference(DEFAULT_VALUES, values, "") ?? {}, { lineWidth: 0 });
}

/** Reads what `overridesOf` wrote. */
export function parseOverrides(text: string): ValueTree {
  return parseValuesFile("linkerd-config-overrides", text);
}

function setTree(sources: ValueSources, read: (path: string) => string): ValueTree {
  const tree: ValueTree = {};
  try {
    for (const text of sources.set) applySet(tree, text, "typed");
    for (const text of sources.setString) applySet(tree, text, "string");
    for (const text of sources.setFile) applySetFile(tree, text, read);
  } catch (error) {
    if (error instanceof SetFlagError) throw new CommandFailure(`--set: ${error.message}`);
    throw error;
  }
  return tree;
}

function checked(tree: ValueTree): Values {
  let values: Values;
  try {
    values = mergeValues(DEFAULT_VALUES, tree);
  } catch (error) {
    throw new CommandFailure(error instanceof Error ? error.message : String(error));
  }
  const faults = valueFaults(values);
  if (faults.length > 0) throw new CommandFailure(faults.join("\nError: "));
  return values;
}

function parseValuesFile(path: string, text: string): ValueTree {
  let parsed: unknown;
  try {
    parsed = parse(text) ?? {};
  } catch (error) {
    throw new CommandFailure(`${path} is not YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isTree(parsed)) throw new CommandFailure(`${path}: values are a map`);
  return parsed;
}

function difference(base: unknown, value: unknown, path: string): unknown {
  if (!isTree(base) || !isTree(value) || isOpen(path)) return Bun.deepEquals(base, value) ? undefined : value;
  const changed = Object.entries(value)
    .filter(([key]) => key !== "keyPEM" && key !== "crtPEM")
    .map(([key, child]) => [key, difference(base[key], child, path === "" ? key : `${path}.${key}`)] as const)
    .filter(([, child]) => child !== undefined);
  return changed.length === 0 ? undefined : Object.fromEntries(changed);
}
