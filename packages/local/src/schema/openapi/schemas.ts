import { type DefinitionName, definitionOf, openApiNameOf } from "../definitions/definitions.ts";
import { BuiltInType } from "../kinds/built-in-type.ts";
import { CustomType } from "../kinds/custom-type.ts";
import type { ResourceType } from "../resource-type.ts";
import type { JsonObject, Schema } from "../schema.ts";
import { builtInToOpenApi, customToOpenApi, type Dialect, INT_OR_STRING, reference } from "./to-open-api.ts";

export interface TypeVersion {
  readonly type: ResourceType;
  readonly version: string;
}

/** The schemas of types with everything they refer to, by their names in OpenAPI documents. */
export function openApiSchemas(types: readonly TypeVersion[], dialect: Dialect): JsonObject {
  const builtIn = new Collector(dialect);
  const schemas: JsonObject = {};
  for (const { type, version } of types) {
    if (type instanceof BuiltInType) {
      builtIn.add(type.definition, gvkOf(type, version, type.kind));
      builtIn.add(`${type.definition}List`, gvkOf(type, version, type.listKind));
    } else if (type instanceof CustomType) {
      builtIn.add("meta/v1.ObjectMeta");
      builtIn.add("meta/v1.ListMeta");
      addCustom(schemas, type, version, dialect);
    }
  }
  return { ...builtIn.finish(), ...schemas };
}

/** The value of x-kubernetes-group-version-kind on an operation. */
export function gvkOf(type: ResourceType, version: string, kind: string): JsonObject {
  return { group: type.group, kind, version };
}

/** Definitions and, transitively, those that they refer to. */
class Collector {
  readonly #dialect: Dialect;
  readonly #schemas: JsonObject = {};
  readonly #kinds = new Map<DefinitionName, JsonObject[]>();
  readonly #pending = new Set<DefinitionName>();

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  add(definition: DefinitionName, kind?: JsonObject): void {
    this.#pending.add(definition);
    if (kind !== undefined) this.#kinds.set(definition, [...(this.#kinds.get(definition) ?? []), kind]);
  }

  finish(): JsonObject {
    // The set grows while it is walked.
    for (const name of this.#pending) {
      const kinds = this.#kinds.get(name);
      this.#schemas[openApiNameOf(name)] = {
        ...builtInToOpenApi(definitionOf(name), this.#dialect, (other) => this.#pending.add(other)),
        ...(kinds === undefined ? {} : { "x-kubernetes-group-version-kind": kinds }),
      };
    }
    const either = this.#dialect === "v2" ? { type: "string" } : { oneOf: [{ type: "integer" }, { type: "string" }] };
    this.#schemas[INT_OR_STRING] = {
      description: "IntOrString is a type that can hold an int32 or a string.",
      format: "int-or-string",
      ...either,
    };
    return this.#schemas;
  }
}

function addCustom(schemas: JsonObject, type: CustomType, version: string, dialect: Dialect): void {
  const schema = type.schemaOf(version);
  const name = customNameOf(type, version, type.kind);
  const open = customToOpenApi({ ...schema, properties: { ...schema.properties, ...ENVELOPE } }, dialect);
  const properties = open["properties"] as JsonObject | undefined;
  if (properties !== undefined) properties["metadata"] = metadataOf(dialect);
  schemas[name] = { ...open, "x-kubernetes-group-version-kind": [gvkOf(type, version, type.kind)] };
  schemas[customNameOf(type, version, type.listKind)] = {
    description: `${type.listKind} is a list of ${type.kind}`,
    type: "object",
    required: ["items"],
    properties: {
      ...ENVELOPE,
      items: { type: "array", items: reference(name, dialect, false) },
      metadata: reference(openApiNameOf("meta/v1.ListMeta"), dialect, false),
    },
    "x-kubernetes-group-version-kind": [gvkOf(type, version, type.listKind)],
  };
}

function metadataOf(dialect: Dialect): JsonObject {
  return {
    description: "Standard object's metadata.",
    ...reference(openApiNameOf("meta/v1.ObjectMeta"), dialect, true),
  };
}

/** "policy.linkerd.io", "v1beta3", "Server" → io.linkerd.policy.v1beta3.Server. */
function customNameOf(type: ResourceType, version: string, kind: string): string {
  return `${type.group.split(".").reverse().join(".")}.${version}.${kind}`;
}

const ENVELOPE: Readonly<Record<string, Schema>> = {
  apiVersion: {
    type: "string",
    description: "APIVersion defines the versioned schema of this representation of an object.",
  },
  kind: {
    type: "string",
    description: "Kind is a string value representing the REST resource this object represents.",
  },
};
