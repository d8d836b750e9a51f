import { CONFIG_ANNOTATION } from "@bowline/contracts";
import type { Values } from "../values.ts";
import { type JsonObject, objectIn, objectsIn, textsIn } from "./json-object.ts";
import { type PatchOperation, pointerToken } from "./patch.ts";
import { containsPort, isPort, readPortItems } from "./port-items.ts";
import { containerPorts } from "./ports-of-pod.ts";
import type { PodView, Workload } from "./workload.ts";

const ANNOTATION = CONFIG_ANNOTATION.opaquePorts;

/**
 * The opaque ports that a pod is to be annotated with, as its clients' proxies learn of them by the annotation only:
 * the namespace's, or those by convention that the pod really has. null: it has an annotation, or needs none.
 */
export function podOpaquePorts(
  pod: PodView,
  namespaceAnnotations: Readonly<Record<string, string>>,
  values: Values,
): string | null {
  if (pod.annotations[ANNOTATION] !== undefined) return null;
  const { items } = readPortItems(values.proxy.opaquePorts);
  const exposed = containerPorts(pod).filter((port) => containsPort(items, port));
  return namespaceAnnotations[ANNOTATION] ?? asText(exposed);
}

/** A patch that annotates a Service with its namespace's opaque ports, or with its ports that lead to opaque ones. */
export function serviceOpaquePortsPatch(
  { object }: Workload,
  namespaceAnnotations: Readonly<Record<string, string>>,
  values: Values,
): readonly PatchOperation[] {
  const metadata = objectIn(object, "metadata", "");
  if (textsIn(metadata, "annotations", "/metadata")[ANNOTATION] !== undefined) return [];
  const value = namespaceAnnotations[ANNOTATION] ?? asText(opaqueServicePorts(object, values));
  return value === null ? [] : annotateMetadata(metadata, { [ANNOTATION]: value }, "");
}

/**
 * A patch that sets annotations; those that are there with the same value are left alone.
 *
 * @param pointer to what the metadata belongs to: "" for the object itself
 */
export function annotateMetadata(
  metadata: JsonObject | undefined,
  annotations: Readonly<Record<string, string>>,
  pointer: string,
): readonly PatchOperation[] {
  const present = objectIn(metadata, "annotations", "/metadata");
  const missing = Object.entries(annotations).filter(([name, value]) => present?.[name] !== value);
  if (missing.length === 0) return [];
  const roots: PatchOperation[] = [];
  if (metadata === undefined) roots.push({ op: "add", path: `${pointer}/metadata`, value: {} });
  if (present === undefined) roots.push({ op: "add", path: `${pointer}/metadata/annotations`, value: {} });
  return [
    ...roots,
    ...missing.map(
      ([name, value]) => ({ op: "add", path: `${pointer}/metadata/annotations/${pointerToken(name)}`, value }) as const,
    ),
  ];
}

function opaqueServicePorts(service: JsonObject, values: Values): readonly number[] {
  const { items } = readPortItems(values.proxy.opaquePorts);
  return objectsIn(objectIn(service, "spec", ""), "ports", "/spec").flatMap((entry) => {
    const port = entry["port"];
    const target = entry["targetPort"] ?? port;
    return isPort(port) && isPort(target) && containsPort(items, target) ? [port] : [];
  });
}

function asText(ports: readonly number[]): string | null {
  return ports.length === 0 ? null : [...new Set(ports)].join(",");
}
