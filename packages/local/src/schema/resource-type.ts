import type { KubeObject } from "@bowline/kube";

/** What a request may do with a type, in the words of discovery. */
export type Verb = "create" | "delete" | "deletecollection" | "get" | "list" | "patch" | "update" | "watch";

/** Dotted paths, as in a CRD: where the scale subresource reads and writes. */
export interface ScalePaths {
  readonly specReplicas: string;
  readonly statusReplicas: string;
  /** A LabelSelector or its text; absent for types without one. */
  readonly selector?: string;
}

/** Gives Services their addresses and ports. Throws ApiError 422 where what is asked for is taken or out of range. */
export interface ServiceAllocator {
  /** `wanted` is an address, or absent for any free one of the family. */
  clusterIp(family: "IPv4" | "IPv6", wanted: string | undefined, service: KubeObject): string;
  nodePort(wanted: number | undefined, protocol: string, service: KubeObject): number;
  /** Families in the order of preference; two in a dual-stack cluster. */
  readonly families: readonly ("IPv4" | "IPv6")[];
}

export interface PrepareOptions {
  /** The stored object; absent on create. */
  readonly old?: KubeObject;
  /** Absent: addresses stay as they are (a dry run of validation). */
  readonly services?: ServiceAllocator;
}

/** What is written: a new object, the object, or its status only (everything else is taken from `old`). */
export type WriteKind = "create" | "update" | "status";

/** One resource of one group: its names for discovery, and the rules for its objects. */
export interface ResourceType {
  readonly group: string;
  /** The version objects are stored in. */
  readonly version: string;
  /** Served versions, the preferred one first. */
  readonly versions: readonly string[];
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly Verb[];
  readonly subresources: { readonly status: boolean; readonly scale?: ScalePaths };
  /** "pods", "deployments.apps": the store's key. Events of both groups are stored as "events". */
  readonly storedAs: string;
  /** From a CustomResourceDefinition. */
  readonly custom: boolean;

  /** The object, in a served version, as stored: a new object, or the same one if nothing changes. */
  toStored(object: KubeObject): KubeObject;
  /** The stored object as `version` shows it: a new object, or the same one if nothing changes. */
  fromStored(stored: KubeObject, version: string): KubeObject;
  /** Sets Kubernetes' defaults, in place. Idempotent; to be called before admission, so that webhooks see them. */
  setDefaults(object: KubeObject): void;
  /**
   * To be called after mutating admission, on the object as stored, in place: defaults, status kept or cleared, generation,
   * allotted addresses, then validation. Throws ApiError: 422 Invalid with a cause for each wrong field.
   */
  prepare(object: KubeObject, write: WriteKind, options?: PrepareOptions): void;
}

/** What happens to unknown and doubled fields: the `fieldValidation` parameter. */
export type FieldValidation = "Strict" | "Warn" | "Ignore";

export interface Decoded {
  readonly object: KubeObject;
  /** For `Warning` headers, without the code: `unknown field "spec.foo"`. */
  readonly warnings: readonly string[];
}

export interface PatchOptions {
  /** Query parameter `fieldManager`; required for server-side apply. */
  readonly fieldManager?: string;
  /** Query parameter `force`, of server-side apply. */
  readonly force?: boolean;
  /** RFC 3339, for managedFields. */
  readonly now?: string;
  readonly subresource?: "status" | "scale";
}

export interface TableOptions {
  /** Query parameter `includeObject`. Metadata when absent. */
  readonly includeObject?: "None" | "Metadata" | "Object";
  /** The version asked for, which decides a custom type's columns and how objects are shown. */
  readonly version?: string;
  /** Without column definitions: what a watch sends after its first event. */
  readonly headless?: boolean;
  /** Milliseconds of the epoch, for ages. */
  readonly nowMs?: number;
  /** Of the list. */
  readonly metadata?: Record<string, unknown>;
}
