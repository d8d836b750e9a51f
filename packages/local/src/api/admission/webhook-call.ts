import { randomUUID } from "node:crypto";
import { ApiError, type KubeObject, type MutatingWebhook, type Service, type ValidatingWebhook } from "@bowline/kube";
import type { RelayNetwork } from "../network.ts";
import { endpointOf } from "../services/endpoints.ts";
import type { Store } from "../storage/store.ts";
import type { AdmissionAttributes } from "../write/context.ts";

/** What a webhook said, in an AdmissionReview admission.k8s.io/v1. */
export interface WebhookAnswer {
  readonly allowed: boolean;
  readonly status?: { readonly message?: string; readonly reason?: string; readonly code?: number };
  /** Base64 of a JSON patch. */
  readonly patch?: string;
  readonly patchType?: string;
  readonly warnings?: readonly string[];
}

interface Place {
  /** Of the unix socket that leads there; absent for URLs, which are reached from the machine itself. */
  readonly unix?: string;
  readonly serverName: string;
}

const TIMEOUT_SECONDS = 10;
const HTTPS_PORT = 443;
const ANSWER_BYTES_MAX = 3 * 1024 * 1024;

/** Calls webhooks over HTTPS. */
export class WebhookCaller {
  readonly #store: Store;
  readonly #network: RelayNetwork;

  constructor(store: Store, network: RelayNetwork) {
    this.#store = store;
    this.#network = network;
  }

  /** Rejects with an Error that says what went wrong, whatever it is; refusals are answers. */
  async call(
    webhook: MutatingWebhook | ValidatingWebhook,
    attributes: AdmissionAttributes,
    version: string,
  ): Promise<WebhookAnswer> {
    const uid = randomUUID();
    const review = {
      kind: "AdmissionReview",
      apiVersion: "admission.k8s.io/v1",
      request: requestOf(attributes, version, uid),
    };
    const seconds = webhook.timeoutSeconds ?? TIMEOUT_SECONDS;
    const { url: base, serverName } = addressOf(webhook);
    const url = `${base}${base.includes("?") ? "&" : "?"}timeout=${seconds}s`;
    try {
      const unix = await this.#wayTo(webhook);
      const place = { serverName, ...(unix === undefined ? {} : { unix }) };
      const text = await post(url, place, webhook.clientConfig.caBundle, JSON.stringify(review), seconds * 1000);
      return parseAnswer(text, uid);
    } catch (error) {
      throw new Error(`failed to call webhook: Post ${JSON.stringify(url)}: ${reasonOf(error)}`, { cause: error });
    }
  }

  /** The unix socket that leads to a webhook; undefined for URLs, which are reached from the machine itself. */
  async #wayTo({ clientConfig }: MutatingWebhook | ValidatingWebhook): Promise<string | undefined> {
    if (clientConfig.service === undefined) return undefined;
    const { namespace, name, port = HTTPS_PORT } = clientConfig.service;
    const { host, port: actual } = this.#endpointOf(namespace, name, port);
    return await this.#network.relay(host, actual);
  }

  #endpointOf(namespace: string, name: string, port: number): { host: string; port: number } {
    const spec = (this.#store.get("services", namespace, name) as Service | undefined)?.spec;
    if (spec === undefined) throw new Error(`service ${JSON.stringify(name)} not found`);
    try {
      return endpointOf(this.#store, namespace, name, String(port));
    } catch (error) {
      // Services without a selector, and such as nobody has made slices for yet, may still lead somewhere.
      const { clusterIP = "None" } = spec;
      if (clusterIP === "None" || clusterIP === "" || spec.selector !== undefined) throw error;
      return { host: clusterIP, port };
    }
  }
}

/** What a webhook is called, and by what name its certificate must know it. */
function addressOf({ clientConfig }: MutatingWebhook | ValidatingWebhook): { url: string; serverName: string } {
  const { url, service } = clientConfig;
  if (url !== undefined) return { url, serverName: new URL(url).hostname };
  if (service === undefined) throw new Error("the webhook's clientConfig has neither url nor service");
  const { namespace, name, path = "", port = HTTPS_PORT } = service;
  const serverName = `${name}.${namespace}.svc`;
  return { url: `https://${serverName}:${port}${path.startsWith("/") || path === "" ? path : `/${path}`}`, serverName };
}

/** The error that a refusal is told as, in Kubernetes' words. */
export function refusalOf(webhook: string, { status = {} }: WebhookAnswer): ApiError {
  const denied = `admission webhook ${JSON.stringify(webhook)} denied the request`;
  const { code = 0, reason = "", message = "" } = status;
  const said = message === "" ? reason : message;
  const full = said === "" ? `${denied} without explanation` : `${denied}: ${said}`;
  const isRefusal = Number.isInteger(code) && code >= 400 && code <= 599;
  return new ApiError(isRefusal ? code : 400, reason, full);
}

function requestOf(attributes: AdmissionAttributes, version: string, uid: string): unknown {
  const { type, operation, subresource, namespace, name, object, oldObject, options, context } = attributes;
  const kind = { group: type.group, version, kind: type.kind };
  const resource = { group: type.group, version, resource: type.plural };
  const sub = subresource === "" ? {} : { subResource: subresource, requestSubResource: subresource };
  const show = (each: KubeObject | undefined): KubeObject | null =>
    each === undefined ? null : withoutEmptyName(type.fromStored(each, version));
  return {
    uid,
    kind,
    resource,
    requestKind: kind,
    requestResource: resource,
    ...sub,
    ...(name === "" ? {} : { name }),
    ...(namespace === "" ? {} : { namespace }),
    operation,
    userInfo: context.user,
    object: show(object),
    oldObject: show(oldObject),
    dryRun: context.dryRun,
    options,
  };
}

/** An object that will get its name from generateName has none yet, not an empty one. */
function withoutEmptyName(object: KubeObject): KubeObject {
  if (object.metadata.name !== "") return object;
  const { name: _, ...metadata } = object.metadata;
  return { ...object, metadata: metadata as KubeObject["metadata"] };
}

async function post(
  url: string,
  { unix, serverName }: Place,
  caBundle: string | undefined,
  body: string,
  timeoutMs: number,
): Promise<string> {
  const ca = caBundle === undefined || caBundle === "" ? {} : { ca: Buffer.from(caBundle, "base64").toString("utf8") };
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body,
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMs),
    tls: { ...ca, serverName },
    ...(unix === undefined ? {} : { unix }),
  });
  const text = await textOf(response);
  if (response.status !== 200) throw new Error(`the server answered ${response.status}: ${text.slice(0, 200)}`);
  return text;
}

/** The body, of which no more is read than may be. */
async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error("the answer is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseAnswer(text: string, uid: string): WebhookAnswer {
  const review = JSON.parse(text) as { kind?: unknown; response?: WebhookAnswer & { uid?: unknown } } | null;
  const response = review?.response;
  if (review?.kind !== "AdmissionReview" || typeof response !== "object" || response === null) {
    throw new Error("expected response.kind=AdmissionReview with a response");
  }
  if (response.uid !== uid) throw new Error(`expected response.uid=${JSON.stringify(uid)}`);
  if (response.patch !== undefined && response.patchType !== "JSONPatch") {
    throw new Error(`webhook returned response.patch but not with response.patchType=JSONPatch`);
  }
  return response;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return "context deadline exceeded";
  return error.message;
}
