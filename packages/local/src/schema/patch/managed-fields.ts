import type { KubeObject, ManagedFieldsEntry } from "@bowline/kube";
import type { ResourceType } from "../resource-type.ts";
import { isObject, type JsonObject, omit } from "../schema.ts";
import { changedFields, difference, type FieldTree, fieldsOf, isEmpty, union } from "./field-tree.ts";
import { rootSchema } from "./schema-view.ts";

/** An entry of metadata.managedFields, with its fields read. */
export interface Manager {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly time?: string;
  readonly subresource?: string;
  readonly fields: FieldTree;
}

/**
 * Notes in metadata.managedFields what a writer changed: it owns what it set, and others no longer own what it took from them.
 * @param old the stored object; undefined when it is created
 * @param object is changed: only its metadata
 * @param now RFC 3339
 */
export function recordUpdate(
  type: ResourceType,
  old: KubeObject | undefined,
  object: KubeObject,
  manager: string,
  now: string,
  subresource?: string,
): void {
  const schema = rootSchema(type, object.apiVersion);
  const [before, after] = [old === undefined ? undefined : managedPart(old), managedPart(object)];
  const changed = changedFields(schema, before, after);
  const removed = before === undefined ? {} : difference(fieldsOf(schema, before), fieldsOf(schema, after));
  const managers = readManagers(object.metadata.managedFields ?? old?.metadata.managedFields);
  if (isEmpty(changed) && isEmpty(removed)) {
    writeManagers(object, managers);
    return;
  }
  const own = {
    manager,
    operation: "Update",
    apiVersion: object.apiVersion,
    ...(subresource ? { subresource } : {}),
  } as const;
  const mine = managers.find((entry) => isSameManager(entry, own));
  const lost = union(changed, removed);
  const others = managers
    .filter((entry) => entry !== mine)
    .map((entry) => ({ ...entry, fields: without(entry.fields, lost) }));
  const fields = union(without(mine?.fields ?? {}, removed), changed);
  writeManagers(object, [...others, { ...own, time: now, fields }]);
}

export function readManagers(entries: readonly ManagedFieldsEntry[] | undefined): Manager[] {
  return (entries ?? []).flatMap((entry) => {
    const { manager, operation, apiVersion, time, subresource, fieldsV1 } = entry;
    if (manager === undefined || !isObject(fieldsV1) || apiVersion === undefined) return [];
    return {
      manager,
      operation: operation === "Apply" ? "Apply" : "Update",
      apiVersion,
      ...(time === undefined ? {} : { time }),
      ...(subresource === undefined || subresource === "" ? {} : { subresource }),
      fields: fieldsV1 as FieldTree,
    } satisfies Manager;
  });
}

/** Entries that own nothing are left out. */
export function writeManagers(object: KubeObject, managers: readonly Manager[]): void {
  const entries = managers
    .filter((entry) => !isEmpty(entry.fields))
    .map(({ fields, ...entry }) => ({ ...entry, fieldsType: "FieldsV1", fieldsV1: fields }));
  if (entries.length === 0) delete object.metadata.managedFields;
  else object.metadata.managedFields = entries as ManagedFieldsEntry[];
}

export function isSameManager(
  a: Pick<Manager, "manager" | "operation" | "subresource">,
  b: Pick<Manager, "manager" | "operation" | "subresource">,
): boolean {
  return a.manager === b.manager && a.operation === b.operation && (a.subresource ?? "") === (b.subresource ?? "");
}

/** An object without what no client owns: its kind, its name and what the server writes. */
export function managedPart(object: KubeObject): JsonObject {
  const fields = omit(object, "apiVersion", "kind", "metadata");
  const owned = Object.fromEntries(Object.entries(object.metadata).filter(([name]) => OWNED_METADATA.has(name)));
  return Object.keys(owned).length === 0 ? fields : { metadata: owned, ...fields };
}

const OWNED_METADATA: ReadonlySet<string> = new Set([
  "annotations",
  "finalizers",
  "generateName",
  "labels",
  "ownerReferences",
]);

/** As `difference`, but an item stays known to be owned as long as anything in it is. */
export function without(fields: FieldTree, lost: FieldTree): FieldTree {
  const result: FieldTree = {};
  for (const [key, below] of Object.entries(fields)) {
    const other = lost[key];
    if (other === undefined) result[key] = below;
    else if (!isEmpty(below) && !isEmpty(other)) {
      const rest =
        other["."] === undefined || below["."] === undefined ? without(below, other) : difference(below, other);
      if (!isEmpty(rest)) result[key] = rest;
    }
  }
  return result;
}
