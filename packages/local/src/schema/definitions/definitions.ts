import type { Schema } from "../schema.ts";
import { enumOf } from "./enums.ts";
import { isAtomic, mergeRulesOf } from "./list-keys.ts";
import { DeclarationModule } from "./parse-declarations.ts";
import { openApiPrefix, SOURCES } from "./sources.ts";
import { SUPPLEMENTS } from "./supplements.ts";

/** A reference into the built-in kinds: "core/v1.PodSpec". */
export type DefinitionName = string;

/**
 * The schema of a built-in definition, read from the published types when it is first asked for.
 * @throws Error for names that are declared nowhere: a mistake in our own tables
 */
export function definitionOf(name: DefinitionName): Schema {
  let schema = definitions.get(name);
  if (schema === undefined) {
    schema = readDefinition(name);
    definitions.set(name, schema);
  }
  return schema;
}

/** The schema itself or what it refers to, with the reference's merge rules. */
export function resolveDefinition(schema: Schema): Schema {
  return schema.$ref === undefined ? schema : definitionOf(schema.$ref);
}

/** "core/v1.PodSpec" → io.k8s.api.core.v1.PodSpec. */
export function openApiNameOf(name: DefinitionName): string {
  const [module, type] = splitName(name);
  return `${openApiPrefix(module)}.${type}`;
}

const definitions = new Map<DefinitionName, Schema>();
const modules = new Map<string, readonly DeclarationModule[]>();

function readDefinition(name: DefinitionName): Schema {
  if (name === "api/resource.Quantity") return QUANTITY;
  const [module, type] = splitName(name);
  const found = modulesOf(module).flatMap((declarations) => declarations.schema(type) ?? []);
  const [first] = found;
  if (first === undefined) throw new Error(`no declaration of ${name}`);
  const properties: Record<string, Schema> = {};
  for (const { properties: own = {} } of found) {
    for (const [field, schema] of Object.entries(own)) {
      properties[field] = { ...schema, ...mergeRulesOf(name, field), ...changedField(`${name}.${field}`) };
    }
  }
  const { required: all, ...rest } = first;
  const required = all?.filter((field) => !OPTIONAL.has(`${name}.${field}`)) ?? [];
  const atomic: Schema = isAtomic(name) ? { "x-kubernetes-map-type": "atomic" } : {};
  return { ...rest, properties, ...(required.length === 0 ? {} : { required }), ...atomic };
}

function modulesOf(module: string): readonly DeclarationModule[] {
  let parsed = modules.get(module);
  if (parsed === undefined) {
    parsed = [SOURCES[module], SUPPLEMENTS[module]].flatMap((text) =>
      text === undefined ? [] : new DeclarationModule(module, text),
    );
    modules.set(module, parsed);
  }
  return parsed;
}

function splitName(name: DefinitionName): [module: string, type: string] {
  const dot = name.lastIndexOf(".");
  return [name.slice(0, dot), name.slice(dot + 1)];
}

const QUANTITY: Schema = {
  type: "string",
  format: "quantity",
  description: "Quantity is a fixed-point representation of a number, such as 100m, 0.5, 64Mi or 2G.",
};

/** Fields that the published types have as required and Kubernetes does without, or fills in. */
const OPTIONAL: ReadonlySet<string> = new Set([
  "apps/v1.ControllerRevision.revision",
  "apps/v1.StatefulSetSpec.serviceName",
  "apiextensions/v1.CustomResourceDefinitionVersion.served",
  "apiextensions/v1.CustomResourceDefinitionVersion.storage",
  "core/v1.Event.involvedObject",
  "core/v1.HTTPHeader.value",
  "core/v1.ISCSIVolumeSource.lun",
  "core/v1.LimitRangeSpec.limits",
  "core/v1.SleepAction.seconds",
  "core/v1.Sysctl.value",
  "discovery/v1.EndpointSlice.endpoints",
  "events/v1.Event.eventTime",
  "networking/v1.NetworkPolicySpec.podSelector",
  "rbac/v1.RoleRef.apiGroup",
  "scheduling/v1.PriorityClass.value",
]);

/** What is known of a field beyond its published type. */
function changedField(path: string): Schema {
  if (NUMBERS.has(path)) return { type: "number" };
  const values = enumOf(path);
  return values === undefined ? {} : { enum: values };
}

const NUMBERS: ReadonlySet<string> = new Set(
  ["maximum", "minimum", "multipleOf"].map((field) => `apiextensions/v1.JSONSchemaProps.${field}`),
);
