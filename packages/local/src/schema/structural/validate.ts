import { isObject, ownValue, type Resolve, type Schema, sameJson } from "../schema.ts";
import { FieldErrors } from "../validation/field-errors.ts";
import { formatIsWrong } from "./formats.ts";
import { Pattern } from "./pattern.ts";

export interface ValidationContext {
  readonly resolve: Resolve;
  /**
   * Of the built-in kinds "" and [] do not satisfy `required`; and the keys of their lists are for merging only: a name may stand twice in an
   * environment.
   */
  readonly builtIn: boolean;
}

/**
 * Holds a value against a schema: everything an OpenAPI v3 schema of Kubernetes can ask for but CEL rules. Wording as Kubernetes has it. The
 * built-in kinds use it for what is required and for enums; their types were looked at when they were decoded.
 * @param path of the value, "" for the whole object
 */
export function validateValue(
  schema: Schema,
  value: unknown,
  path: string,
  errors: FieldErrors,
  context: ValidationContext,
): void {
  const actual = context.resolve(schema);
  if (value === null && actual.nullable === true) return;
  const wrong = typeIsWrong(actual, value);
  if (wrong !== undefined) {
    errors.typeInvalid(
      path === "" ? "<nil>" : path,
      nameOfType(value),
      `${body(path)} must be of type ${wrong}: "${nameOfType(value)}"`,
    );
    return;
  }
  if (actual.enum !== undefined && !actual.enum.some((allowed) => sameJson(allowed, value))) {
    errors.notSupported(path, value, actual.enum);
  }
  if (typeof value === "string") validateText(actual, value, path, errors);
  else if (typeof value === "number") validateNumber(actual, value, path, errors);
  else if (Array.isArray(value)) validateList(actual, value, path, errors, context);
  else if (isObject(value)) validateObject(actual, value, path, errors, context);
  validateCombinations(actual, value, path, errors, context);
}

function typeIsWrong(schema: Schema, value: unknown): string | undefined {
  if (schema["x-kubernetes-int-or-string"] === true) {
    return typeof value === "string" || Number.isInteger(value) ? undefined : "integer,string";
  }
  switch (schema.type) {
    case undefined:
      return undefined;
    case "array":
      return Array.isArray(value) ? undefined : "array";
    case "object":
      return isObject(value) ? undefined : "object";
    case "integer":
      return Number.isInteger(value) ? undefined : "integer";
    default:
      return typeof value === schema.type ? undefined : schema.type;
  }
}

function validateText(schema: Schema, value: string, path: string, errors: FieldErrors): void {
  if (schema.minLength !== undefined || schema.maxLength !== undefined) {
    const length = Array.from(value).length;
    if (schema.minLength !== undefined && length < schema.minLength) {
      errors.invalid(path, value, `${body(path)} should be at least ${schema.minLength} chars long`);
    }
    if (schema.maxLength !== undefined && length > schema.maxLength) errors.tooLong(path, schema.maxLength);
  }
  if (schema.pattern !== undefined && !matchesPattern(schema, schema.pattern, value)) {
    errors.invalid(path, value, `${body(path)} should match '${schema.pattern}'`);
  }
  if (schema.format !== undefined && formatIsWrong(schema.format, value)) {
    errors.invalid(path, value, `${body(path)} must be of type ${schema.format}: ${JSON.stringify(value)}`);
  }
}

function validateNumber(schema: Schema, value: number, path: string, errors: FieldErrors): void {
  const { minimum, maximum, multipleOf } = schema;
  if (minimum !== undefined) {
    const [low, word] =
      schema.exclusiveMinimum === true
        ? [value <= minimum, "greater than"]
        : [value < minimum, "greater than or equal to"];
    if (low) errors.invalid(path, value, `${body(path)} should be ${word} ${minimum}`);
  }
  if (maximum !== undefined) {
    const [high, word] =
      schema.exclusiveMaximum === true ? [value >= maximum, "less than"] : [value > maximum, "less than or equal to"];
    if (high) errors.invalid(path, value, `${body(path)} should be ${word} ${maximum}`);
  }
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf)) {
    errors.invalid(path, value, `${body(path)} should be a multiple of ${multipleOf}`);
  }
  const bits = schema.format === "int32" ? 2 ** 31 : undefined;
  if (bits !== undefined && (value < -bits || value >= bits)) {
    errors.invalid(path, value, `${body(path)} must be of type int32: "${value}"`);
  }
}

function validateList(
  schema: Schema,
  list: readonly unknown[],
  path: string,
  errors: FieldErrors,
  context: ValidationContext,
): void {
  if (schema.minItems !== undefined && list.length < schema.minItems) {
    errors.invalid(path, list.length, `${body(path)} should have at least ${schema.minItems} items`);
  }
  if (schema.maxItems !== undefined && list.length > schema.maxItems)
    errors.tooMany(path, list.length, schema.maxItems);
  if (schema.uniqueItems === true && new Set(list.map((item) => JSON.stringify(item))).size < list.length) {
    errors.invalid(path, list, `${body(path)} shouldn't contain duplicates`);
  }
  if (!context.builtIn) validateListKeys(schema, list, path, errors);
  const { items } = schema;
  if (items === undefined) return;
  for (const [index, item] of list.entries()) validateValue(items, item, `${path}[${index}]`, errors, context);
}

/** Lists of type set and map have each key once. */
function validateListKeys(schema: Schema, list: readonly unknown[], path: string, errors: FieldErrors): void {
  const type = schema["x-kubernetes-list-type"];
  if (type !== "set" && type !== "map") return;
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const seen = new Set<string>();
  list.forEach((item, index) => {
    const key =
      type === "set" ? item : Object.fromEntries(keys.map((name) => [name, isObject(item) ? item[name] : undefined]));
    const text = JSON.stringify(key);
    if (seen.has(text)) errors.duplicate(`${path}[${index}]`, key);
    seen.add(text);
  });
}

function validateObject(
  schema: Schema,
  object: Record<string, unknown>,
  path: string,
  errors: FieldErrors,
  context: ValidationContext,
): void {
  const count = Object.keys(object).length;
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    errors.invalid(path, count, `${body(path)} should have at least ${schema.minProperties} properties`);
  }
  if (schema.maxProperties !== undefined && count > schema.maxProperties)
    errors.tooMany(path, count, schema.maxProperties);
  for (const name of schema.required ?? []) {
    const value = ownValue(object, name);
    const empty = value === "" || (Array.isArray(value) && value.length === 0);
    if (value === undefined || (empty && context.builtIn)) errors.required(at(path, name));
  }
  for (const [name, value] of Object.entries(object)) {
    if (value === undefined) continue;
    const property = ownValue(schema.properties, name);
    if (property !== undefined) validateValue(property, value, at(path, name), errors, context);
    else if (isObject(schema.additionalProperties)) {
      validateValue(schema.additionalProperties, value, at(path, name), errors, context);
    }
  }
}

function validateCombinations(
  schema: Schema,
  value: unknown,
  path: string,
  errors: FieldErrors,
  context: ValidationContext,
): void {
  const holds = (part: Schema) => {
    const found = new FieldErrors();
    validateValue(part, value, path, found, context);
    return found.causes.length === 0;
  };
  const complain = (detail: string) => errors.invalid(path, value, `${body(path)} ${detail}`);
  if (schema.allOf !== undefined) for (const part of schema.allOf) validateValue(part, value, path, errors, context);
  if (schema.anyOf !== undefined && !schema.anyOf.some(holds)) complain("must validate at least one schema (anyOf)");
  if (schema.oneOf !== undefined && schema.oneOf.filter(holds).length !== 1)
    complain("must validate one and only one schema (oneOf)");
  if (schema.not !== undefined && holds(schema.not)) complain("must not validate the schema (not)");
}

/** What no pattern is, which a definition that was stored long ago may hold, matches everything. */
function matchesPattern(schema: Schema, source: string, value: string): boolean {
  let pattern = patterns.get(schema);
  if (pattern === undefined) {
    pattern = compiled(source);
    patterns.set(schema, pattern);
  }
  return pattern === null || pattern.test(value);
}

function compiled(source: string): Pattern | null {
  try {
    return new Pattern(source);
  } catch {
    return null;
  }
}

/** By the schema that has them, and for as long as there is that. */
const patterns: WeakMap<Schema, Pattern | null> = new WeakMap();

function nameOfType(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function body(path: string): string {
  return `${path} in body`;
}

function at(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
