export { Node } from "./node.ts";
export { podsDirectory, removePods } from "./remove-pods.ts";
export type * from "./types.ts";
