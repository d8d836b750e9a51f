import { ApiError, type KubeObject, matchesSelector, type Pod, type PodDisruptionBudget } from "@bowline/kube";
import { readObject } from "../http/body.ts";
import type { Exchange } from "../http/exchange.ts";
import type { ServerParts } from "../parts.ts";
import type { Target } from "./objects.ts";
import { asObject, find, success } from "./subresources.ts";

interface Eviction {
  readonly deleteOptions?: { readonly gracePeriodSeconds?: number; readonly preconditions?: { readonly uid?: string } };
}

/** POST of an Eviction: a deletion that heeds disruption budgets. */
export async function serveEviction(parts: ServerParts, exchange: Exchange, target: Target): Promise<void> {
  const { deleteOptions = {} } = asObject(await readObject(exchange.request), "Eviction") as Eviction;
  const pod = find(parts, target) as Pod;
  if (isHealthy(pod)) checkBudgets(parts, pod);
  const { gracePeriodSeconds, preconditions } = deleteOptions;
  const options = {
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(preconditions?.uid === undefined ? {} : { uid: preconditions.uid }),
  };
  await parts.deleter.delete(target.type, target.namespace, target.name, options, exchange.writeContext());
  exchange.send(201, success());
}

function checkBudgets({ store }: ServerParts, pod: Pod): void {
  const { namespace = "", labels = {} } = pod.metadata;
  const budgets = (store.list("poddisruptionbudgets.policy", namespace) as PodDisruptionBudget[]).filter(
    ({ spec }) => spec?.selector !== undefined && matchesSelector(spec.selector, labels),
  );
  const [budget, second] = budgets;
  if (second !== undefined) {
    throw ApiError.internal(
      "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    );
  }
  if (budget === undefined) return;
  const pods = (store.list("pods", namespace) as Pod[]).filter((other) =>
    matchesSelector(budget.spec?.selector, other.metadata.labels ?? {}),
  );
  const healthy = pods.filter(isHealthy).length;
  // The controller knows how many pods their owners want; until it has looked, those that exist are all there is to go by.
  const { observedGeneration, desiredHealthy } = budget.status ?? {};
  const isCounted = observedGeneration !== undefined && observedGeneration === budget.metadata.generation;
  const needed = isCounted && desiredHealthy !== undefined ? desiredHealthy : neededBy(budget, pods.length);
  if (healthy > needed) return;
  const message = `The disruption budget ${budget.metadata.name} needs ${needed} healthy pods and has ${healthy} currently`;
  throw new ApiError(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", {
    causes: [{ reason: "DisruptionBudget", message }],
  });
}

/** How many of `count` pods must stay healthy. */
function neededBy({ spec }: PodDisruptionBudget, count: number): number {
  if (spec?.minAvailable !== undefined) return shareOf(spec.minAvailable, count);
  return spec?.maxUnavailable === undefined ? 0 : Math.max(0, count - shareOf(spec.maxUnavailable, count));
}

/** "50%" of them, rounded up, or just so many. */
function shareOf(value: string | number, count: number): number {
  const percent = /^(\d+)%$/.exec(String(value))?.[1];
  return percent === undefined ? Number(value) : Math.ceil((Number(percent) * count) / 100);
}

function isHealthy(object: KubeObject): boolean {
  const { metadata, status } = object as Pod;
  if (metadata.deletionTimestamp !== undefined) return false;
  return status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false;
}
