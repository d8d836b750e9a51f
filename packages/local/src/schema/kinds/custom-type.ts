import type { KubeObject } from "@bowline/kube";
import type { PrepareOptions, ResourceType, ScalePaths, Verb, WriteKind } from "../resource-type.ts";
import { type JsonObject, objectAt, objectsAt, type Schema, textAt } from "../schema.ts";
import { applySchemaDefaults } from "../structural/defaulting.ts";
import { validateValue } from "../structural/validate.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import { ALL_VERBS } from "./built-in-type.ts";
import { prepareObject } from "./prepare.ts";

export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
  readonly jsonPath: string;
}

/** A kind that a CustomResourceDefinition describes. */
export class CustomType implements ResourceType {
  readonly group: string;
  readonly version: string;
  readonly versions: readonly string[];
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly Verb[] = ALL_VERBS;
  readonly subresources: { readonly status: boolean; readonly scale?: ScalePaths };
  readonly storedAs: string;
  readonly custom = true;
  /** Of the definition. */
  readonly name: string;
  readonly #schemas: ReadonlyMap<string, Schema>;
  readonly #columns: ReadonlyMap<string, readonly PrinterColumn[]>;

  constructor(crd: KubeObject) {
    const spec = objectAt(crd, "spec");
    const names = objectAt(spec, "names");
    const versions = objectsAt(spec, "versions");
    const storage = versions.find((version) => version["storage"] === true) ?? {};
    this.name = crd.metadata.name;
    this.group = textAt(spec, "group");
    this.version = textAt(storage, "name");
    this.versions = versions
      .filter((version) => version["served"] === true)
      .map((version) => textAt(version, "name"))
      .sort(compareVersions);
    this.kind = textAt(names, "kind");
    this.plural = textAt(names, "plural");
    this.singular = textAt(names, "singular") || this.kind.toLowerCase();
    this.listKind = textAt(names, "listKind") || `${this.kind}List`;
    this.namespaced = spec["scope"] === "Namespaced";
    this.shortNames = textsOf(names["shortNames"]);
    this.categories = textsOf(names["categories"]);
    this.subresources = subresourcesOf(storage);
    this.storedAs = `${this.plural}.${this.group}`;
    this.#schemas = new Map(
      versions.map((version) => [textAt(version, "name"), objectAt(version, "schema", "openAPIV3Schema") as Schema]),
    );
    this.#columns = new Map(versions.map((version) => [textAt(version, "name"), columnsOf(version)]));
  }

  /** As the definition has it. */
  schemaOf(version: string): Schema {
    return this.#schemas.get(version) ?? { type: "object" };
  }

  columnsOf(version: string): readonly PrinterColumn[] {
    return this.#columns.get(version) ?? [];
  }

  toStored(object: KubeObject): KubeObject {
    return inVersion(object, `${this.group}/${this.version}`);
  }

  fromStored(stored: KubeObject, version: string): KubeObject {
    return inVersion(stored, `${this.group}/${version}`);
  }

  setDefaults(object: KubeObject): void {
    applySchemaDefaults(this.#schemaFor(object), object);
  }

  prepare(object: KubeObject, write: WriteKind, options: PrepareOptions = {}): void {
    const { status } = this.subresources;
    prepareObject(object, write, options, {
      group: this.group,
      kind: this.kind,
      namespaced: this.namespaced,
      status,
      rules: {
        defaults: (whole) => this.setDefaults(whole),
        initialStatus: () => undefined,
        generation: generationFields(object, options.old, status),
      },
      validateSchema: (whole, kind, errors) => this.#validateSchema(whole, kind, errors),
    });
  }

  #schemaFor(object: KubeObject): Schema {
    return this.schemaOf(object.apiVersion.slice(object.apiVersion.indexOf("/") + 1));
  }

  #validateSchema(object: KubeObject, _write: WriteKind, errors: FieldErrors): void {
    validateValue(this.#schemaFor(object), object, "", errors, { resolve: (schema) => schema, builtIn: false });
  }
}

/** Everything but metadata counts, and the status only where it is no subresource. */
function generationFields(object: KubeObject, old: KubeObject | undefined, status: boolean): readonly string[] {
  const fields = new Set([...Object.keys(object), ...Object.keys(old ?? {})]);
  for (const field of ["apiVersion", "kind", "metadata", ...(status ? ["status"] : [])]) fields.delete(field);
  return [...fields];
}

/** Versions differ in nothing but their name: there is no conversion by webhook. */
function inVersion(object: KubeObject, apiVersion: string): KubeObject {
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}

function subresourcesOf(version: JsonObject): { status: boolean; scale?: ScalePaths } {
  const subresources = objectAt(version, "subresources");
  const status = subresources["status"] !== undefined;
  if (subresources["scale"] === undefined) return { status };
  const scale = objectAt(subresources, "scale");
  const selector = textAt(scale, "labelSelectorPath");
  const paths = {
    specReplicas: textAt(scale, "specReplicasPath"),
    statusReplicas: textAt(scale, "statusReplicasPath"),
  };
  return { status, scale: selector === "" ? paths : { ...paths, selector } };
}

function columnsOf(version: JsonObject): readonly PrinterColumn[] {
  const columns = objectsAt(version, "additionalPrinterColumns").map((column) => ({
    name: textAt(column, "name"),
    type: textAt(column, "type"),
    format: textAt(column, "format"),
    description: textAt(column, "description"),
    priority: typeof column["priority"] === "number" ? column["priority"] : 0,
    jsonPath: textAt(column, "jsonPath"),
  }));
  return columns.length > 0 ? columns : [AGE];
}

const AGE: PrinterColumn = {
  name: "Age",
  type: "date",
  format: "",
  description: "CreationTimestamp is a timestamp representing the server time when this object was created.",
  priority: 0,
  jsonPath: ".metadata.creationTimestamp",
};

/** The newest stable version first: v2, v1, v1beta2, v1beta1, v1alpha1, and then what is named otherwise. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [versionRank(a), versionRank(b)];
  for (const [index, value] of left.entries()) {
    const difference = (right[index] ?? 0) - value;
    if (difference !== 0) return difference;
  }
  return a < b ? -1 : 1;
}

function versionRank(version: string): readonly number[] {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (match === null) return [0, 0, 0];
  const stage = match[2] === undefined ? 3 : match[2] === "beta" ? 2 : 1;
  return [stage, Number(match[1]), Number(match[3] ?? 0)];
}

function textsOf(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((item) => typeof item === "string") : [];
}
