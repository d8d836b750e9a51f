import type { KubeObject } from "@bowline/kube";
import { ApiError } from "@bowline/kube";
import type { ResourceType } from "../../schema/resource-type.ts";
import { tableOf } from "../../schema/table/table.ts";
import type { Accepted } from "../http/accept.ts";
import type { Exchange } from "../http/exchange.ts";

/** A resource as a request names it: the type, and the version to speak. */
export interface Target {
  readonly type: ResourceType;
  readonly version: string;
  readonly namespace: string;
  readonly name: string;
}

const META_GROUP = "meta.k8s.io";

/** How the objects of an answer are to look. */
export interface View extends Accepted {
  readonly includeObject: "None" | "Metadata" | "Object";
}

export function viewOf(exchange: Exchange): View {
  const accepted = exchange.accepted("Table", "PartialObjectMetadata", "PartialObjectMetadataList");
  if (accepted.as !== "" && accepted.group !== META_GROUP) return { ...accepted, as: "", includeObject: "Metadata" };
  const value = exchange.query.get("includeObject") ?? "";
  if (value === "" || value === "Metadata") return { ...accepted, includeObject: "Metadata" };
  if (value === "None" || value === "Object") return { ...accepted, includeObject: value };
  throw ApiError.badRequest(`unrecognized includeObject value: ${JSON.stringify(value)}`);
}

/** A stored object as the answer to a request about that one. */
export function showObject(target: Target, object: KubeObject, view: View): unknown {
  if (view.as === "Table")
    return showTable(target, [object], view, { resourceVersion: object.metadata.resourceVersion });
  return view.as === "" ? target.type.fromStored(object, target.version) : partial(object, view);
}

/** Stored objects as a list. */
export function showList(
  target: Target,
  objects: readonly KubeObject[],
  view: View,
  metadata: Record<string, unknown>,
): unknown {
  const { type, version } = target;
  if (view.as === "Table") return showTable(target, objects, view, metadata);
  if (view.as !== "") {
    const items = objects.map((object) => partial(object, view));
    return { kind: "PartialObjectMetadataList", apiVersion: `${META_GROUP}/${view.version}`, metadata, items };
  }
  const apiVersion = type.group === "" ? version : `${type.group}/${version}`;
  return {
    kind: type.listKind,
    apiVersion,
    metadata,
    items: objects.map((object) => type.fromStored(object, version)),
  };
}

/** @param headless without the columns, which a watch tells but once */
export function showTable(
  { type, version }: Target,
  objects: readonly KubeObject[],
  view: View,
  metadata: Record<string, unknown>,
  headless = false,
): unknown {
  const { includeObject } = view;
  const table = tableOf(type, objects, { includeObject, version, headless, metadata });
  // Clients as old as kubectl 1.20 ask for v1 too, but offer to take v1beta1; the two are alike.
  return view.version === "" || view.version === "v1"
    ? table
    : { ...table, apiVersion: `${META_GROUP}/${view.version}` };
}

export function partial(object: KubeObject, view: View): unknown {
  return { kind: "PartialObjectMetadata", apiVersion: `${META_GROUP}/${view.version}`, metadata: object.metadata };
}
