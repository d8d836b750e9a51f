import type { KubeObject } from "@bowline/kube";
import { isObject, objectAt, objectsAt, textAt } from "../schema.ts";
import { fieldObject, setDefaults } from "./pod-spec.ts";

const RBAC_GROUP = "rbac.authorization.k8s.io";

export function defaultRoleBinding(object: KubeObject): void {
  setDefaults(fieldObject(object, "roleRef"), { apiGroup: RBAC_GROUP });
  for (const subject of objectsAt(object, "subjects")) {
    if (subject["kind"] === "User" || subject["kind"] === "Group") setDefaults(subject, { apiGroup: RBAC_GROUP });
  }
}

export function defaultWebhooks(object: KubeObject): void {
  for (const webhook of objectsAt(object, "webhooks")) {
    setDefaults(webhook, {
      failurePolicy: "Fail",
      matchPolicy: "Equivalent",
      namespaceSelector: {},
      objectSelector: {},
      timeoutSeconds: 10,
    });
    if (object.kind === "MutatingWebhookConfiguration") setDefaults(webhook, { reinvocationPolicy: "Never" });
    for (const rule of objectsAt(webhook, "rules")) setDefaults(rule, { scope: "*" });
    const service = objectAt(webhook, "clientConfig")["service"];
    if (isObject(service)) setDefaults(service, { port: 443 });
  }
}

export function defaultCustomResourceDefinition(object: KubeObject): void {
  const spec = fieldObject(object, "spec");
  setDefaults(fieldObject(spec, "conversion"), { strategy: "None" });
  const names = fieldObject(spec, "names");
  const kind = textAt(names, "kind");
  if (kind !== "") setDefaults(names, { singular: kind.toLowerCase(), listKind: `${kind}List` });
}

export function defaultPriorityClass(object: KubeObject): void {
  setDefaults(object, { value: 0, preemptionPolicy: "PreemptLowerPriority" });
}

export function defaultApiService(object: KubeObject): void {
  const service = objectAt(object, "spec")["service"];
  if (isObject(service)) setDefaults(service, { port: 443 });
}

export function defaultNamespace(object: KubeObject): void {
  const { metadata } = object;
  if (metadata.name !== undefined && metadata.name !== "")
    metadata.labels = { ...metadata.labels, "kubernetes.io/metadata.name": metadata.name };
}

export function defaultPersistentVolume(object: KubeObject): void {
  setDefaults(fieldObject(object, "spec"), { volumeMode: "Filesystem", persistentVolumeReclaimPolicy: "Retain" });
}

export function defaultPersistentVolumeClaim(object: KubeObject): void {
  setDefaults(fieldObject(object, "spec"), { volumeMode: "Filesystem" });
}
