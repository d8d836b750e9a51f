import { type Container, type Pod, parseQuantity } from "@bowline/kube";

const COUNTED = ["cpu", "memory"];

/** The class that Kubernetes puts a pod in by its requests and limits. Nothing here depends on it, but people read it. */
export function qosClass(pod: Pod): "BestEffort" | "Burstable" | "Guaranteed" {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const asks = containers.some(({ resources = {} }) =>
    COUNTED.some((name) => isSet(resources.requests?.[name]) || isSet(resources.limits?.[name])),
  );
  if (!asks) return "BestEffort";
  return containers.every(isGuaranteed) ? "Guaranteed" : "Burstable";
}

/** A request that is not given is the limit. */
function isGuaranteed({ resources = {} }: Container): boolean {
  return COUNTED.every((name) => {
    const [limit, request] = [resources.limits?.[name], resources.requests?.[name]];
    return isSet(limit) && (request === undefined || parseQuantity(request) === parseQuantity(limit));
  });
}

function isSet(quantity: string | undefined): quantity is string {
  return quantity !== undefined && parseQuantity(quantity) > 0;
}
