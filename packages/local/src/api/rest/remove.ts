import { ApiError, type KubeObject } from "@bowline/kube";
import { readObject } from "../http/body.ts";
import type { Exchange } from "../http/exchange.ts";
import { isSet } from "../http/request-info.ts";
import type { ServerParts } from "../parts.ts";
import type { WriteContext } from "../write/context.ts";
import type { DeleteOptions } from "../write/deletion.ts";
import { selected } from "./list.ts";
import { showList, type Target, viewOf } from "./objects.ts";
import { selectionOf } from "./selection.ts";

interface SentOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: string;
  orphanDependents?: boolean;
  preconditions?: { uid?: string; resourceVersion?: string };
  dryRun?: string[];
}

/** DELETE of an object. */
export async function serveDelete(parts: ServerParts, exchange: Exchange, target: Target): Promise<void> {
  const { type, namespace, name } = target;
  const { options, context } = await readOptions(exchange);
  const { object, gone } = await parts.deleter.delete(type, namespace, name, options, context);
  // Namespaces are always told back, so that clients see them terminating.
  if (!gone) return exchange.send(200, type.fromStored(object, target.version));
  const { uid } = object.metadata;
  exchange.send(200, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { name, ...(type.group === "" ? {} : { group: type.group }), kind: type.plural, uid },
  });
}

/** DELETE of a collection: of what is selected when the request comes. */
export async function serveDeleteCollection(parts: ServerParts, exchange: Exchange, target: Target): Promise<void> {
  const view = viewOf(exchange);
  const { type } = target;
  const { options, context } = await readOptions(exchange);
  const selection = selectionOf(type, target.namespace, exchange.query);
  const objects = selected(parts.store, type.storedAs, selection);
  for (const { metadata } of objects) {
    try {
      await parts.deleter.delete(
        type,
        metadata.namespace ?? "",
        metadata.name,
        { ...options, ...uidOf(metadata) },
        context,
      );
    } catch (error) {
      // Somebody else deleted it meanwhile.
      if (!(error instanceof ApiError) || (error.code !== 404 && error.code !== 409)) throw error;
    }
  }
  exchange.send(200, showList(target, objects, view, { resourceVersion: String(parts.store.version) }), view.format);
}

function uidOf({ uid }: KubeObject["metadata"]): { uid?: string } {
  return uid === undefined ? {} : { uid };
}

/** DeleteOptions come in the body, as parameters, or both. */
async function readOptions(exchange: Exchange): Promise<{ options: DeleteOptions; context: WriteContext }> {
  const body = await readObject(exchange.request);
  if (body !== undefined && (typeof body !== "object" || body === null || Array.isArray(body))) {
    throw ApiError.badRequest("the body of the request is not DeleteOptions");
  }
  const sent = (body ?? {}) as SentOptions;
  const dryRun = exchange.dryRun || (sent.dryRun?.includes("All") ?? false);
  return { options: optionsOf(sent, exchange.query), context: exchange.writeContext(dryRun) };
}

function optionsOf(sent: SentOptions, query: URLSearchParams): DeleteOptions {
  const grace = sent.gracePeriodSeconds ?? numberOf(query.get("gracePeriodSeconds"));
  const propagation = propagationOf(sent, query);
  const { uid, resourceVersion } = sent.preconditions ?? {};
  return {
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(propagation === undefined ? {} : { propagation }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

function propagationOf(sent: SentOptions, query: URLSearchParams): DeleteOptions["propagation"] {
  const policy = sent.propagationPolicy ?? query.get("propagationPolicy") ?? "";
  if (policy === "Background" || policy === "Foreground" || policy === "Orphan") return policy;
  if (policy !== "") {
    const supported = 'supported values: "Background", "Foreground", "Orphan"';
    const cause = { field: "propagationPolicy", message: `Unsupported value: ${JSON.stringify(policy)}: ${supported}` };
    throw ApiError.invalid("DeleteOptions", "", [cause], "meta.k8s.io");
  }
  const orphan =
    sent.orphanDependents ?? (query.has("orphanDependents") ? isSet(query, "orphanDependents") : undefined);
  if (orphan === undefined) return undefined;
  return orphan ? "Orphan" : "Background";
}

function numberOf(text: string | null): number | undefined {
  if (text === null || text === "") return undefined;
  if (/^-?\d{1,10}$/.test(text)) return Number(text);
  throw ApiError.badRequest(`gracePeriodSeconds: Invalid value: ${JSON.stringify(text)}`);
}
