export { ApiError, type FieldCause } from "./api-error.ts";
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
export type * from "./types.ts";
