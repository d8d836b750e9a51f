import { isIP, isIPv4, isIPv6 } from "node:net";
import type { KubeObject } from "@bowline/kube";
import { isObject, type JsonObject, objectAt, objectsAt, scalarText, textAt } from "../schema.ts";
import { validatePortNumber, validatePortReference } from "./container.ts";
import type { FieldErrors } from "./field-errors.ts";
import { report, validateImmutable, validateLabels } from "./metadata.ts";
import { dnsLabel, dnsSubdomain } from "./names.ts";

export function validateService(object: KubeObject, errors: FieldErrors): void {
  const spec = objectAt(object, "spec");
  const { type, clusterIP } = spec;
  validateLabels(spec["selector"], "spec.selector", errors);
  validateServicePorts(spec, errors);
  if (type === "ExternalName") {
    const name = textAt(spec, "externalName").replace(/\.$/, "");
    if (name === "") errors.required("spec.externalName");
    else report(errors, "spec.externalName", name, dnsSubdomain(name));
    if (typeof clusterIP === "string" && clusterIP !== "")
      errors.forbidden("spec.clusterIPs", "may not be set when `type` is 'ExternalName'");
  } else if (clusterIP === "None") {
    if (type !== "ClusterIP")
      errors.invalid("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${scalarText(type)} services`);
  } else if (typeof clusterIP === "string" && clusterIP !== "" && isIP(clusterIP) === 0) {
    errors.invalid("spec.clusterIPs[0]", clusterIP, "must be a valid IP address");
  }
  const [first] = Array.isArray(spec["clusterIPs"]) ? spec["clusterIPs"] : [];
  if (first !== undefined && first !== (clusterIP ?? "")) {
    errors.invalid("spec.clusterIPs", spec["clusterIPs"], "first value must match `clusterIP`");
  }
  if (type === "ClusterIP" && spec["externalTrafficPolicy"] !== undefined) {
    errors.invalid(
      "spec.externalTrafficPolicy",
      spec["externalTrafficPolicy"],
      "may only be set for externally-accessible services",
    );
  }
  (Array.isArray(spec["externalIPs"]) ? spec["externalIPs"] : []).forEach((ip: unknown, index) => {
    if (typeof ip !== "string" || isIP(ip) === 0)
      errors.invalid(`spec.externalIPs[${index}]`, ip, "must be a valid IP address");
  });
}

export function validateServiceUpdate(object: KubeObject, old: KubeObject, errors: FieldErrors): void {
  const [now, before] = [objectAt(object, "spec"), objectAt(old, "spec")];
  if (now["type"] === "ExternalName" || before["type"] === "ExternalName") return;
  if (textAt(before, "clusterIP") !== "" && now["clusterIP"] !== before["clusterIP"]) {
    errors.invalid("spec.clusterIPs[0]", now["clusterIPs"] ?? [now["clusterIP"]], "may not change once set");
  }
}

function validateServicePorts(spec: JsonObject, errors: FieldErrors): void {
  const ports = objectsAt(spec, "ports");
  if (ports.length === 0 && spec["type"] !== "ExternalName" && spec["clusterIP"] !== "None")
    errors.required("spec.ports");
  const names = new Set<string>();
  const numbers = new Set<string>();
  ports.forEach((port, index) => {
    const path = `spec.ports[${index}]`;
    const name = textAt(port, "name");
    if (name === "" && ports.length > 1) errors.required(`${path}.name`);
    if (name !== "") report(errors, `${path}.name`, name, dnsLabel(name));
    if (name !== "" && names.has(name)) errors.duplicate(`${path}.name`, name);
    names.add(name);
    if (port["port"] !== undefined) validatePortNumber(port["port"], `${path}.port`, errors);
    validatePortReference(port["targetPort"], `${path}.targetPort`, errors);
    const key = `${textAt(port, "protocol")}/${scalarText(port["port"])}`;
    if (numbers.has(key)) errors.duplicate(path, { protocol: port["protocol"], port: port["port"] });
    numbers.add(key);
    const { nodePort } = port;
    if (typeof nodePort === "number" && nodePort !== 0 && spec["type"] === "ClusterIP") {
      errors.forbidden(`${path}.nodePort`, "may not be used when `type` is 'ClusterIP'");
    }
  });
}

export function validateEndpoints(object: KubeObject, errors: FieldErrors): void {
  objectsAt(object, "subsets").forEach((subset, index) => {
    for (const list of ["addresses", "notReadyAddresses"]) {
      objectsAt(subset, list).forEach((address, at) => {
        const ip = textAt(address, "ip");
        if (ip !== "" && isIP(ip) === 0)
          errors.invalid(`subsets[${index}].${list}[${at}].ip`, ip, "must be a valid IP address");
      });
    }
    objectsAt(subset, "ports").forEach((port, at) => {
      validatePortNumber(port["port"], `subsets[${index}].ports[${at}].port`, errors);
    });
  });
}

export function validateEndpointSlice(object: KubeObject, errors: FieldErrors): void {
  const { addressType } = object;
  const endpoints = objectsAt(object, "endpoints");
  if (endpoints.length > 1000) errors.tooMany("endpoints", endpoints.length, 1000);
  endpoints.forEach((endpoint, index) => {
    const addresses = Array.isArray(endpoint["addresses"]) ? endpoint["addresses"] : [];
    if (addresses.length > 100) errors.tooMany(`endpoints[${index}].addresses`, addresses.length, 100);
    addresses.forEach((address: unknown, at) => {
      const wrong = typeof address === "string" ? addressFault(addressType, address) : undefined;
      report(errors, `endpoints[${index}].addresses[${at}]`, address, wrong);
    });
  });
  const names = new Set<string>();
  objectsAt(object, "ports").forEach((port, index) => {
    const name = textAt(port, "name");
    if (name !== "") report(errors, `ports[${index}].name`, name, dnsLabel(name));
    if (names.has(name)) errors.duplicate(`ports[${index}].name`, name);
    names.add(name);
    if (port["port"] !== undefined) validatePortNumber(port["port"], `ports[${index}].port`, errors);
  });
}

export function validateEndpointSliceUpdate(object: KubeObject, old: KubeObject, errors: FieldErrors): void {
  validateImmutable(object, old, "addressType", errors);
}

function addressFault(type: unknown, address: string): string | undefined {
  if (type === "IPv4") return isIPv4(address) ? undefined : "must be a valid IPv4 address";
  if (type === "IPv6") return isIPv6(address) ? undefined : "must be a valid IPv6 address";
  return dnsSubdomain(address);
}

export function validateNetworkPolicy(object: KubeObject, errors: FieldErrors): void {
  const spec = objectAt(object, "spec");
  for (const [list, peers] of [
    ["ingress", "from"],
    ["egress", "to"],
  ] as const) {
    objectsAt(spec, list).forEach((rule, index) => {
      objectsAt(rule, peers).forEach((peer, at) => {
        const path = `spec.${list}[${index}].${peers}[${at}]`;
        if (Object.keys(peer).length === 0) errors.required(path, "must specify a peer");
        if (isObject(peer["ipBlock"]) && Object.keys(peer).length > 1) {
          errors.forbidden(path, "may not specify both ipBlock and another peer");
        }
      });
    });
  }
}
