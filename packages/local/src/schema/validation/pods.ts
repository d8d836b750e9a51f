import type { KubeObject } from "@bowline/kube";
import { isObject, type JsonObject, objectAt, objectsAt, omit, sameJson } from "../schema.ts";
import type { FieldErrors } from "./field-errors.ts";
import { validatePodSpec } from "./pod-spec.ts";

export function validatePod(object: KubeObject, errors: FieldErrors): void {
  validatePodSpec(objectAt(object, "spec"), "spec", errors);
}

/** A pod's spec stays as it is but for images, deadlines, tolerations that are added, and the node, once. */
export function validatePodUpdate(object: KubeObject, old: KubeObject, errors: FieldErrors): void {
  const [now, before] = [objectAt(object, "spec"), objectAt(old, "spec")];
  for (const list of ["containers", "initContainers"]) {
    if (objectsAt(now, list).length !== objectsAt(before, list).length) {
      errors.forbidden(`spec.${list}`, "pod updates may not add or remove containers");
      return;
    }
  }
  if (!sameJson(fixedPart(now, before), fixedPart(before, before))) {
    errors.forbidden(
      "spec",
      "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`," +
        "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
    );
  }
  const kept = objectsAt(now, "tolerations");
  if (!objectsAt(before, "tolerations").every((toleration) => kept.some((other) => sameJson(other, toleration)))) {
    errors.forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds");
  }
}

function fixedPart(spec: JsonObject, before: JsonObject): JsonObject {
  const fixed = omit(spec, "activeDeadlineSeconds", "tolerations", "ephemeralContainers", "schedulingGates");
  // Binding to a node is an update of its own in Kubernetes.
  if (before["nodeName"] === undefined || before["nodeName"] === "") delete fixed["nodeName"];
  for (const list of ["containers", "initContainers"]) {
    const containers = fixed[list];
    if (!Array.isArray(containers)) continue;
    fixed[list] = containers.map((container: unknown) =>
      isObject(container) ? { ...container, image: "" } : container,
    );
  }
  return fixed;
}
