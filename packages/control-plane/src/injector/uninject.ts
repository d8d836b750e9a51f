import {
  CONTROL_PLANE_COMPONENT_LABEL,
  DEBUG_CONTAINER,
  END_ENTITY_VOLUME,
  IDENTITY_TOKEN_VOLUME,
  INIT_CONTAINER,
  INJECT_ANNOTATION,
  LINKERD_PREFIX,
  PROXY_CONTAINER,
  VALIDATOR_CONTAINER,
  XTABLES_LOCK_VOLUME,
} from "@bowline/contracts";
import { isObject, type JsonObject, objectIn, textIn } from "./json-object.ts";
import { type PatchOperation, pointerToken } from "./patch.ts";
import { type PodView, readWorkload } from "./workload.ts";

export interface Uninjection {
  readonly kind: string;
  readonly name: string;
  readonly uninjected: boolean;
  readonly patch: readonly PatchOperation[];
}

const CONTAINERS = [PROXY_CONTAINER, INIT_CONTAINER, VALIDATOR_CONTAINER, DEBUG_CONTAINER];
const VOLUMES = [XTABLES_LOCK_VOLUME, END_ENTITY_VOLUME, IDENTITY_TOKEN_VOLUME];

/**
 * The patch that takes away what injection adds, and the maps and lists that are empty then. Annotations of
 * `config.linkerd.io` stay, as does `linkerd.io/inject: disabled`.
 *
 * @throws ShapeError when the object is malformed
 */
export function uninject(object: JsonObject): Uninjection {
  const workload = readWorkload(object);
  const patch: PatchOperation[] = [];
  if (workload.pod !== null) {
    patch.push(...removeSidecar(workload.pod));
    if (workload.pod.pointer !== "") patch.push(...removeMetadata(workload.pod.metadata, workload.pod.pointer));
  }
  const ownsMetadata = workload.pod !== null || workload.kind === "namespace" || workload.kind === "service";
  if (ownsMetadata) patch.push(...removeMetadata(objectIn(object, "metadata", ""), ""));
  return { kind: workload.kind, name: workload.name, uninjected: patch.length > 0, patch };
}

/** The patch that takes away containers and volumes only: what must go before a proxy is rendered anew. */
export function removeSidecar(pod: PodView): readonly PatchOperation[] {
  return [
    ...removeItems(`${pod.pointer}/spec/volumes`, pod.volumes, VOLUMES),
    ...removeItems(`${pod.pointer}/spec/initContainers`, pod.initContainers, CONTAINERS),
    ...removeItems(`${pod.pointer}/spec/containers`, pod.containers, CONTAINERS),
  ];
}

function removeItems(path: string, items: readonly JsonObject[], names: readonly string[]): readonly PatchOperation[] {
  const indexes = items.flatMap((item, index) => (names.includes(textIn(item, "name")) ? [index] : []));
  if (indexes.length === 0) return [];
  if (indexes.length === items.length) return [{ op: "remove", path }];
  // From the end, so that removing one does not move the next.
  return indexes.reverse().map((index) => ({ op: "remove", path: `${path}/${index}` }));
}

function removeMetadata(metadata: JsonObject | undefined, pointer: string): readonly PatchOperation[] {
  const labels = metadata?.["labels"];
  const annotations = metadata?.["annotations"];
  // A part of the control plane is what its labels say it is, injected or not.
  if (isObject(labels) && labels[CONTROL_PLANE_COMPONENT_LABEL] !== undefined) return [];
  const path = `${pointer}/metadata`;
  const removed = [...removeKeys(`${path}/annotations`, annotations), ...removeKeys(`${path}/labels`, labels)];
  const gone = removed.filter(
    (operation) => operation.path === `${path}/annotations` || operation.path === `${path}/labels`,
  );
  const emptied = gone.length > 0 && Object.keys(metadata ?? {}).length === gone.length;
  return emptied ? [{ op: "remove", path }] : removed;
}

function removeKeys(path: string, map: unknown): readonly PatchOperation[] {
  if (!isObject(map)) return [];
  const keys = Object.keys(map);
  const ours = keys.filter(
    (key) => key.startsWith(LINKERD_PREFIX) && !(key === INJECT_ANNOTATION && map[key] === "disabled"),
  );
  if (ours.length === 0) return [];
  if (ours.length === keys.length) return [{ op: "remove", path }];
  return ours.map((key) => ({ op: "remove", path: `${path}/${pointerToken(key)}` }));
}
