import { controllerReference, type KubeObject, type Pod, type PodTemplateSpec } from "@bowline/kube";
import { type ControllerContext, isNamespaceTerminating } from "./controller.ts";

export interface NewPod {
  readonly template: PodTemplateSpec;
  readonly owner: KubeObject;
  /** Absent: the owner's name and something random. */
  readonly name?: string;
  readonly generateName?: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly finalizers?: string[];
}

/** A pod as its template says, of its owner. */
export function podFromTemplate({ template, owner, name, generateName, labels, annotations, finalizers }: NewPod): Pod {
  const { metadata, spec } = structuredClone(template);
  const allAnnotations = { ...metadata?.annotations, ...annotations };
  const allFinalizers = [...(metadata?.finalizers ?? []), ...(finalizers ?? [])];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: name ?? "",
      ...(name === undefined ? { generateName: generateName ?? `${owner.metadata.name}-` } : {}),
      namespace: owner.metadata.namespace ?? "",
      labels: { ...metadata?.labels, ...labels },
      // Webhooks' patches make a difference between what is empty and what is absent.
      ...(Object.keys(allAnnotations).length === 0 ? {} : { annotations: allAnnotations }),
      ...(allFinalizers.length === 0 ? {} : { finalizers: allFinalizers }),
      ownerReferences: [controllerReference(owner)],
    },
    ...(spec === undefined ? {} : { spec }),
  };
}

/** @throws what `api.create` throws, after an Event about it */
export async function createPod(context: ControllerContext, pod: Pod, owner: KubeObject, source: string): Promise<Pod> {
  try {
    const created = await context.api.create<Pod>("pods", pod);
    context.api.event(owner, "Normal", "SuccessfulCreate", `Created pod: ${created.metadata.name}`, source);
    return created;
  } catch (error) {
    if (!isNamespaceTerminating(error)) {
      context.api.event(owner, "Warning", "FailedCreate", `Error creating: ${messageOf(error)}`, source);
    }
    throw error;
  }
}

/** Asks the pod to end, in its own time. */
export async function deletePod(
  context: ControllerContext,
  pod: Pod,
  owner: KubeObject,
  source: string,
): Promise<void> {
  const { namespace = "", name, uid } = pod.metadata;
  await context.api.delete("pods", namespace, name, uid === undefined ? {} : { uid });
  context.api.event(owner, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`, source);
}

/**
 * Calls `make` `count` times, in batches that double as long as all goes well, so that an owner whose pods are all
 * refused does not ask for them all.
 *
 * @throws the first failure, after its batch
 */
export async function slowStart(count: number, make: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  for (let batch = 1; next < count; batch *= 2) {
    const indexes = Array.from({ length: Math.min(batch, count - next) }, (_, offset) => next + offset);
    const results = await Promise.allSettled(indexes.map(make));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    next += indexes.length;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
