import { ApiError } from "./api-error.ts";
import { type DiscoveredResource, discover } from "./discovery.ts";
import type { KubeConfig } from "./kube-config.ts";
import { apiVersionOf, RESOURCES, type ResourceRef, resourcePath } from "./resources.ts";
import { formatLabelSelector } from "./selectors.ts";
import { type RequestOptions, Transport, throwUnlessOk } from "./transport.ts";
import type {
  KubeList,
  KubeObject,
  LabelSelector,
  ResourceAttributes,
  SelfSubjectAccessReview,
  Status,
  SubjectAccessReview,
  TokenRequest,
  TokenReview,
  WatchEvent,
} from "./types.ts";
import { watchEvents } from "./watch.ts";

export interface ClientOptions {
  /** For a whole request, or for the head of an answer that is read bit by bit. Default 30 s. */
  readonly requestTimeoutMs?: number;
  readonly userAgent?: string;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

export interface SelectOptions {
  /** Of all namespaces when left out. */
  readonly namespace?: string;
  readonly labelSelector?: string | LabelSelector;
  readonly fieldSelector?: string;
}

export interface ListOptions extends CallOptions, SelectOptions {
  /** Objects per request; 500 by default. All pages are fetched whatever it is. */
  readonly limit?: number;
  readonly resourceVersion?: string;
}

export interface WatchOptions extends SelectOptions {
  readonly resourceVersion?: string;
  /** The server ends the watch after this time. */
  readonly timeoutSeconds?: number;
  readonly bookmarks?: boolean;
  readonly signal?: AbortSignal;
}

export interface WriteOptions extends CallOptions {
  readonly subresource?: string;
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: "Strict" | "Warn" | "Ignore";
}

export interface PatchOptions extends WriteOptions {
  /** merge by default. */
  readonly type?: keyof typeof PATCH_TYPES;
}

export interface ApplyOptions extends WriteOptions {
  /** Takes fields from other managers that own them. */
  readonly force?: boolean;
}

export interface DeleteOptions extends CallOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
}

const PATCH_TYPES = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
} as const;

const REQUEST_TIMEOUT_MS = 30_000;
const PAGE_SIZE = 500;

/**
 * A client of the Kubernetes API. Refusals are rejected with ApiError, an API that can't be reached with
 * UnreachableError. The namespace of cluster-scoped kinds is "".
 */
export class KubeClient {
  readonly config: KubeConfig;
  readonly #transport: Transport;

  constructor(config: KubeConfig, options: ClientOptions = {}) {
    this.config = config;
    const timeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.#transport = new Transport(config, timeoutMs, options.userAgent ?? "bowline");
  }

  get<T extends KubeObject>(ref: ResourceRef, namespace: string, name: string, options?: CallOptions): Promise<T> {
    return this.#transport.json("GET", resourcePath(ref, namespace, name), options);
  }

  /** All objects that are selected, page by page, as of one resourceVersion. */
  async list<T extends KubeObject>(ref: ResourceRef, options: ListOptions = {}): Promise<KubeList<T>> {
    const path = resourcePath(ref, options.namespace);
    const query = {
      ...selection(options),
      limit: options.limit ?? PAGE_SIZE,
      resourceVersion: options.resourceVersion,
    };
    const { signal, timeoutMs } = options;
    const list = await this.#transport.json<KubeList<T>>("GET", path, { query, signal, timeoutMs });
    const items = [...(list.items ?? [])];
    for (let next = list.metadata.continue; next !== undefined && next !== ""; ) {
      const rest = { ...query, resourceVersion: undefined, continue: next };
      const page = await this.#transport.json<KubeList<T>>("GET", path, { query: rest, signal, timeoutMs });
      items.push(...page.items);
      next = page.metadata.continue;
    }
    const { continue: _, remainingItemCount: __, ...metadata } = list.metadata;
    return { ...list, metadata, items: items.map((item) => withKind(ref, item)) };
  }

  create<T extends KubeObject>(ref: ResourceRef, object: T, options: WriteOptions = {}): Promise<T> {
    const { namespace, name } = object.metadata;
    const path =
      options.subresource === undefined
        ? resourcePath(ref, namespace)
        : resourcePath(ref, namespace, name, options.subresource);
    return this.#write("POST", path, object, options);
  }

  /** Replaces an object. A `metadata.resourceVersion` that is no longer the present one is a Conflict. */
  replace<T extends KubeObject>(ref: ResourceRef, object: T, options: WriteOptions = {}): Promise<T> {
    const { namespace, name } = object.metadata;
    return this.#write("PUT", resourcePath(ref, namespace, name, options.subresource), object, options);
  }

  patch<T extends KubeObject>(
    ref: ResourceRef,
    namespace: string,
    name: string,
    patch: unknown,
    options: PatchOptions = {},
  ): Promise<T> {
    const path = resourcePath(ref, namespace, name, options.subresource);
    return this.#write("PATCH", path, patch, options, PATCH_TYPES[options.type ?? "merge"]);
  }

  /** Server-side apply: creates the object, or makes the fields given here ours and drops those we gave before. */
  apply<T extends KubeObject>(ref: ResourceRef, object: KubeObject, options: ApplyOptions = {}): Promise<T> {
    const path = resourcePath(ref, object.metadata.namespace, object.metadata.name, options.subresource);
    const type = "application/apply-patch+yaml";
    const query = { force: options.force, fieldManager: options.fieldManager ?? "bowline" };
    return this.#write("PATCH", path, object, options, type, query);
  }

  /** @returns the object as it is while its deletion goes on, or the Status of one that is already over */
  delete<T extends KubeObject>(
    ref: ResourceRef,
    namespace: string,
    name: string,
    options: DeleteOptions = {},
  ): Promise<T | Status> {
    const { signal, timeoutMs, dryRun, ...rest } = options;
    const body = { kind: "DeleteOptions", apiVersion: "v1", ...rest, ...(dryRun ? { dryRun: ["All"] } : {}) };
    const path = resourcePath(ref, namespace, name);
    return this.#transport.json("DELETE", path, { ...json(body), signal, timeoutMs });
  }

  /**
   * Changes from a version on, until the server ends the watch.
   * @throws ApiError 410 when the version is too old: list again; UnreachableError when the connection breaks
   */
  async *watch<T extends KubeObject>(
    ref: ResourceRef,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const query = {
      ...selection(options),
      watch: true,
      allowWatchBookmarks: options.bookmarks ?? true,
      resourceVersion: options.resourceVersion,
      timeoutSeconds: options.timeoutSeconds,
    };
    // Leaving the loop early must also close the connection.
    const left = new AbortController();
    const signal = options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
    try {
      const response = await this.#transport.send("GET", resourcePath(ref, options.namespace), { query, signal });
      await throwUnlessOk(response);
      if (response.body !== null) yield* watchEvents<T>(response.body);
    } catch (error) {
      if (error instanceof ApiError || signal.aborted) throw error;
      throw this.#transport.explain(error);
    } finally {
      left.abort();
    }
  }

  /** Any request, and the answer whatever its status; the body is still to be read. */
  raw(method: string, path: string, options?: RequestOptions): Promise<Response> {
    return this.#transport.send(method, path, options);
  }

  /** GET from a port of a pod, through the API server. The answer is the pod's, whatever its status. */
  proxyPod(
    namespace: string,
    pod: string,
    port: number | string,
    path: string,
    options?: RequestOptions,
  ): Promise<Response> {
    return this.raw("GET", `${resourcePath(RESOURCES.pods, namespace, `${pod}:${port}`)}/proxy${path}`, options);
  }

  /** GET from a port of a service, through the API server. */
  proxyService(
    namespace: string,
    service: string,
    port: number | string,
    path: string,
    options?: RequestOptions,
  ): Promise<Response> {
    return this.raw(
      "GET",
      `${resourcePath(RESOURCES.services, namespace, `${service}:${port}`)}/proxy${path}`,
      options,
    );
  }

  /** A token of a service account. */
  async createToken(
    namespace: string,
    serviceAccount: string,
    spec: { audiences: string[]; expirationSeconds?: number },
  ): Promise<{ token: string; expirationTimestamp: string }> {
    const review = await this.#transport.json<TokenRequest>(
      "POST",
      resourcePath(RESOURCES.serviceaccounts, namespace, serviceAccount, "token"),
      json({ apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", metadata: { name: "" }, spec }),
    );
    return { token: review.status?.token ?? "", expirationTimestamp: review.status?.expirationTimestamp ?? "" };
  }

  /** Whose token this is. */
  async reviewToken(token: string, audiences?: string[]): Promise<NonNullable<TokenReview["status"]>> {
    const spec = { token, ...(audiences === undefined ? {} : { audiences }) };
    const review = await this.#review<TokenReview>(RESOURCES.tokenreviews, spec);
    return review.status ?? {};
  }

  /** Whether somebody, by default we ourselves, may do something. */
  async reviewAccess(
    resourceAttributes: ResourceAttributes,
    subject?: { user: string; groups?: string[] },
  ): Promise<{ allowed: boolean; reason: string }> {
    const ref = subject === undefined ? RESOURCES.selfsubjectaccessreviews : RESOURCES.subjectaccessreviews;
    const spec = { resourceAttributes, ...subject };
    const review = await this.#review<SubjectAccessReview | SelfSubjectAccessReview>(ref, spec);
    return { allowed: review.status?.allowed ?? false, reason: review.status?.reason ?? "" };
  }

  /** Every kind that the server has. */
  discover(): Promise<DiscoveredResource[]> {
    return discover((path) => this.#transport.json("GET", path));
  }

  version(): Promise<{ major: string; minor: string; gitVersion: string }> {
    return this.#transport.json("GET", "/version");
  }

  #review<T>(ref: ResourceRef, spec: unknown): Promise<T> {
    const review = { apiVersion: apiVersionOf(ref), kind: ref.kind, metadata: { name: "" }, spec };
    return this.#transport.json("POST", resourcePath(ref), json(review));
  }

  #write<T>(
    method: string,
    path: string,
    body: unknown,
    options: WriteOptions,
    contentType = "application/json",
    extra: Readonly<Record<string, string | boolean | undefined>> = {},
  ): Promise<T> {
    const { signal, timeoutMs, dryRun, fieldManager, fieldValidation } = options;
    const query = { fieldManager, fieldValidation, dryRun: dryRun ? "All" : undefined, ...extra };
    return this.#transport.json(method, path, { ...json(body, contentType), query, signal, timeoutMs });
  }
}

function json(body: unknown, contentType = "application/json"): Pick<RequestOptions, "body" | "headers"> {
  return { body: JSON.stringify(body), headers: { "content-type": contentType } };
}

function selection({ labelSelector, fieldSelector }: SelectOptions): RequestOptions["query"] {
  return {
    labelSelector: typeof labelSelector === "object" ? formatLabelSelector(labelSelector) : labelSelector,
    fieldSelector,
  };
}

/** Items of built-in kinds come without kind and apiVersion. */
function withKind<T extends KubeObject>(ref: ResourceRef, item: T): T {
  return item.kind === undefined ? { ...item, apiVersion: apiVersionOf(ref), kind: ref.kind } : item;
}
