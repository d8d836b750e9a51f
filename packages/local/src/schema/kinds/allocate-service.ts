import { ApiError, type KubeObject } from "@bowline/kube";
import { fieldObject } from "../defaults/pod-spec.ts";
import type { PrepareOptions, ServiceAllocator, WriteKind } from "../resource-type.ts";
import { isObject, type JsonObject, objectAt, objectsAt, sameJson, textAt } from "../schema.ts";

type Family = "IPv4" | "IPv6";

/** What an update leaves out of what was allotted before stays; what a service of another type cannot have goes. */
export function keepAllotted(object: KubeObject, _write: WriteKind, { old }: PrepareOptions): void {
  if (old === undefined) return;
  const [spec, before] = [fieldObject(object, "spec"), objectAt(old, "spec")];
  dropOfOtherType(spec, before);
  if (spec["type"] === "ExternalName" || before["type"] === "ExternalName") return;
  const [address, held] = [textAt(spec, "clusterIP"), textAt(before, "clusterIP")];
  if (address === "" && held !== "") spec["clusterIP"] = held;
  if (address === "" || address === held) spec["clusterIPs"] ??= structuredClone(before["clusterIPs"]);
  // Clients that know of one address change that alone; the list follows.
  else if (sameJson(spec["clusterIPs"], before["clusterIPs"])) delete spec["clusterIPs"];
  for (const field of ["ipFamilies", "ipFamilyPolicy"]) {
    if (spec[field] === undefined && before[field] !== undefined) spec[field] = structuredClone(before[field]);
  }
  if (spec["type"] === "ClusterIP") return;
  for (const port of objectsAt(spec, "ports")) {
    const same = objectsAt(before, "ports").find(
      (other) => other["port"] === port["port"] && other["protocol"] === port["protocol"],
    );
    if (port["nodePort"] === undefined && same?.["nodePort"] !== undefined) port["nodePort"] = same["nodePort"];
  }
}

/** Fields of a service's former type that an update carries along unchanged. */
function dropOfOtherType(spec: JsonObject, before: JsonObject): void {
  if (spec["type"] === before["type"]) return;
  const drop = (of: JsonObject, than: JsonObject, ...fields: readonly string[]): void => {
    for (const field of fields) if (sameJson(of[field], than[field])) delete of[field];
  };
  if (spec["type"] === "ExternalName") drop(spec, before, "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy");
  if (before["type"] === "ExternalName") drop(spec, before, "externalName");
  if (spec["type"] !== "ClusterIP" && spec["type"] !== "ExternalName") return;
  drop(spec, before, "externalTrafficPolicy", "allocateLoadBalancerNodePorts", "healthCheckNodePort");
  const held = objectsAt(before, "ports").map((port) => port["nodePort"]);
  for (const port of objectsAt(spec, "ports")) if (held.includes(port["nodePort"])) delete port["nodePort"];
}

/** Addresses for a service that is to have them and has none yet, and node ports. @throws ApiError 422 */
export function allocateService(object: KubeObject, { services, old }: PrepareOptions): void {
  const spec = fieldObject(object, "spec");
  if (spec["type"] === "ExternalName") {
    for (const field of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]) delete spec[field];
    return;
  }
  if (services === undefined) return;
  const families = familiesOf(object, spec, services);
  if (spec["clusterIP"] === "None") spec["clusterIPs"] = ["None"];
  else allocateAddresses(object, spec, families, services, old);
  if (spec["type"] === "NodePort" || spec["type"] === "LoadBalancer") allocateNodePorts(object, spec, services, old);
}

function allocateAddresses(
  object: KubeObject,
  spec: JsonObject,
  families: readonly Family[],
  services: ServiceAllocator,
  old: KubeObject | undefined,
): void {
  const wanted: unknown[] = Array.isArray(spec["clusterIPs"]) ? [...spec["clusterIPs"]] : [];
  if (textAt(spec, "clusterIP") !== "") wanted[0] = spec["clusterIP"];
  const held = objectAt(old, "spec")["clusterIPs"];
  const addresses = families.map((family, index) => {
    const address = wanted[index];
    if (typeof address !== "string" || address === "") return services.clusterIp(family, undefined, object);
    return Array.isArray(held) && held.includes(address) ? address : services.clusterIp(family, address, object);
  });
  spec["clusterIP"] = addresses[0];
  spec["clusterIPs"] = addresses;
}

/** The families a service is to have, by its policy; noted in it. */
function familiesOf(object: KubeObject, spec: JsonObject, services: ServiceAllocator): readonly Family[] {
  const given = (Array.isArray(spec["ipFamilies"]) ? spec["ipFamilies"] : []).filter(
    (family): family is Family => family === "IPv4" || family === "IPv6",
  );
  const headlessWithoutSelector = spec["clusterIP"] === "None" && !isObject(spec["selector"]);
  spec["ipFamilyPolicy"] ??=
    given.length > 1 || (headlessWithoutSelector && services.families.length > 1) ? "RequireDualStack" : "SingleStack";
  const policy = spec["ipFamilyPolicy"];
  if (policy === "RequireDualStack" && services.families.length < 2) {
    refuse(
      object,
      "spec.ipFamilyPolicy",
      `Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services`,
    );
  }
  given.forEach((family, index) => {
    if (services.families.includes(family)) return;
    refuse(object, `spec.ipFamilies[${index}]`, `Invalid value: "${family}": not configured on this cluster`);
  });
  const literal = textAt(spec, "clusterIP");
  const implied: Family[] = literal === "" || literal === "None" ? [] : [literal.includes(":") ? "IPv6" : "IPv4"];
  const preferred = [...new Set([...given, ...implied, ...services.families])];
  const families = preferred.slice(0, policy === "SingleStack" ? 1 : 2);
  spec["ipFamilies"] = families;
  return families;
}

function allocateNodePorts(
  object: KubeObject,
  spec: JsonObject,
  services: ServiceAllocator,
  old: KubeObject | undefined,
): void {
  if (spec["type"] === "LoadBalancer" && spec["allocateLoadBalancerNodePorts"] === false) return;
  const held = new Set(objectsAt(old, "spec", "ports").map((port) => port["nodePort"]));
  for (const port of objectsAt(spec, "ports")) {
    const { nodePort } = port;
    if (typeof nodePort === "number" && nodePort !== 0 && held.has(nodePort)) continue;
    const wanted = typeof nodePort === "number" && nodePort !== 0 ? nodePort : undefined;
    port["nodePort"] = services.nodePort(wanted, textAt(port, "protocol"), object);
  }
}

function refuse(object: KubeObject, field: string, message: string): never {
  throw ApiError.invalid("Service", object.metadata.name, [{ field, message }]);
}
