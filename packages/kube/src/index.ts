export { ApiError, type FieldCause } from "./api-error.ts";
export {
  type ApplyOptions,
  type CallOptions,
  type ClientOptions,
  type DeleteOptions,
  KubeClient,
  type ListOptions,
  type PatchOptions,
  type SelectOptions,
  type WatchOptions,
  type WriteOptions,
} from "./client.ts";
export type { DiscoveredResource } from "./discovery.ts";
export { Informer, type InformerOptions } from "./informer.ts";
export type { Change, IndexFunction } from "./informer-store.ts";
export {
  type ClientTls,
  type Impersonation,
  type KubeConfig,
  type LoadOptions,
  loadKubeConfig,
} from "./kube-config.ts";
export { KubeConfigError } from "./kube-config-error.ts";
export { controllerReference, ownerOf } from "./owner.ts";
export { parseQuantity } from "./quantity.ts";
export {
  apiVersionOf,
  RESOURCES,
  type ResourceName,
  type ResourceRef,
  resourcePath,
  splitApiVersion,
} from "./resources.ts";
export {
  type FieldRequirement,
  formatLabelSelector,
  matchesFields,
  matchesRequirements,
  matchesSelector,
  parseFieldSelector,
  parseLabelSelector,
  type Requirement,
  type Selector,
  type SelectorOperator,
} from "./selectors.ts";
export { type RequestOptions, UnreachableError } from "./transport.ts";
export type * from "./types.ts";
