import { ApiError, type KubeObject } from "@bowline/kube";
import type { ResourceType } from "../../schema/resource-type.ts";
import type { Store } from "../storage/store.ts";
import { resourceName } from "./metadata.ts";

/** Namespaces that a cluster cannot do without. */
const IMMORTAL: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public"]);

/** Refuses to create an object where there is no namespace, or one that is going away. */
export function checkNamespace(store: Store, type: ResourceType, namespace: string, name: string): void {
  if (!type.namespaced) return;
  const found = store.get("namespaces", "", namespace);
  if (found === undefined) throw ApiError.notFound("namespaces", namespace);
  if (!isTerminating(found)) return;
  const resource = resourceName(type);
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  throw new ApiError(403, "Forbidden", `${resource} "${name}" is forbidden: ${why}`, {
    name,
    kind: type.plural,
    ...(type.group === "" ? {} : { group: type.group }),
    causes: [
      {
        reason: "NamespaceTerminating",
        message: `namespace ${namespace} is being terminated`,
        field: "metadata.namespace",
      },
    ],
  });
}

/** Refuses to delete a namespace that a cluster cannot do without. */
export function checkNamespaceDeletion(type: ResourceType, name: string): void {
  if (type.storedAs === "namespaces" && IMMORTAL.has(name)) {
    throw ApiError.forbidden("namespaces", name, "this namespace may not be deleted");
  }
}

function isTerminating(namespace: KubeObject): boolean {
  return namespace.metadata.deletionTimestamp !== undefined;
}
