export { type InsideOptions, NetNamespace, type RunAs } from "./netns.ts";
export { type LinkEnd, linkNamespaces, type Pod, type TwoPods, twoPods } from "./pods.ts";
export {
  type CommandOptions,
  type CommandResult,
  describeFailure,
  mustRun,
  type RunningProcess,
  runCommand,
  type SpawnOptions,
  spawnProcess,
} from "./process.ts";
export { rejectionOf } from "./rejection.ts";
export { freePort, type WaitOptions, waitFor } from "./wait-for.ts";
