import { inject, type JsonObject, type Values } from "@bowline/control-plane";
import type { KubeObject } from "@bowline/kube";
import { applyPatch } from "../../inject/json-patch.ts";
import { CREATED_BY } from "./parts.ts";

/** The same objects, the control plane's own Deployments among them with proxies: its webhook can't inject itself. */
export function withProxies(objects: readonly KubeObject[], values: Values): KubeObject[] {
  return objects.map((object) => (object.kind === "Deployment" ? withProxy(object, values) : object));
}

function withProxy(object: KubeObject, values: Values): KubeObject {
  const { patch } = inject({
    object: object as JsonObject,
    namespaceAnnotations: {},
    values,
    origin: "cli",
    createdBy: CREATED_BY,
    owner: null,
    namespace: null,
  });
  return applyPatch(object, patch) as KubeObject;
}
