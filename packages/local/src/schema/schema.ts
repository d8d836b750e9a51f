/**
 * A JSON schema in the dialect of Kubernetes: what a CustomResourceDefinition holds, and what the published types of the
 * built-in kinds are turned into. One model serves decoding, validation, patches, OpenAPI and `kubectl explain`.
 */
export interface Schema {
  readonly type?: SchemaType;
  /** A definition of a built-in kind, "core/v1.PodSpec". Nothing beside it but `description` and the x-kubernetes fields counts. */
  readonly $ref?: string;
  readonly description?: string;
  readonly title?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly nullable?: boolean;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly not?: Schema;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-embedded-resource"?: boolean;
  readonly "x-kubernetes-list-type"?: "atomic" | "set" | "map";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-map-type"?: "atomic" | "granular";
  readonly "x-kubernetes-patch-merge-key"?: string;
  readonly "x-kubernetes-patch-strategy"?: string;
}

type SchemaType = "object" | "array" | "string" | "integer" | "number" | "boolean";

/** The schema itself, or what it refers to. */
export type Resolve = (schema: Schema) => Schema;

export type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value under a name, which may be one that every JavaScript object knows: "constructor". */
export function ownValue<T>(map: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined;
}

/** The object's field if that is an object, else an empty one that is not part of it. */
export function objectAt(value: unknown, ...path: readonly string[]): JsonObject {
  let at: unknown = value;
  for (const name of path) at = isObject(at) ? at[name] : undefined;
  return isObject(at) ? at : {};
}

/** The objects of a list field; anything else is left out. */
export function objectsAt(value: unknown, ...path: readonly string[]): JsonObject[] {
  const last = path.at(-1);
  const list = last === undefined ? value : objectAt(value, ...path.slice(0, -1))[last];
  return Array.isArray(list) ? list.filter(isObject) : [];
}

/** A field's text, or "". */
export function textAt(value: unknown, ...path: readonly string[]): string {
  const last = path.at(-1);
  const found = last === undefined ? value : objectAt(value, ...path.slice(0, -1))[last];
  return typeof found === "string" ? found : "";
}

export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const last = path.at(-1);
  const found = last === undefined ? value : objectAt(value, ...path.slice(0, -1))[last];
  return typeof found === "number" ? found : undefined;
}

/** A scalar as it is shown; anything else as JSON. */
export function scalarText(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

/** A shallow copy without some fields. */
export function omit(object: JsonObject, ...names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

/** Whether two JSON values are the same, whatever the order of fields. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a).filter((name) => a[name] !== undefined);
  if (names.length !== Object.keys(b).filter((name) => b[name] !== undefined).length) return false;
  return names.every((name) => sameJson(a[name], b[name]));
}
