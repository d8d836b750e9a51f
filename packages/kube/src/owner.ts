import type { KubeObject, OwnerReference } from "./types.ts";

/** The controller that made this object and keeps it, as a ReplicaSet its pods. */
export function ownerOf(object: Pick<KubeObject, "metadata">): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true);
}

/** The reference by which a controller makes an object its own. */
export function controllerReference(owner: Pick<KubeObject, "apiVersion" | "kind" | "metadata">): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}
