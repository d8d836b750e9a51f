import type { Pod } from "@bowline/kube";
import { waitFor } from "@bowline/testkit";
import { startControllers } from "../start-controllers.ts";
import { MEMORY_TYPES, MemoryCluster } from "./memory-cluster.ts";
import { PLAY_NODE, type PlayNodeOptions, startPlayNode } from "./play-node.ts";

export interface Harness extends AsyncDisposable {
  readonly api: MemoryCluster;
  /** What the controllers had to say beside Events. */
  readonly warnings: string[];
  /** Pods that have not been told to end, in the order of their names. */
  alive(labels?: Record<string, string>): Pod[];
  until<T>(what: string, condition: () => T): Promise<unknown>;
  /** As kill -9 and a new start: the controllers forget everything they knew. */
  restart(): void;
}

/** All controllers and a play node on a cluster in memory. Dispose of it. */
export async function startHarness(options: PlayNodeOptions = {}): Promise<Harness> {
  const api = new MemoryCluster();
  const warnings: string[] = [];
  const metadata = { name: PLAY_NODE, labels: { "topology.kubernetes.io/zone": "local" } };
  await api.create("nodes", { apiVersion: "v1", kind: "Node", metadata });
  const start = (): { stop(): void } => {
    return startControllers(api, { types: MEMORY_TYPES, caPem: "CA", warn: (line) => warnings.push(line) });
  };
  let controllers = start();
  const node = startPlayNode(api, options);
  return {
    api,
    warnings,
    alive: (matchLabels = {}) => {
      const pods = api.list<Pod>("pods", { labelSelector: { matchLabels } });
      return pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
    },
    until: (what, condition) => waitFor(condition, { what, timeoutMs: 10_000, intervalMs: 2 }),
    restart() {
      controllers.stop();
      controllers = start();
    },
    async [Symbol.asyncDispose]() {
      controllers.stop();
      node.stop();
      await Promise.resolve();
    },
  };
}
