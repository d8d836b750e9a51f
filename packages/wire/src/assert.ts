/** Stops on a bug of ours; what a peer may cause is a code, never an assertion. */
export function assert(condition: boolean): asserts condition {
  if (!condition) throw new Error("wire: assertion failed");
}
