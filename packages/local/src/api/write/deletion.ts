import type { KubeObject, Namespace, Pod } from "@bowline/kube";
import { ApiError } from "@bowline/kube";
import type { ResourceType } from "../../schema/resource-type.ts";
import type { Store } from "../storage/store.ts";
import type { Admission, WriteContext } from "./context.ts";
import { checkPreconditions, modifiedError, resourceName, timestamp } from "./metadata.ts";
import { checkNamespaceDeletion } from "./namespace-lifecycle.ts";

const CONFLICTS_MAX = 16;
const POD_GRACE_SECONDS = 30;
const FOREGROUND = "foregroundDeletion";
const ORPHAN = "orphan";

/** DeleteOptions, as far as they are heeded. */
export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagation?: "Background" | "Foreground" | "Orphan";
  readonly uid?: string;
  readonly resourceVersion?: string;
}

/** `gone`: false when something (a grace period, finalizers) still keeps the object. */
export interface Deleted {
  readonly object: KubeObject;
  readonly gone: boolean;
}

/** Begins or completes the deletion of objects. */
export class Deleter {
  readonly #store: Store;
  readonly #admission: Admission;

  constructor(store: Store, admission: Admission) {
    this.#store = store;
    this.#admission = admission;
  }

  /** Rejects with ApiError 404, 409 (preconditions) or whatever admission says. */
  async delete(
    type: ResourceType,
    namespace: string,
    name: string,
    options: DeleteOptions,
    context: WriteContext,
  ): Promise<Deleted> {
    for (let i = 0; i < CONFLICTS_MAX; i++) {
      const old = this.#store.get(type.storedAs, namespace, name);
      if (old === undefined) throw ApiError.notFound(resourceName(type), name);
      checkPreconditions(type, old, options);
      checkNamespaceDeletion(type, name);
      const admitting = this.#admit(type, old, options, context);
      if (admitting !== undefined) await admitting;
      const next = deletionOf(type, old, options);
      if (next === old) return { object: old, gone: false };
      const gone = isFinished(type, next);
      if (context.dryRun) return { object: next, gone };
      const stored = gone
        ? this.#store.remove(type.storedAs, old, next)
        : this.#store.replace(type.storedAs, old, next);
      if (stored !== undefined) return { object: stored, gone };
    }
    throw modifiedError(type, name);
  }

  #admit(
    type: ResourceType,
    old: KubeObject,
    options: DeleteOptions,
    context: WriteContext,
  ): Promise<void> | undefined {
    const attributes = {
      operation: "DELETE",
      type,
      subresource: "",
      namespace: old.metadata.namespace ?? "",
      name: old.metadata.name,
      object: undefined,
      oldObject: old,
      options: {
        kind: "DeleteOptions",
        apiVersion: "meta.k8s.io/v1",
        ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
        ...(options.propagation === undefined ? {} : { propagationPolicy: options.propagation }),
        ...(context.dryRun ? { dryRun: ["All"] } : {}),
      },
      context,
    } as const;
    const asked = this.#admission.mutate({ ...attributes });
    if (asked === undefined) return this.#admission.validate(attributes);
    return asked.then(() => this.#admission.validate(attributes));
  }
}

/** Whether an object that is as given has nothing left that keeps it. */
export function isFinished(type: ResourceType, object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds !== 0 || finalizers.length !== 0) return false;
  return type.storedAs !== "namespaces" || ((object as Namespace).spec?.finalizers ?? []).length === 0;
}

/** The object as the request leaves it; the same one when the request adds nothing to a deletion under way. */
function deletionOf(type: ResourceType, old: KubeObject, options: DeleteOptions): KubeObject {
  const graceSeconds = graceOf(type, old, options);
  const finalizers = finalizersOf(old, options);
  const { deletionTimestamp, deletionGracePeriodSeconds } = old.metadata;
  if (deletionTimestamp !== undefined) {
    // A deletion under way can only be hastened.
    const hastened = graceSeconds < (deletionGracePeriodSeconds ?? 0);
    if (!hastened && !isFinished(type, old)) return old;
    return withDeletion(type, old, Math.min(graceSeconds, deletionGracePeriodSeconds ?? 0), finalizers);
  }
  return withDeletion(type, old, graceSeconds, finalizers);
}

function withDeletion(
  type: ResourceType,
  old: KubeObject,
  graceSeconds: number,
  finalizers: readonly string[],
): KubeObject {
  const { finalizers: _, ...rest } = old.metadata;
  const metadata = {
    ...rest,
    ...(old.metadata.generation === undefined ? {} : { generation: old.metadata.generation + 1 }),
    deletionTimestamp: timestamp(Date.now() + graceSeconds * 1000),
    deletionGracePeriodSeconds: graceSeconds,
    ...(finalizers.length === 0 ? {} : { finalizers: [...finalizers] }),
  };
  if (type.storedAs !== "namespaces") return { ...old, metadata };
  return { ...old, metadata, status: { ...(old as Namespace).status, phase: "Terminating" } };
}

/** Only pods are deleted with grace, and of these only such as may be running. */
function graceOf(type: ResourceType, old: KubeObject, options: DeleteOptions): number {
  if (type.storedAs !== "pods") return 0;
  const { spec, status } = old as Pod;
  const asked = options.gracePeriodSeconds ?? spec?.terminationGracePeriodSeconds ?? POD_GRACE_SECONDS;
  if (spec?.nodeName === undefined || spec.nodeName === "") return 0;
  if (status?.phase === "Succeeded" || status?.phase === "Failed") return 0;
  // A negative period means "at once, but let the node have its say": one second, as Kubernetes has it.
  return asked < 0 ? 1 : asked;
}

function finalizersOf(old: KubeObject, options: DeleteOptions): readonly string[] {
  const present = old.metadata.finalizers ?? [];
  if (options.propagation === undefined) return present;
  const others = present.filter((finalizer) => finalizer !== FOREGROUND && finalizer !== ORPHAN);
  if (options.propagation === "Foreground") return [...others, FOREGROUND];
  return options.propagation === "Orphan" ? [...others, ORPHAN] : others;
}
