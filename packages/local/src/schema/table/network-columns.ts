import type { KubeObject } from "@bowline/kube";
import { numberAt, objectAt, objectsAt, scalarText, textAt } from "../schema.ts";
import { AGE, type Column, column, NAME, NONE, selectorColumn, selectorText, shown } from "./columns.ts";

export const SERVICE_COLUMNS: readonly Column[] = [
  NAME,
  column("Type", (object) => textAt(object, "spec", "type")),
  column("Cluster-IP", (object) => shown(objectAt(object, "spec")["clusterIP"])),
  column("External-IP", externalIp),
  column("Port(s)", (object) => joined(objectsAt(object, "spec", "ports").map(servicePort))),
  AGE,
  selectorColumn("spec", "selector"),
];

export const ENDPOINTS_COLUMNS: readonly Column[] = [NAME, column("Endpoints", endpointsText), AGE];

export const ENDPOINT_SLICE_COLUMNS: readonly Column[] = [
  NAME,
  column("AddressType", (object) => textAt(object, "addressType")),
  column("Ports", (object) => {
    const ports = objectsAt(object, "ports").map((port) => numberAt(port, "port") ?? "*");
    return ports.length === 0 ? "<unset>" : shortened(ports.map(String));
  }),
  column("Endpoints", (object) => {
    const addresses = objectsAt(object, "endpoints").flatMap((endpoint) => texts(endpoint["addresses"]));
    return addresses.length === 0 ? "<unset>" : shortened(addresses);
  }),
  AGE,
];

export const INGRESS_COLUMNS: readonly Column[] = [
  NAME,
  column("Class", (object) => shown(objectAt(object, "spec")["ingressClassName"])),
  column("Hosts", (object) => {
    const hosts = objectsAt(object, "spec", "rules").map((rule) => textAt(rule, "host") || "*");
    return hosts.length === 0 ? "*" : shortened(hosts);
  }),
  column("Address", (object) => loadBalancerAddresses(object).join(",")),
  column("Ports", (object) => (objectsAt(object, "spec", "tls").length > 0 ? "80, 443" : "80")),
  AGE,
];

export const NETWORK_POLICY_COLUMNS: readonly Column[] = [
  NAME,
  column("Pod-Selector", (object) => selectorText(objectAt(object, "spec", "podSelector"))),
  AGE,
];

/** Three, and how many more there are. */
function shortened(items: readonly string[]): string {
  const more = items.length - 3;
  return more > 0 ? `${items.slice(0, 3).join(",")} + ${more} more...` : items.join(",");
}

function joined(items: readonly string[]): string {
  return items.length === 0 ? NONE : items.join(",");
}

function texts(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((item) => typeof item === "string") : [];
}

function externalIp(service: KubeObject): string {
  const spec = objectAt(service, "spec");
  const external = texts(spec["externalIPs"]);
  switch (spec["type"]) {
    case "ExternalName":
      return textAt(spec, "externalName");
    case "LoadBalancer": {
      const all = [...loadBalancerAddresses(service), ...external];
      return all.length === 0 ? "<pending>" : all.join(",");
    }
    default:
      return joined(external);
  }
}

function loadBalancerAddresses(object: KubeObject): string[] {
  return objectsAt(object, "status", "loadBalancer", "ingress").map(
    (each) => textAt(each, "ip") || textAt(each, "hostname"),
  );
}

function servicePort(port: Record<string, unknown>): string {
  const node = numberAt(port, "nodePort");
  return `${scalarText(port["port"])}${node === undefined || node === 0 ? "" : `:${node}`}/${textAt(port, "protocol")}`;
}

function endpointsText(object: KubeObject): string {
  const all = objectsAt(object, "subsets").flatMap((subset) => {
    const ports = objectsAt(subset, "ports").map((port) => numberAt(port, "port"));
    return objectsAt(subset, "addresses").flatMap((address) => {
      const ip = textAt(address, "ip");
      const host = ip.includes(":") ? `[${ip}]` : ip;
      return ports.length === 0 ? [ip] : ports.map((port) => `${host}:${port ?? 0}`);
    });
  });
  return all.length === 0 ? NONE : shortened(all);
}
