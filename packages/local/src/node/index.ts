export { Node } from "./node.ts";
export { removePods } from "./remove-pods.ts";
export type * from "./types.ts";
