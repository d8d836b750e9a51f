import { isObject } from "../schema.ts";

/** RFC 7386: objects are merged, null removes, everything else replaces. Changes `target` if it is an object, and returns the result. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result = isObject(target) ? target : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}
