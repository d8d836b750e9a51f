import { ApiError } from "@bowline/kube";
import { isObject, type JsonObject, ownValue, type Resolve, type Schema } from "./schema.ts";

export interface DecodeOptions {
  /** For messages. */
  readonly kind: string;
  readonly version: string;
  readonly resolve: Resolve;
  /** Built-in kinds: a value of the wrong type is refused at once, and null is as good as absent. Custom ones are looked at later. */
  readonly typed: boolean;
}

/**
 * Removes from `value`, in place, the fields that its schema does not know.
 * @returns their paths, as in `spec.template.spec.containers[0].imagee`
 * @throws ApiError 400 for values of the wrong type, where types are looked at
 */
export function dropUnknownFields(schema: Schema, value: JsonObject, options: DecodeOptions): string[] {
  const walk = new Walk(options);
  walk.object(schema.$ref ?? options.kind, options.resolve(schema), value, "");
  return walk.unknown;
}

class Walk {
  readonly unknown: string[] = [];
  readonly #options: DecodeOptions;

  constructor(options: DecodeOptions) {
    this.#options = options;
  }

  /** @param owner the definition that the object is one of, for messages */
  object(owner: string, schema: Schema, object: JsonObject, path: string): void {
    const { properties, additionalProperties } = schema;
    const keepsUnknown = schema["x-kubernetes-preserve-unknown-fields"] === true;
    const embedded = schema["x-kubernetes-embedded-resource"] === true;
    for (const name of Object.keys(object)) {
      if (object[name] === undefined) continue;
      const at = path === "" ? name : `${path}.${name}`;
      const property =
        ownValue(properties, name) ?? (isObject(additionalProperties) ? additionalProperties : undefined);
      if (property !== undefined) this.#field(owner, property, object, name, at);
      else if (!keepsUnknown && additionalProperties !== true && !(embedded && EMBEDDED.has(name))) {
        this.unknown.push(at);
        delete object[name];
      }
    }
  }

  #field(owner: string, property: Schema, object: JsonObject, name: string, path: string): void {
    const value = object[name];
    if (value === null && this.#options.typed) {
      if (this.#options.resolve(property)["x-kubernetes-preserve-unknown-fields"] !== true) delete object[name];
      return;
    }
    object[name] = this.#value(owner, property, value, path);
  }

  #value(owner: string, schema: Schema, value: unknown, path: string): unknown {
    const actual = this.#options.resolve(schema);
    if (this.#options.typed) {
      if (actual.format === "quantity" && typeof value === "number") return String(value);
      this.#assertType(owner, actual, value, path);
    }
    if (Array.isArray(value)) {
      const { items } = actual;
      if (items !== undefined) {
        value.forEach((item, index) => {
          value[index] = this.#value(owner, items, item, `${path}[${index}]`);
        });
      }
    } else if (isObject(value) && mayHoldFields(actual)) this.object(schema.$ref ?? owner, actual, value, path);
    return value;
  }

  #assertType(owner: string, schema: Schema, value: unknown, path: string): void {
    const wanted = goTypeUnless(schema, value);
    if (wanted === undefined) return;
    const field = path.replace(/\[\d+\]/g, "");
    const struct = owner.slice(owner.lastIndexOf(".") + 1);
    this.refuse(`json: cannot unmarshal ${nameOf(value)} into Go struct field ${struct}.${field} of type ${wanted}`);
  }

  refuse(why: string): never {
    const { kind, version } = this.#options;
    throw ApiError.badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${why}`);
  }
}

const EMBEDDED: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);

function mayHoldFields(schema: Schema): boolean {
  if (schema.properties !== undefined || schema.additionalProperties !== undefined) return true;
  return schema.type === "object" && schema["x-kubernetes-preserve-unknown-fields"] !== true;
}

/** The type, in the words of Kubernetes' decoder, that a value should have had. */
function goTypeUnless(schema: Schema, value: unknown): string | undefined {
  if (schema["x-kubernetes-int-or-string"] === true) {
    return typeof value === "string" || Number.isInteger(value) ? undefined : "intstr.IntOrString";
  }
  switch (schema.type) {
    case "string":
      return typeof value === "string" ? undefined : "string";
    case "boolean":
      return typeof value === "boolean" ? undefined : "bool";
    case "integer":
      return Number.isInteger(value) ? undefined : "int32";
    case "number":
      return typeof value === "number" ? undefined : "float64";
    case "array":
      return Array.isArray(value) ? undefined : "[]";
    case "object":
      if (isObject(value)) return undefined;
      return schema.additionalProperties === undefined ? "struct" : "map[string]string";
    default:
      return undefined;
  }
}

function nameOf(value: unknown): string {
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isInteger(value) ? "number" : `number ${value}`;
  return Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
}
