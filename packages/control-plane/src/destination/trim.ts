import { PROXY_CONTAINER } from "@bowline/contracts";
import type { KubeObject, ObjectMeta } from "@bowline/kube";
import type { ObjectKind } from "./objects.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Names of the proxy's variables that are read (workload.ts). */
const LISTEN_VARIABLE = /^LINKERD2_PROXY_\w+_LISTEN(?:ER|_ADDR)$/;
/** Whole objects in themselves. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** An object without what discovery never reads: all of a cluster's pods are kept in memory. */
export function trim(kind: ObjectKind, object: KubeObject): KubeObject {
  const { apiVersion, metadata } = object;
  const base = { apiVersion, kind: object.kind, metadata: trimMetadata(metadata) };
  switch (kind) {
    case "replicasets":
    case "jobs":
    case "nodes":
      return { ...base, metadata: { ...base.metadata, annotations: {} } };
    case "pods":
      return {
        ...base,
        spec: trimPodSpec(fieldsOf(object["spec"])),
        status: trimPodStatus(fieldsOf(object["status"])),
      };
    default:
      return { ...object, metadata: base.metadata };
  }
}

function trimMetadata(metadata: ObjectMeta): ObjectMeta {
  const { managedFields: _, finalizers: __, ...rest } = metadata;
  if (rest.annotations?.[LAST_APPLIED] === undefined) return rest;
  const { [LAST_APPLIED]: ___, ...annotations } = rest.annotations;
  return { ...rest, annotations };
}

function trimPodSpec(spec: Fields): Fields {
  return {
    ...pick(spec, ["hostNetwork", "nodeName", "serviceAccountName"]),
    initContainers: listOf(spec["initContainers"]).map(trimContainer),
    containers: listOf(spec["containers"]).map(trimContainer),
  };
}

function trimContainer(container: Fields): Fields {
  const kept = pick(container, ["name", "ports"]);
  if (container["name"] !== PROXY_CONTAINER) return kept;
  return { ...kept, env: listOf(container["env"]).filter(({ name }) => LISTEN_VARIABLE.test(String(name))) };
}

function trimPodStatus(status: Fields): Fields {
  return pick(status, ["phase", "podIP", "podIPs", "hostIP", "hostIPs"]);
}

function pick(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(names.filter((name) => fields[name] !== undefined).map((name) => [name, fields[name]]));
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}
