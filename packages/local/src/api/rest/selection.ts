import {
  ApiError,
  type FieldRequirement,
  type KubeObject,
  matchesFields,
  matchesRequirements,
  parseFieldSelector,
  parseLabelSelector,
  type Selector,
} from "@bowline/kube";
import type { ResourceType } from "../../schema/resource-type.ts";

/** Fields that objects can be selected by, beside their name and namespace, as Kubernetes has them. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  pods: [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
  ],
  events: [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
  ],
  secrets: ["type"],
  namespaces: ["status.phase"],
  nodes: ["spec.unschedulable"],
  services: ["spec.clusterIP", "spec.type"],
  "replicasets.apps": ["status.replicas"],
  "jobs.batch": ["status.successful"],
};

/** What a list or a watch is about. */
export interface Selection {
  /** "" for all. */
  readonly namespace: string;
  /** The one name that is asked for, if it is one. */
  readonly name: string | undefined;
  readonly matches: (object: KubeObject) => boolean;
}

/** Throws ApiError 400 for selectors that cannot be read, and fields that objects are not selected by. */
export function selectionOf(type: ResourceType, namespace: string, query: URLSearchParams, name = ""): Selection {
  const labels = parseLabelSelector(query.get("labelSelector") ?? "");
  const fields = [...parseFieldSelector(query.get("fieldSelector") ?? "")];
  for (const { path } of fields) checkField(type, path);
  // First, and beside whatever else is asked for: access was granted to the object of this name.
  if (name !== "") fields.unshift({ path: "metadata.name", equal: true, value: name });
  return {
    namespace,
    name: fields.find(({ path, equal }) => path === "metadata.name" && equal)?.value,
    matches: (object) =>
      (namespace === "" || object.metadata.namespace === namespace) &&
      hasLabels(labels, object) &&
      hasFields(fields, object),
  };
}

function hasLabels(labels: Selector, object: KubeObject): boolean {
  return labels.length === 0 || matchesRequirements(labels, object.metadata.labels ?? {});
}

function hasFields(fields: readonly FieldRequirement[], object: KubeObject): boolean {
  return fields.length === 0 || matchesFields(fields.map(storedField), withBooleans(object, fields));
}

/** `source` of an event is the component in it. */
function storedField(field: FieldRequirement): FieldRequirement {
  return field.path === "source" ? { ...field, path: "source.component" } : field;
}

/** Booleans that are absent are false to a selector. */
function withBooleans(object: KubeObject, fields: readonly FieldRequirement[]): KubeObject {
  const path = fields.find((field) => field.path === "spec.hostNetwork" || field.path === "spec.unschedulable")?.path;
  if (path === undefined) return object;
  const key = path.slice("spec.".length);
  return { ...object, spec: { [key]: false, ...(object["spec"] as Record<string, unknown> | undefined) } };
}

function checkField(type: ResourceType, path: string): void {
  if (path === "metadata.name" || path === "metadata.namespace") return;
  if (FIELDS[type.storedAs]?.includes(path)) return;
  throw ApiError.badRequest(`field label not supported: ${path}`);
}
