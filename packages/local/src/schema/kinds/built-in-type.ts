import type { KubeObject } from "@bowline/kube";
import { type DefinitionName, definitionOf, resolveDefinition } from "../definitions/definitions.ts";
import type { PrepareOptions, ResourceType, ScalePaths, Verb, WriteKind } from "../resource-type.ts";
import { validateValue } from "../structural/validate.ts";
import type { FieldErrors } from "../validation/field-errors.ts";
import type { CatalogEntry } from "./catalog.ts";
import { eventFromStored, eventToStored } from "./event-versions.ts";
import { prepareObject } from "./prepare.ts";

export const ALL_VERBS: readonly Verb[] = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
];

/** A kind of the catalog. */
export class BuiltInType implements ResourceType {
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
  readonly custom = false;
  readonly definition: DefinitionName;
  readonly #entry: CatalogEntry;

  constructor(entry: CatalogEntry) {
    const { group, version, plural, kind, namespaced, shortNames, categories, status, scale } = entry;
    this.#entry = entry;
    this.group = group;
    this.version = version;
    this.versions = [version];
    this.plural = plural;
    this.singular = kind.toLowerCase();
    this.kind = kind;
    this.listKind = `${kind}List`;
    this.namespaced = namespaced;
    this.shortNames = shortNames;
    this.categories = categories;
    this.subresources = scale === undefined ? { status } : { status, scale };
    this.storedAs = entry.storedAs ?? (group === "" ? plural : `${plural}.${group}`);
    this.definition = entry.definition;
  }

  toStored(object: KubeObject): KubeObject {
    return this.#storedElsewhere() ? eventToStored(object) : object;
  }

  fromStored(stored: KubeObject, _version: string): KubeObject {
    return this.#storedElsewhere() ? eventFromStored(stored) : stored;
  }

  setDefaults(object: KubeObject): void {
    this.#entry.rules.defaults?.(object);
  }

  prepare(object: KubeObject, write: WriteKind, options: PrepareOptions = {}): void {
    prepareObject(object, write, options, {
      group: this.group,
      kind: this.kind,
      namespaced: this.namespaced,
      status: this.subresources.status,
      rules: this.#entry.rules,
      validateSchema: (whole, kind, errors) => this.#validateSchema(whole, kind, errors),
    });
  }

  /** What is required and what are enums. Statuses are written by the cluster itself. */
  #validateSchema(object: KubeObject, write: WriteKind, errors: FieldErrors): void {
    if (write === "status" || this.#storedElsewhere()) return;
    const { properties = {}, required = [] } = definitionOf(this.definition);
    for (const [field, schema] of Object.entries(properties)) {
      const value = object[field];
      if (value === undefined && required.includes(field)) errors.required(field);
      if (value === undefined || SELF_EVIDENT.has(field)) continue;
      validateValue(schema, value, field, errors, { resolve: resolveDefinition, builtIn: true });
    }
  }

  #storedElsewhere(): boolean {
    return this.#entry.storedAs !== undefined;
  }
}

const SELF_EVIDENT: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata", "status"]);
