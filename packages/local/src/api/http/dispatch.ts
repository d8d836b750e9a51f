import { ApiError } from "@bowline/kube";
import type { ServerParts } from "../parts.ts";
import { serveEviction } from "../rest/eviction.ts";
import { type Snapshots, serveList } from "../rest/list.ts";
import { serveLog } from "../rest/log.ts";
import { showObject, type Target, viewOf } from "../rest/objects.ts";
import { serveProxy } from "../rest/proxy.ts";
import { serveDelete, serveDeleteCollection } from "../rest/remove.ts";
import { REVIEWS } from "../rest/reviews.ts";
import { find, serveBinding, serveScale, serveTokenRequest } from "../rest/subresources.ts";
import { serveWatch } from "../rest/watch.ts";
import { type Part, serveCreate, servePatch, serveReplace } from "../rest/write.ts";
import { sendNotServed } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import type { ResourceRequest } from "./request-info.ts";

/** Answers a request about objects, once it is known to be allowed. */
export async function dispatch(
  parts: ServerParts,
  snapshots: Snapshots,
  exchange: Exchange,
  info: ResourceRequest,
): Promise<void> {
  const review = info.version === "v1" ? REVIEWS.get(`${info.group}/${info.resource}`) : undefined;
  if (review !== undefined) {
    // Who may ask in a namespace may ask about that namespace only.
    const local = info.resource === "localsubjectaccessreviews";
    if (info.name !== "" || (info.namespace !== "") !== local) return sendNotServed(exchange.response);
    if (exchange.method !== "POST") throw ApiError.methodNotAllowed(exchange.method);
    return review(parts, exchange, info.namespace);
  }
  const target = targetOf(parts, info);
  if (target === undefined) return sendNotServed(exchange.response);
  if (info.subresource !== "") return dispatchSubresource(parts, exchange, target, info);
  if (!allowsVerb(target, info.verb)) throw ApiError.methodNotAllowed(exchange.method);
  switch (info.verb) {
    case "get":
      return serveGet(parts, exchange, target);
    case "list":
      return serveList(parts, snapshots, exchange, target);
    case "watch":
      return serveWatch(parts, exchange, target);
    case "create":
      return serveCreate(parts, exchange, creationTarget(target));
    case "update":
      return serveReplace(parts, exchange, target, "");
    case "patch":
      return servePatch(parts, exchange, target, "");
    case "delete":
      return serveDelete(parts, exchange, target);
    default:
      return serveDeleteCollection(parts, exchange, target);
  }
}

/** The resource that a request is about; undefined when there is none of that name and scope. */
export function targetOf(parts: ServerParts, info: ResourceRequest): Target | undefined {
  const type = parts.registry.find(info.group, info.resource);
  if (type === undefined || !type.versions.includes(info.version)) return undefined;
  const { name, version } = info;
  // The namespace of a request for a namespace is the object itself, and never another one: it is authorized there.
  const namespace = type.storedAs === "namespaces" && info.namespace === name ? "" : info.namespace;
  if (!type.namespaced && namespace !== "") return undefined;
  const about = info.verb !== "list" && info.verb !== "watch" && info.verb !== "deletecollection";
  if (type.namespaced && namespace === "" && about) return undefined;
  return { type, version, namespace, name };
}

async function dispatchSubresource(
  parts: ServerParts,
  exchange: Exchange,
  target: Target,
  info: ResourceRequest,
): Promise<void> {
  const { type } = target;
  const { subresource } = info;
  const { method } = exchange;
  if (subresource === "status" && type.subresources.status) return serveParts(parts, exchange, target, "status");
  if (subresource === "scale" && type.subresources.scale !== undefined) {
    return only(exchange, ["GET", "PUT", "PATCH"], () => serveScale(parts, exchange, target));
  }
  switch (`${type.storedAs}/${subresource}`) {
    case "namespaces/finalize":
      return only(exchange, ["PUT"], () => serveParts(parts, exchange, target, "finalize"));
    case "pods/log":
      return only(exchange, ["GET"], () => serveLog(parts, exchange, target));
    case "pods/binding":
      return only(exchange, ["POST"], () => serveBinding(parts, exchange, target));
    case "pods/eviction":
      return only(exchange, ["POST"], () => serveEviction(parts, exchange, target));
    case "pods/proxy":
    case "services/proxy":
      return serveProxy(parts, exchange, target, info.rest, searchOf(exchange));
    case "pods/exec":
    case "pods/attach":
    case "pods/portforward":
      find(parts, target);
      throw ApiError.badRequest("Upgrade request required");
    case "serviceaccounts/token":
      return only(exchange, ["POST"], () => serveTokenRequest(parts, exchange, target));
    default:
      return method === "OPTIONS"
        ? Promise.reject(ApiError.methodNotAllowed(method))
        : sendNotServed(exchange.response);
  }
}

async function serveParts(parts: ServerParts, exchange: Exchange, target: Target, part: Part): Promise<void> {
  switch (exchange.method) {
    case "GET":
      return serveGet(parts, exchange, target);
    case "PUT":
      return serveReplace(parts, exchange, target, part);
    case "PATCH":
      return servePatch(parts, exchange, target, part);
    default:
      throw ApiError.methodNotAllowed(exchange.method);
  }
}

function serveGet(parts: ServerParts, exchange: Exchange, target: Target): void {
  const view = viewOf(exchange);
  exchange.send(200, showObject(target, find(parts, target), view), view.format);
}

function only(exchange: Exchange, methods: readonly string[], serve: () => Promise<void>): Promise<void> {
  if (!methods.includes(exchange.method)) throw ApiError.methodNotAllowed(exchange.method);
  return serve();
}

/** A POST names its object in the body, or (as Kubernetes never does) nowhere. */
function creationTarget(target: Target): Target {
  if (target.name !== "") throw ApiError.methodNotAllowed("POST");
  return target;
}

function allowsVerb({ type }: Target, verb: string): boolean {
  return (type.verbs as readonly string[]).includes(verb);
}

function searchOf({ request }: Exchange): string {
  const url = request.url ?? "";
  const at = url.indexOf("?");
  return at < 0 ? "" : url.slice(at);
}
