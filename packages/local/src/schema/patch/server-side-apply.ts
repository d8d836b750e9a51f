import { ApiError, type KubeObject } from "@bowline/kube";
import { dropUnknownFields } from "../decode.ts";
import { resolveDefinition } from "../definitions/definitions.ts";
import type { PatchOptions, ResourceType } from "../resource-type.ts";
import { isObject, type Schema, sameJson } from "../schema.ts";
import {
  childAt,
  childSchema,
  difference,
  type FieldTree,
  fieldsOf,
  isEmpty,
  mergeApplied,
  removeFields,
  union,
} from "./field-tree.ts";
import { isSameManager, type Manager, managedPart, readManagers, without, writeManagers } from "./managed-fields.ts";
import { rootSchema } from "./schema-view.ts";

/**
 * Server-side apply: sets what the configuration says, removes what the same manager applied before and no longer does (unless another manager
 * owns it), and notes who owns what.
 * @param live undefined: the configuration is the new object
 * @throws ApiError 409 naming each field that another manager has set otherwise, unless `force` takes them over
 */
export function serverSideApply(
  type: ResourceType,
  live: KubeObject | undefined,
  patch: unknown,
  options: PatchOptions,
): KubeObject {
  const manager = options.fieldManager ?? "";
  if (manager === "") throw ApiError.badRequest("fieldManager is required for apply patch");
  const given = assertConfiguration(type, patch);
  const schema = rootSchema(type, given.apiVersion);
  const config = managedPart(given);
  for (const field of Object.keys(config)) {
    if (field === "metadata") continue;
    const ofStatus = field === "status" && type.subresources.status;
    if (ofStatus !== (options.subresource === "status")) delete config[field];
  }
  const own = {
    manager,
    operation: "Apply",
    apiVersion: given.apiVersion,
    ...(options.subresource === undefined ? {} : { subresource: options.subresource }),
  } as const;
  const wanted = fieldsOf(schema, config);
  const result = live === undefined ? given : structuredClone(live);
  let others = live === undefined ? [] : managersOf(type, live);
  const previous = others.find((entry) => isSameManager(entry, own));
  others = others.filter((entry) => entry !== previous);
  if (live !== undefined) {
    mergeApplied(schema, result, config);
    others = settleConflicts(type, live, result, wanted, others, options.force === true);
    if (given.metadata.resourceVersion !== undefined) result.metadata.resourceVersion = given.metadata.resourceVersion;
    const heldByOthers = others.reduce<FieldTree>((all, entry) => union(all, entry.fields), {});
    removeFields(schema, result, difference(difference(previous?.fields ?? {}, wanted), heldByOthers));
  }
  const unchanged = previous !== undefined && sameJson(previous.fields, wanted);
  const time = unchanged ? previous.time : options.now;
  writeManagers(result, [{ ...own, ...(time === undefined ? {} : { time }), fields: wanted }, ...others]);
  return result;
}

/** The configuration, with fields that its type knows. */
function assertConfiguration(type: ResourceType, patch: unknown): KubeObject {
  if (!isObject(patch)) throw ApiError.badRequest("error decoding YAML: an applied configuration is an object");
  const given = structuredClone(patch) as KubeObject;
  if (given.kind !== type.kind)
    throw ApiError.badRequest(`invalid object: kind is ${JSON.stringify(given.kind)}, expected ${type.kind}`);
  if (!isObject(given.metadata)) given.metadata = { name: "" };
  if (Array.isArray(given.metadata.managedFields) && given.metadata.managedFields.length > 0) {
    throw ApiError.badRequest("metadata.managedFields must be nil");
  }
  const schema = rootSchema(type, given.apiVersion);
  const options = { kind: type.kind, version: given.apiVersion, resolve: resolveDefinition, typed: !type.custom };
  const { apiVersion, kind, ...fields } = given;
  const unknown = dropUnknownFields(schema, fields, options);
  if (unknown.length > 0) {
    const [first = ""] = unknown;
    const what = `${given.metadata.namespace ?? ""}/${given.metadata.name}; ${apiVersion}, Kind=${kind}`;
    throw ApiError.badRequest(`failed to create typed patch object (${what}): .${first}: field not declared in schema`);
  }
  return given;
}

/** What was never noted belongs to a manager of that name, as in Kubernetes. */
function managersOf(type: ResourceType, live: KubeObject): Manager[] {
  const managers = readManagers(live.metadata.managedFields);
  if (managers.length > 0) return managers;
  const fields = fieldsOf(rootSchema(type, live.apiVersion), managedPart(live));
  return [{ manager: "before-first-apply", operation: "Update", apiVersion: live.apiVersion, fields }];
}

/**
 * @param merged what becomes of the live object. With its defaults it is compared, so that a configuration may leave them out of values
 * that are owned as a whole.
 * @returns the other managers, without what was taken from them
 */
function settleConflicts(
  type: ResourceType,
  live: KubeObject,
  merged: KubeObject,
  wanted: FieldTree,
  others: readonly Manager[],
  force: boolean,
): Manager[] {
  const schema = rootSchema(type, live.apiVersion);
  const after = structuredClone(merged);
  type.setDefaults(after);
  const conflicts: { manager: Manager; field: string }[] = [];
  const settled = others.map((manager) => {
    const taken: FieldTree = {};
    for (const { path, keys } of conflictsIn(schema, wanted, manager.fields, live, after)) {
      conflicts.push({ manager, field: path });
      addPath(taken, keys);
    }
    return isEmpty(taken) ? manager : { ...manager, fields: without(manager.fields, taken) };
  });
  if (conflicts.length > 0 && !force) refuse(conflicts);
  return settled;
}

interface Conflict {
  readonly path: string;
  readonly keys: readonly string[];
}

/** Fields that both want, with values that differ. */
function conflictsIn(schema: Schema, wanted: FieldTree, theirs: FieldTree, live: unknown, after: unknown): Conflict[] {
  return Object.entries(wanted).flatMap(([key, below]): Conflict[] => {
    const other = theirs[key];
    if (other === undefined || key === "." || key.startsWith("v:")) return [];
    const [now, asked] = [childAt(schema, live, key), childAt(schema, after, key)];
    if (now === undefined || sameJson(now, asked)) return [];
    const path = pathOf(key);
    if (isEmpty(below) || isEmpty(other)) return [{ path, keys: [key] }];
    return conflictsIn(childSchema(schema, key), below, other, now, asked).map((found) => ({
      path: `${path}${found.path}`,
      keys: [key, ...found.keys],
    }));
  });
}

function pathOf(key: string): string {
  if (key.startsWith("f:")) return `.${key.slice(2)}`;
  const named: unknown = JSON.parse(key.slice(2));
  if (!isObject(named)) return `[=${key.slice(2)}]`;
  return `[${Object.entries(named)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(",")}]`;
}

function addPath(tree: FieldTree, keys: readonly string[]): void {
  let at = tree;
  for (const key of keys) {
    const below = at[key] ?? {};
    at[key] = below;
    at = below;
  }
}

function refuse(conflicts: readonly { manager: Manager; field: string }[]): never {
  const by = new Map<string, string[]>();
  for (const { manager, field } of conflicts) {
    const who = `"${manager.manager}"${manager.subresource === undefined ? "" : ` with subresource "${manager.subresource}"`} using ${manager.apiVersion}`;
    by.set(who, [...(by.get(who) ?? []), field]);
  }
  const said = [...by].map(([who, fields]) =>
    fields.length === 1
      ? `conflict with ${who}: ${fields[0] ?? ""}`
      : `conflicts with ${who}:\n${fields.map((field) => `- ${field}`).join("\n")}`,
  );
  const count = `${conflicts.length} conflict${conflicts.length === 1 ? "" : "s"}`;
  const causes = [...by].flatMap(([who, fields]) =>
    fields.map((field) => ({ reason: "FieldManagerConflict", message: `conflict with ${who}`, field })),
  );
  throw new ApiError(409, "Conflict", `Apply failed with ${count}: ${said.join("\n")}`, { causes });
}
