import type { KubeObject } from "@bowline/kube";
import { isObject, type JsonObject, objectAt, objectsAt, scalarText, textAt } from "../schema.ts";
import { Pattern } from "../structural/pattern.ts";
import type { FieldErrors } from "./field-errors.ts";
import { report, validateImmutable } from "./metadata.ts";
import { dns1035Label, dnsLabel, dnsSubdomain } from "./names.ts";

export function validateCustomResourceDefinition(object: KubeObject, errors: FieldErrors): void {
  const spec = objectAt(object, "spec");
  const [group, plural] = [textAt(spec, "group"), textAt(spec, "names", "plural")];
  if (group !== "") {
    report(errors, "spec.group", group, dnsSubdomain(group));
    if (!group.includes(".")) errors.invalid("spec.group", group, "should be a domain with at least one dot");
  }
  if (object.metadata.name !== `${plural}.${group}`) {
    errors.invalid("metadata.name", object.metadata.name, 'must be spec.names.plural+"."+spec.group');
  }
  validateNames(objectAt(spec, "names"), errors);
  validateVersions(spec, errors);
}

export function validateCustomResourceDefinitionUpdate(object: KubeObject, old: KubeObject, errors: FieldErrors): void {
  for (const field of ["spec.scope", "spec.group", "spec.names.plural", "spec.names.kind"]) {
    validateImmutable(object, old, field, errors);
  }
}

function validateNames(names: JsonObject, errors: FieldErrors): void {
  for (const field of ["plural", "singular"]) {
    const name = textAt(names, field);
    if (name !== "") report(errors, `spec.names.${field}`, name, dns1035Label(name));
  }
  for (const field of ["kind", "listKind"]) {
    const name = textAt(names, field);
    if (name !== "") report(errors, `spec.names.${field}`, name, dns1035Label(name.toLowerCase()));
  }
  if (names["kind"] !== undefined && names["kind"] === names["listKind"]) {
    errors.invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same");
  }
}

function validateVersions(spec: JsonObject, errors: FieldErrors): void {
  const versions = objectsAt(spec, "versions");
  const names = new Set<string>();
  versions.forEach((version, index) => {
    const path = `spec.versions[${index}]`;
    const name = textAt(version, "name");
    if (name !== "") report(errors, `${path}.name`, name, dnsLabel(name));
    if (names.has(name)) errors.invalid("spec.versions", name, "must contain unique version names");
    names.add(name);
    const schema = objectAt(version, "schema")["openAPIV3Schema"];
    const at = `${path}.schema.openAPIV3Schema`;
    if (!isObject(schema)) errors.required(at, "schemas are required");
    else validateStructure(schema, at, errors, "root");
    const scale = objectAt(version, "subresources")["scale"];
    if (isObject(scale)) validateScale(scale, `${path}.subresources.scale`, errors);
  });
  if (versions.filter((version) => version["storage"] === true).length !== 1) {
    errors.invalid("spec.versions", [...names], "must have exactly one version marked as storage version");
  }
}

/** Where replicas and selector are: fields of the object's own, one below the other. */
function validateScale(scale: JsonObject, path: string, errors: FieldErrors): void {
  const rows: [field: string, below: readonly string[], required: boolean][] = [
    ["specReplicasPath", ["spec"], true],
    ["statusReplicasPath", ["status"], true],
    ["labelSelectorPath", ["spec", "status"], false],
  ];
  for (const [field, below, required] of rows) {
    const text = textAt(scale, field);
    if (text === "") {
      if (required) errors.required(`${path}.${field}`);
      continue;
    }
    const names = text.split(".");
    const plain = names.length > 2 && names.slice(1).every((name) => FIELD_NAME.test(name) && name !== "__proto__");
    if (names[0] !== "" || !below.includes(names[1] ?? "") || !plain) {
      errors.invalid(
        `${path}.${field}`,
        text,
        `should be a json path under ${below.map((name) => `.${name}`).join(" or ")}`,
      );
    }
  }
}

const FIELD_NAME = /^[A-Za-z_][\w-]*$/;

const MISSING_TYPE = {
  root: "must not be empty at the root",
  property: "must not be empty for specified object fields",
  items: "must not be empty for specified array items",
};

/** Structural schemas: every field and item says its type, and combinations add no structure of their own. */
function validateStructure(
  schema: JsonObject,
  path: string,
  errors: FieldErrors,
  place: keyof typeof MISSING_TYPE,
): void {
  const free = schema["x-kubernetes-int-or-string"] === true || schema["x-kubernetes-preserve-unknown-fields"] === true;
  const { type } = schema;
  if (type === undefined || type === "") {
    if (!free || place === "root") errors.required(`${path}.type`, MISSING_TYPE[place]);
  } else if (!TYPES.includes(scalarText(type))) errors.notSupported(`${path}.type`, type, TYPES);
  else if (place === "root" && type !== "object") errors.invalid(`${path}.type`, type, "must be object at the root");
  for (const field of ["$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id"]) {
    if (schema[field] !== undefined) errors.forbidden(`${path}.${field}`, `${field} is not supported`);
  }
  if (schema["uniqueItems"] === true) {
    errors.forbidden(
      `${path}.uniqueItems`,
      "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    );
  }
  validatePattern(schema["pattern"], `${path}.pattern`, errors);
  validateStructureBelow(schema, path, errors);
}

function validatePattern(pattern: unknown, path: string, errors: FieldErrors): void {
  if (typeof pattern !== "string") return;
  try {
    new Pattern(pattern);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    errors.invalid(path, pattern, `must be a valid regular expression, but isn't: ${why}`);
  }
}

function validateStructureBelow(schema: JsonObject, path: string, errors: FieldErrors): void {
  const { type, items, additionalProperties, properties } = schema;
  if (type === "array" && items === undefined) errors.required(`${path}.items`, "must be specified");
  if (isObject(items)) validateStructure(items, `${path}.items`, errors, "items");
  if (isObject(properties)) {
    if (additionalProperties !== undefined && additionalProperties !== false) {
      errors.forbidden(`${path}.additionalProperties`, "additionalProperties and properties are mutual exclusive");
    }
    for (const [name, property] of Object.entries(properties)) {
      const at = `${path}.properties[${name}]`;
      if (isObject(property)) validateStructure(property, at, errors, "property");
    }
  }
  if (isObject(additionalProperties))
    validateStructure(additionalProperties, `${path}.additionalProperties`, errors, "property");
  if (schema["x-kubernetes-list-type"] === "map" && !Array.isArray(schema["x-kubernetes-list-map-keys"])) {
    errors.required(`${path}.x-kubernetes-list-map-keys`, "must not be empty if x-kubernetes-list-type is map");
  }
}

const TYPES = ["array", "boolean", "integer", "number", "object", "string"];
