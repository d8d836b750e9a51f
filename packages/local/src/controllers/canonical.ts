/**
 * One text for all values that mean the same in the Kubernetes API: keys in order, absent and null fields alike. Two
 * objects are equal when their texts are.
 */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const fields = Object.entries(value).filter(([, field]) => field !== undefined && field !== null);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(",")}}`;
}

/**
 * A short name for a value, the same in every process: FNV-1a of its canonical text, in letters that make no words and
 * that names may have.
 * @param collisionCount gives another name where the first one is taken by another value
 */
export function hashName(value: unknown, collisionCount = 0): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(`${canonical(value)}${collisionCount === 0 ? "" : collisionCount}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return Array.from(String(hash), (digit) => LETTERS[Number(digit)]).join("");
}

const LETTERS = "bcdfghjklm";
