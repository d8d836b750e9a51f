import { ApiError, formatLabelSelector, type KubeObject, type LabelSelector } from "@bowline/kube";
import type { ResourceType, ScalePaths } from "./resource-type.ts";
import { isObject, type JsonObject, numberAt, objectAt, ownValue } from "./schema.ts";

/** The scale subresource of an object, autoscaling/v1. */
export function scaleOf(type: ResourceType, object: KubeObject): KubeObject {
  const paths = pathsOf(type);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = selectorText(paths, object);
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    spec: { replicas: numberAt(object, ...namesOf(paths.specReplicas)) ?? 0 },
    status: {
      replicas: numberAt(object, ...namesOf(paths.statusReplicas)) ?? 0,
      ...(selector === "" ? {} : { selector }),
    },
  };
}

/**
 * A copy of the object with the number of replicas that a Scale asks for.
 * @throws ApiError 409 if the Scale names another version than the object's, 422 for numbers that cannot be
 */
export function withScale(type: ResourceType, object: KubeObject, scale: KubeObject): KubeObject {
  const replicas = objectAt(scale, "spec")["replicas"] ?? 0;
  if (typeof replicas !== "number" || !Number.isInteger(replicas) || replicas < 0) {
    throw ApiError.invalid(
      "Scale",
      object.metadata.name,
      [
        {
          field: "spec.replicas",
          message: `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`,
        },
      ],
      "autoscaling",
    );
  }
  const copy = structuredClone(object);
  const path = namesOf(pathsOf(type).specReplicas);
  let at: JsonObject = copy;
  for (const name of path.slice(0, -1)) {
    const own = ownValue(at, name);
    const below = isObject(own) ? own : {};
    at[name] = below;
    at = below;
  }
  at[path.at(-1) ?? "replicas"] = replicas;
  const { resourceVersion } = scale.metadata;
  if (resourceVersion !== undefined) copy.metadata.resourceVersion = resourceVersion;
  return copy;
}

function pathsOf(type: ResourceType): ScalePaths {
  const { scale } = type.subresources;
  if (scale === undefined) throw ApiError.notFound(type.storedAs, "scale");
  return scale;
}

/** ReplicationControllers have a map where others have a LabelSelector, custom kinds a text. */
function selectorText(paths: ScalePaths, object: KubeObject): string {
  if (paths.selector === undefined) return "";
  const names = namesOf(paths.selector);
  const value = objectAt(object, ...names.slice(0, -1))[names.at(-1) ?? ""];
  if (typeof value === "string") return value;
  if (!isObject(value)) return "";
  const isSelector = isObject(value["matchLabels"]) || Array.isArray(value["matchExpressions"]);
  return formatLabelSelector((isSelector ? value : { matchLabels: value }) as LabelSelector);
}

/** ".spec.replicas" → spec, replicas. */
function namesOf(path: string): string[] {
  return path.replace(/^\./, "").split(".");
}
