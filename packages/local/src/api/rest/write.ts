import { ApiError, type KubeObject } from "@bowline/kube";
import { applyPatch } from "../../schema/patch/apply-patch.ts";
import type { ResourceType, WriteKind } from "../../schema/resource-type.ts";
import { denial } from "../auth/denial.ts";
import { readObject, readPatch } from "../http/body.ts";
import type { Exchange } from "../http/exchange.ts";
import { isSet } from "../http/request-info.ts";
import type { ServerParts } from "../parts.ts";
import { resourceName, timestamp } from "../write/metadata.ts";
import { showObject, type Target, viewOf } from "./objects.ts";

const APPLY = /^application\/apply-patch\+(yaml|json)$/;

/** The object itself, its status, or a namespace's finalizers: what of the sent object counts. */
export type Part = "" | "status" | "finalize";

/** POST to a collection. */
export async function serveCreate(parts: ServerParts, exchange: Exchange, target: Target): Promise<void> {
  const view = viewOf(exchange);
  const object = decode(parts, exchange, target.type, target, await readObject(exchange.request));
  placeIn(target, object);
  const stored = await parts.writer.create(target.type, object, exchange.writeContext());
  exchange.send(201, showObject(target, stored, view), view.format);
}

/** PUT of an object. */
export async function serveReplace(parts: ServerParts, exchange: Exchange, target: Target, part: Part): Promise<void> {
  const view = viewOf(exchange);
  const { type, namespace, name } = target;
  const sent = decode(parts, exchange, type, target, await readObject(exchange.request));
  placeIn(target, sent);
  checkName(target, sent);
  const object = type.toStored(sent);
  const edit = (): KubeObject => structuredClone(object);
  const stored = await parts.writer.update(type, namespace, name, edit, exchange.writeContext(), updateOptions(part));
  exchange.send(200, showObject(target, stored, view), view.format);
}

/** PATCH of an object. Server-side apply may also create it. */
export async function servePatch(parts: ServerParts, exchange: Exchange, target: Target, part: Part): Promise<void> {
  const view = viewOf(exchange);
  const { patch, contentType } = await readPatch(exchange.request);
  const { type, namespace, name } = target;
  const applies = APPLY.test(contentType);
  const patchOptions = {
    fieldManager: applies ? (exchange.query.get("fieldManager") ?? "") : exchange.fieldManager,
    force: isSet(exchange.query, "force"),
    now: timestamp(Date.now()),
    ...(part === "status" ? { subresource: "status" as const } : {}),
  };
  if (applies && patchOptions.fieldManager === "") {
    throw ApiError.badRequest(
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    );
  }
  const patched = (old: KubeObject | undefined): KubeObject => {
    const shown = old === undefined ? undefined : type.fromStored(old, target.version);
    const result = applyPatch(type, shown, patch, contentType, patchOptions);
    const decoded = decode(parts, exchange, type, target, result);
    placeIn(target, decoded);
    checkName(target, decoded);
    return type.toStored(decoded === shown ? structuredClone(decoded) : decoded);
  };
  const context = exchange.writeContext();
  const options = { ...updateOptions(part), ...(applies ? { managedFields: "none" as const } : {}) };
  const exists = parts.store.get(type.storedAs, namespace, name) !== undefined;
  if (!exists && applies && part === "") {
    assertMayCreate(parts, exchange, target);
    const { fieldManager: _, ...unrecorded } = context;
    const created = await parts.writer.create(type, patched(undefined), unrecorded);
    exchange.send(201, showObject(target, created, view), view.format);
    return;
  }
  const stored = await parts.writer.update(type, namespace, name, patched, context, options);
  exchange.send(200, showObject(target, stored, view), view.format);
}

/** Throws ApiError 403: the permission to patch, which was asked for first, is not enough to make what is not there. */
function assertMayCreate({ rbac }: ServerParts, { user }: Exchange, { type, namespace, name }: Target): void {
  const access = { verb: "create", group: type.group, resource: type.plural, namespace, name };
  if (rbac.allows(user, access) === undefined) throw denial(user, access);
}

/** The sent object as one of the type; what of it is unknown is warned of. */
function decode(
  parts: ServerParts,
  exchange: Exchange,
  type: ResourceType,
  { version }: Pick<Target, "version">,
  body: unknown,
): KubeObject {
  if (body === undefined) {
    throw ApiError.badRequest(`the body of the request is empty: expected a ${type.kind}`);
  }
  const sent = withKind(type, version, body);
  const { object, warnings } = parts.registry.decode(type, sent, exchange.fieldValidation);
  for (const warning of warnings) exchange.warn(warning);
  return object;
}

/** Typed clients leave kind and version to the URL. */
function withKind(type: ResourceType, version: string, body: unknown): unknown {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return body;
  const { apiVersion, kind } = body as Partial<KubeObject>;
  if (apiVersion !== undefined && kind !== undefined) return body;
  const own = type.group === "" ? version : `${type.group}/${version}`;
  return { ...body, apiVersion: apiVersion ?? own, kind: kind ?? type.kind };
}

/** Gives the object the namespace of the request; one of its own must be the same. */
function placeIn({ type, namespace }: Target, object: KubeObject): void {
  const own = object.metadata.namespace ?? "";
  if (own !== "" && own !== namespace) {
    const message = type.namespaced
      ? "the namespace of the provided object does not match the namespace sent on the request"
      : "namespace must not be set on cluster-scoped objects";
    throw ApiError.badRequest(message);
  }
  if (type.namespaced) object.metadata.namespace = namespace;
  else delete object.metadata.namespace;
}

function checkName({ type, name }: Target, object: KubeObject): void {
  const own = object.metadata.name ?? "";
  if (own === "") object.metadata.name = name;
  else if (own !== name) {
    throw ApiError.badRequest(
      `the name of the object (${own}) does not match the name on the URL (${name}) of ${resourceName(type)}`,
    );
  }
}

function updateOptions(part: Part): { subresource?: string; write?: WriteKind } {
  if (part === "") return {};
  return { subresource: part, write: part === "status" ? "status" : "update" };
}
