import { inject, type JsonObject, type PatchOperation, type Values } from "@bowline/control-plane";
import type { KubeObject } from "@bowline/kube";
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
  const injected = structuredClone(object);
  for (const operation of patch) add(injected, operation);
  return injected;
}

/** An `add` of a JSON patch (RFC 6902 section 4.1), which is all that injection makes. */
function add(object: KubeObject, operation: PatchOperation): void {
  if (operation.op !== "add") throw new Error(`injection made an operation "${operation.op}" of ${operation.path}`);
  const steps = operation.path
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = steps.pop() ?? "";
  const holder = steps.reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], object);
  if (Array.isArray(holder)) holder.splice(last === "-" ? holder.length : Number(last), 0, operation.value);
  else (holder as Record<string, unknown>)[last] = operation.value;
}
