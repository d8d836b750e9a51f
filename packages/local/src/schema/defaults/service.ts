import type { KubeObject } from "@bowline/kube";
import { isObject, objectsAt } from "../schema.ts";
import { fieldObject, setDefaults } from "./pod-spec.ts";

export function defaultService(object: KubeObject): void {
  const spec = fieldObject(object, "spec");
  setDefaults(spec, { sessionAffinity: "None", type: "ClusterIP" });
  if (spec["sessionAffinity"] === "ClientIP") {
    const config = fieldObject(fieldObject(spec, "sessionAffinityConfig"), "clientIP");
    setDefaults(config, { timeoutSeconds: 10800 });
  }
  for (const port of objectsAt(spec, "ports")) {
    setDefaults(port, { protocol: "TCP" });
    const { targetPort } = port;
    if (targetPort === undefined || targetPort === 0 || targetPort === "") port["targetPort"] = port["port"];
  }
  const { type } = spec;
  if (type === "NodePort" || type === "LoadBalancer") setDefaults(spec, { externalTrafficPolicy: "Cluster" });
  if (type !== "ExternalName") setDefaults(spec, { internalTrafficPolicy: "Cluster" });
  if (type === "LoadBalancer") setDefaults(spec, { allocateLoadBalancerNodePorts: true });
}

export function defaultEndpoints(object: KubeObject): void {
  for (const subset of objectsAt(object, "subsets")) {
    for (const port of objectsAt(subset, "ports")) setDefaults(port, { protocol: "TCP" });
  }
}

export function defaultEndpointSlice(object: KubeObject): void {
  // Slices without endpoints or ports have them as empty lists.
  object["endpoints"] ??= [];
  for (const port of objectsAt(object, "ports")) setDefaults(port, { name: "", protocol: "TCP" });
}

export function defaultNetworkPolicy(object: KubeObject): void {
  const spec = fieldObject(object, "spec");
  fieldObject(spec, "podSelector");
  const egress = objectsAt(spec, "egress").length > 0;
  spec["policyTypes"] ??= egress ? ["Ingress", "Egress"] : ["Ingress"];
  for (const rule of [...objectsAt(spec, "ingress"), ...objectsAt(spec, "egress")]) {
    for (const port of objectsAt(rule, "ports")) setDefaults(port, { protocol: "TCP" });
  }
}

export function defaultSecret(object: KubeObject): void {
  setDefaults(object, { type: "Opaque" });
  const given = object["data"];
  if (isObject(given)) {
    // Go decodes base64 with line breaks in it; what is stored has none.
    for (const [key, text] of Object.entries(given))
      if (typeof text === "string") given[key] = text.replace(/[\r\n]/g, "");
  }
  const { stringData } = object;
  delete object["stringData"];
  if (!isObject(stringData)) return;
  const data = fieldObject(object, "data");
  for (const [key, text] of Object.entries(stringData)) {
    data[key] = Buffer.from(typeof text === "string" ? text : "").toString("base64");
  }
}
