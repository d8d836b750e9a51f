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
  readonly url: string;
  /** Of the unix socket that leads there; absent for URLs, which are reached from the machine itself. */
  readonly unix?: string;
  readonly serverName: string;
}

const TIMEOUT_SECONDS = 10;
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
    const place = await this.#placeOf(webhook);
    const url = `${place.url}${place.url.includes("?") ? "&" : "?"}timeout=${seconds}s`;
    try {
      const text = await post(url, place, webhook.clientConfig.caBundle, JSON.stringify(review), seconds * 1000);
      return parseAnswer(text, uid);
    } catch (error) {
      throw new Error(`failed to call webhook: Post ${JSON.stringify(url)}: ${reasonOf(error)}`, { cause: error });
    }
  }

  async #placeOf({ clientConfig }: MutatingWebhook | ValidatingWebhook): Promise<Place> {
    const { url, service } = clientConfig;
    if (url !== undefined) return { url, serverName: new URL(url).hostname };
    if (service === undefined) throw new Error("the webhook's clientConfig has neither url nor service");
    const { namespace, name, path = "", port = 443 } = service;
    const serverName = `${name}.${namespace}.svc`;
    const { host, port: actual } = this.#addressOf(namespace, name, port);
    const unix = await this.#network.relay(host, actual);
    return {
      url: `https://${serverName}:${port}${path.startsWith("/") || path === "" ? path : `/${path}`}`,
      unix,
      serverName,
    };
  }

  #addressOf(namespace: string, name: string, port: number): { host: string; port: number } {
    const spec = (this.#store.get("services", namespace, name) as Service | undefined)?.spec;
    if (spec === undefined) throw new Error(`failed to call webhook: service ${JSON.stringify(name)} not found`);
    try {
      return endpointOf(this.#store, namespace, name, String(port));
    } catch (error) {
      // Services without a selector, and such as nobody has made slices for yet, may still lead somewhere.
      const { clusterIP = "None" } = spec;
      if (clusterIP === "None" || clusterIP === "" || spec.selector !== undefined) {
        throw new Error(`failed to call webhook: ${reasonOf(error)}`, { cause: error });
      }
      return { host: clusterIP, port };
    }
  }
}

/** The error that a refusal is told as, in Kubernetes' words. */
export function refusalOf(webhook: string, { status = {} }: WebhookAnswer): ApiError {
  const denied = `admission webhook ${JSON.stringify(webhook)} denied the request`;
  const { code = 0, reason = "", message = "" } = status;
  const said = message === "" ? reason : message;
  const full = said === "" ? `${denied} without explanation` : `${denied}: ${said}`;
  return new ApiError(Math.max(code, 400), reason, full);
}

function requestOf(attributes: AdmissionAttributes, version: string, uid: string): unknown {
  const { type, operation, subresource, namespace, name, object, oldObject, options, context } = attributes;
  const kind = { group: type.group, version, kind: type.kind };
  const resource = { group: type.group, version, resource: type.plural };
  const sub = subresource === "" ? {} : { subResource: subresource, requestSubResource: subresource };
  const show = (each: KubeObject | undefined): KubeObject | null =>
    each === undefined ? null : type.fromStored(each, version);
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
  const text = await response.text();
  if (response.status !== 200) throw new Error(`the server answered ${response.status}: ${text.slice(0, 200)}`);
  if (text.length > ANSWER_BYTES_MAX) throw new Error("the answer is too large");
  return text;
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
