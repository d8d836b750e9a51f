/** An object as JSON has it. What injection reads was written by people and may have any shape. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The object is not of the shape that its kind has; the message begins with the JSON pointer of what is wrong. */
export class ShapeError extends Error {
  override name = "ShapeError";
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object in a field. Absent and null are undefined; anything else throws a ShapeError. */
export function objectIn(parent: JsonObject | undefined, field: string, pointer: string): JsonObject | undefined {
  const value = parent?.[field];
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw new ShapeError(`${pointer}/${field} is not an object`);
  return value;
}

/** The objects listed in a field. Absent and null are an empty list; anything else throws a ShapeError. */
export function objectsIn(parent: JsonObject | undefined, field: string, pointer: string): readonly JsonObject[] {
  const value = parent?.[field];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new ShapeError(`${pointer}/${field} is not a list`);
  const list: readonly unknown[] = value;
  return list.map((item, index) => {
    if (!isObject(item)) throw new ShapeError(`${pointer}/${field}/${index} is not an object`);
    return item;
  });
}

/** A map of texts, such as labels. Kubernetes takes no numbers or booleans there, so neither does this. */
export function textsIn(parent: JsonObject | undefined, field: string, pointer: string): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [key, value] of Object.entries(objectIn(parent, field, pointer) ?? {})) {
    if (typeof value === "string") texts[key] = value;
    else if (value !== null) throw new ShapeError(`${pointer}/${field}/${key} is not a string: put it in quotes`);
  }
  return texts;
}

/** The text in a field, "" when there is none. */
export function textIn(parent: JsonObject | undefined, field: string): string {
  const value = parent?.[field];
  return typeof value === "string" ? value : "";
}
