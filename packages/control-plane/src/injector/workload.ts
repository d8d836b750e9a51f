import { CONTROL_PLANE_COMPONENT_LABEL } from "@bowline/contracts";
import { type JsonObject, objectIn, objectsIn, textIn, textsIn } from "./json-object.ts";

/** Where each kind keeps its pod, as a JSON pointer. Kinds without a pod are not here. */
const POD_POINTERS: Readonly<Record<string, string>> = {
  pod: "",
  deployment: "/spec/template",
  replicaset: "/spec/template",
  replicationcontroller: "/spec/template",
  statefulset: "/spec/template",
  daemonset: "/spec/template",
  job: "/spec/template",
  cronjob: "/spec/jobTemplate/spec/template",
};

/** A Kubernetes object as injection sees it. */
export interface Workload {
  /** In lower case; "" when the object has none. */
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly object: JsonObject;
  /** null for kinds that make no pods. */
  readonly pod: PodView | null;
}

export interface PodView {
  /** JSON pointer from the object to the pod or its template. */
  readonly pointer: string;
  readonly metadata: JsonObject | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: JsonObject;
  readonly containers: readonly JsonObject[];
  readonly initContainers: readonly JsonObject[];
  readonly volumes: readonly JsonObject[];
}

/** Throws a ShapeError when the object's kind is one with pods and the pod is not of its shape. */
export function readWorkload(object: JsonObject): Workload {
  const kind = textIn(object, "kind").toLowerCase();
  const metadata = objectIn(object, "metadata", "");
  return {
    kind,
    name: textIn(metadata, "name") || textIn(metadata, "generateName"),
    namespace: textIn(metadata, "namespace"),
    object,
    pod: readPod(object, POD_POINTERS[kind]),
  };
}

/** Which part of the control plane the pod is; "" for everybody else's. */
export function controlPlaneComponent(pod: PodView): string {
  return pod.labels[CONTROL_PLANE_COMPONENT_LABEL] ?? "";
}

function readPod(object: JsonObject, pointer: string | undefined): PodView | null {
  if (pointer === undefined) return null;
  let pod: JsonObject | undefined = object;
  let at = "";
  for (const step of pointer.split("/").slice(1)) {
    pod = objectIn(pod, step, at);
    at += `/${step}`;
  }
  const spec = objectIn(pod, "spec", pointer);
  if (spec === undefined) return null;
  const metadata = objectIn(pod, "metadata", pointer);
  return {
    pointer,
    metadata,
    annotations: textsIn(metadata, "annotations", `${pointer}/metadata`),
    labels: textsIn(metadata, "labels", `${pointer}/metadata`),
    spec,
    containers: objectsIn(spec, "containers", `${pointer}/spec`),
    initContainers: objectsIn(spec, "initContainers", `${pointer}/spec`),
    volumes: objectsIn(spec, "volumes", `${pointer}/spec`),
  };
}
