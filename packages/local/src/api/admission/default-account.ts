import type { Pod } from "@bowline/kube";
import type { Store } from "../storage/store.ts";

/** About as long as Kubernetes waits. */
const WAIT_MS = 1500;

/**
 * Resolves when the namespace has its `default` service account, or after a while without. Undefined when the pod need not wait.
 * The account is made by a controller right after the namespace, and whoever applies both together must not lose that race.
 */
export function awaitDefaultAccount(store: Store, namespace: string, { spec }: Pod): Promise<void> | undefined {
  const name = spec?.serviceAccountName || spec?.serviceAccount || "default";
  if (name !== "default" || store.get("serviceaccounts", namespace, name) !== undefined) return undefined;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, WAIT_MS);
  const unlisten = store.listen("serviceaccounts", ({ kind, object }) => {
    if (kind === "ADDED" && object.metadata.namespace === namespace && object.metadata.name === name) resolve();
  });
  return promise.finally(() => {
    clearTimeout(timer);
    unlisten();
  });
}
