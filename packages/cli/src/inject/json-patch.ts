import type { PatchOperation } from "@bowline/control-plane";
import { isMapObject } from "./map-object.ts";

/**
 * Applies a patch without changing the value: what the patch does not touch is shared with the result, so that
 * comparing references tells what has changed.
 *
 * @throws Error when a path does not exist, which is a fault of the patch
 */
export function applyPatch(value: unknown, patch: readonly PatchOperation[]): unknown {
  return patch.reduce((result, operation) => applyOne(result, tokensOf(operation.path), operation), value);
}

/** The value with another one at a path of map keys and list indexes. */
export function withValueAt(value: unknown, path: readonly (string | number)[], replacement: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return replacement;
  if (Array.isArray(value)) return value.with(Number(head), withValueAt(value[Number(head)], rest, replacement));
  if (!isMapObject(value)) throw new Error(`nothing at ${JSON.stringify(path)}`);
  return { ...value, [head]: withValueAt(value[head], rest, replacement) };
}

function applyOne(value: unknown, tokens: readonly string[], operation: PatchOperation): unknown {
  const [token = "", ...rest] = tokens;
  if (Array.isArray(value)) return applyToList(value, token, rest, operation);
  if (!isMapObject(value)) throw new Error(`${operation.path} leads through something that is no map and no list`);
  if (rest.length > 0) return { ...value, [token]: applyOne(value[token], rest, operation) };
  if (operation.op === "add") return { ...value, [token]: operation.value };
  if (!Object.hasOwn(value, token)) throw new Error(`there is nothing at ${operation.path}`);
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== token));
}

function applyToList(
  list: readonly unknown[],
  token: string,
  rest: readonly string[],
  operation: PatchOperation,
): readonly unknown[] {
  const index = token === "-" ? list.length : Number(token);
  if (rest.length > 0) return list.with(index, applyOne(list[index], rest, operation));
  if (operation.op === "add") return list.toSpliced(index, 0, operation.value);
  if (index >= list.length) throw new Error(`there is nothing at ${operation.path}`);
  return list.toSpliced(index, 1);
}

function tokensOf(pointer: string): readonly string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}
