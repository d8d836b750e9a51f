import { CONFIG_ANNOTATION, VERSION } from "@bowline/contracts";
import type { Log } from "../admin/log.ts";
import type { Values } from "../values.ts";
import { type AdmissionRequest, type AdmissionReview, allow, deny } from "./admission.ts";
import type { EventRecorder } from "./events.ts";
import { inject, isInherited } from "./inject.ts";
import type { InjectorMetrics } from "./injector-metrics.ts";
import { isObject, objectIn, textIn, textsIn } from "./json-object.ts";
import type { Owners, PodOwner } from "./owners.ts";
import { type InjectionReport, SKIP_REASONS, skipReasons } from "./report.ts";

export interface WebhookOptions {
  /** What holds at this moment. Throws when it can't be read. */
  readonly values: () => Promise<Values>;
  /** Annotations of a namespace. */
  readonly namespaceAnnotations: (namespace: string) => Promise<Readonly<Record<string, string>>>;
  readonly owners: Pick<Owners, "find">;
  readonly events: Pick<EventRecorder, "record">;
  readonly metrics: InjectorMetrics;
  readonly log: Log;
}

/** Answers the API server's questions about new pods and services. */
export class Webhook {
  readonly #options: WebhookOptions;

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  /** A refusal, which `failurePolicy` does not cover, is for what must not run without its proxy: see `deny`. */
  async review(request: AdmissionRequest): Promise<AdmissionReview> {
    const concerned = request.operation === "CREATE" && request.subResource === "";
    if (!concerned || (request.kind !== "Pod" && request.kind !== "Service")) return allow(request, []);
    try {
      return await this.#reviewNew(request);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#options.log.error("admission failed", { kind: request.kind, namespace: request.namespace, error: message });
      return deny(request, message);
    }
  }

  async #reviewNew(request: AdmissionRequest): Promise<AdmissionReview> {
    const { namespace, object } = request;
    const [values, namespaceAnnotations, owner] = await Promise.all([
      this.#options.values(),
      this.#options.namespaceAnnotations(namespace),
      request.kind === "Pod" ? this.#options.owners.find(object, namespace) : null,
    ]);
    const injection = inject({
      // The API server names the kind in the request, not always in the object.
      object: { ...object, kind: request.kind },
      namespaceAnnotations,
      values,
      origin: "webhook",
      createdBy: `linkerd/proxy-injector ${VERSION}`,
      owner,
      namespace,
    });
    for (const warning of injection.warnings) this.#options.log.warn(warning, { namespace, name: nameOf(request) });
    const wasPatched = injection.patch.length > 0;
    this.#count(request, injection.report, namespaceAnnotations, owner, wasPatched);
    if (owner !== null && !request.dryRun) this.#tell(owner, namespace, injection.report);
    this.#options.log.info(wasPatched ? "patched" : "skipped", {
      kind: request.kind,
      namespace,
      name: nameOf(request),
      ...(request.kind === "Pod" ? { skipped: skipReasons(injection.report).join(",") } : {}),
    });
    return allow(request, injection.patch);
  }

  #count(
    request: AdmissionRequest,
    report: InjectionReport,
    namespaceAnnotations: Readonly<Record<string, string>>,
    owner: PodOwner | null,
    wasPatched: boolean,
  ): void {
    const own = textsIn(objectIn(request.object, "metadata", ""), "annotations", "/metadata");
    const all = Object.entries({ ...namespaceAnnotations, ...own });
    const labels = {
      ownerKind: owner?.kind.toLowerCase() ?? "",
      namespace: request.namespace,
      annotationAt: report.injectAnnotationAt,
      configuration: Object.fromEntries(all.filter(([name]) => isInherited(name) && CONFIGURATION.has(name))),
    };
    this.#options.metrics.onRequest(labels);
    if (wasPatched) this.#options.metrics.onResponse(labels, null);
    else if (request.kind === "Pod") this.#options.metrics.onResponse(labels, skipReasons(report));
  }

  #tell(owner: PodOwner, namespace: string, report: InjectionReport): void {
    const reasons = skipReasons(report);
    if (reasons.length === 0) {
      this.#options.events.record(owner, namespace, "Injected", "Linkerd sidecar proxy injected");
    } else {
      const why = reasons.map((reason) => SKIP_REASONS[reason]).join(", ");
      const message = `Linkerd sidecar proxy injection skipped: ${why}`;
      this.#options.events.record(owner, namespace, "InjectionSkipped", message);
    }
  }
}

const CONFIGURATION: ReadonlySet<string> = new Set(Object.values(CONFIG_ANNOTATION));

function nameOf({ name, object }: AdmissionRequest): string {
  const metadata = isObject(object["metadata"]) ? object["metadata"] : undefined;
  return name || textIn(metadata, "name") || textIn(metadata, "generateName");
}
