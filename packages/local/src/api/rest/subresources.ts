import { ApiError, type KubeObject, type Pod, type TokenRequest } from "@bowline/kube";
import { applyPatch } from "../../schema/patch/apply-patch.ts";
import { scaleOf, withScale } from "../../schema/scale.ts";
import { TOKEN_SECONDS_DEFAULT } from "../auth/service-account-tokens.ts";
import { readObject, readPatch } from "../http/body.ts";
import type { Exchange } from "../http/exchange.ts";
import type { ServerParts } from "../parts.ts";
import { resourceName, timestamp } from "../write/metadata.ts";
import type { Target } from "./objects.ts";

/** GET, PUT and PATCH of `scale`: an object's replicas as autoscaling/v1 shows them. */
export async function serveScale(parts: ServerParts, exchange: Exchange, target: Target): Promise<void> {
  const { type, namespace, name } = target;
  const current = find(parts, target);
  if (exchange.method === "GET") return exchange.send(200, scaleOf(type, current));
  const edit = await scaleEdit(exchange, target);
  const options = { subresource: "scale" };
  const stored = await parts.writer.update(type, namespace, name, edit, exchange.writeContext(), options);
  exchange.send(200, scaleOf(type, stored));
}

async function scaleEdit(exchange: Exchange, { type }: Target): Promise<(old: KubeObject) => KubeObject> {
  if (exchange.method === "PUT") {
    const scale = asObject(await readObject(exchange.request), "Scale");
    return (old) => withVersionOf(scale, withScale(type, old, scale));
  }
  const { patch, contentType } = await readPatch(exchange.request);
  const options = { fieldManager: exchange.fieldManager, now: timestamp(Date.now()), subresource: "scale" as const };
  return (old) => {
    const scale = applyPatch(type, scaleOf(type, old), patch, contentType, options);
    return withVersionOf(scale, withScale(type, old, scale));
  };
}

/** A Scale that names a version must meet that version. */
function withVersionOf({ metadata }: KubeObject, object: KubeObject): KubeObject {
  const { resourceVersion } = (metadata as KubeObject["metadata"] | undefined) ?? { name: "" };
  const version = resourceVersion === undefined || resourceVersion === "" ? {} : { resourceVersion };
  return { ...object, metadata: { ...object.metadata, ...version } };
}

/** POST of a Binding: what a scheduler says. */
export async function serveBinding(parts: ServerParts, exchange: Exchange, target: Target): Promise<void> {
  const binding = asObject(await readObject(exchange.request), "Binding");
  const node = (binding["target"] as { name?: unknown } | undefined)?.name;
  const { type, namespace, name } = target;
  if (typeof node !== "string" || node === "") {
    const cause = { field: "target.name", message: "Required value", reason: "FieldValueRequired" };
    throw ApiError.invalid("Binding", name, [cause]);
  }
  const edit = (old: KubeObject): KubeObject => {
    const pod = structuredClone(old) as Pod;
    const assigned = pod.spec?.nodeName ?? "";
    if (assigned !== "")
      throw ApiError.conflict(
        "pods/binding",
        name,
        `pod ${name} is already assigned to node ${JSON.stringify(assigned)}`,
      );
    return { ...pod, spec: { ...pod.spec, nodeName: node } };
  };
  await parts.writer.update(type, namespace, name, edit, exchange.writeContext(), { subresource: "binding" });
  exchange.send(201, success());
}

type SentTokenRequest = KubeObject & { readonly spec?: Partial<NonNullable<TokenRequest["spec"]>> };

/** POST of a TokenRequest to a service account. */
export async function serveTokenRequest(parts: ServerParts, exchange: Exchange, target: Target): Promise<void> {
  const request = asObject(await readObject(exchange.request), "TokenRequest") as SentTokenRequest;
  const { audiences = [], expirationSeconds = TOKEN_SECONDS_DEFAULT, boundObjectRef } = request.spec ?? {};
  const { kind, name = "", uid } = boundObjectRef ?? {};
  if (kind !== undefined && kind !== "Pod" && kind !== "Secret") {
    const message = `Unsupported value: ${JSON.stringify(kind)}: supported values: "Pod", "Secret"`;
    throw ApiError.invalid(
      "TokenRequest",
      target.name,
      [{ field: "spec.boundObjectRef.kind", message }],
      "authentication.k8s.io",
    );
  }
  const { token, expiresAtMs } = await parts.tokens.issue({
    namespace: target.namespace,
    serviceAccount: target.name,
    expirationSeconds,
    ...(audiences.length === 0 ? {} : { audiences }),
    ...(kind === undefined ? {} : { boundTo: { kind, name, ...(uid === undefined ? {} : { uid }) } }),
  });
  const { apiVersion: _, kind: __, ...rest } = request;
  exchange.send(201, {
    ...rest,
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    metadata: { name: target.name, namespace: target.namespace, creationTimestamp: timestamp(Date.now()) },
    spec: { ...request.spec, expirationSeconds },
    status: { token, expirationTimestamp: timestamp(expiresAtMs) },
  });
}

/** The stored object a request names, or ApiError 404. */
export function find(parts: ServerParts, { type, namespace, name }: Target): KubeObject {
  const object = parts.store.get(type.storedAs, namespace, name);
  if (object === undefined) throw ApiError.notFound(resourceName(type), name);
  return object;
}

/** A body that has to be an object of `kind`, where the registry has no such kind. */
export function asObject(body: unknown, kind: string): KubeObject {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw ApiError.badRequest(`the body of the request is not a ${kind}`);
  }
  const sent = (body as Partial<KubeObject>).kind ?? kind;
  if (sent !== kind) throw ApiError.badRequest(`the object provided is a ${sent}, not a ${kind}`);
  return body as KubeObject;
}

export function success(): unknown {
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
}
