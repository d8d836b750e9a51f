import type { Pod, ServiceAccount } from "@bowline/kube";
import { RunningApi } from "../../api/testing/running-api.ts";
import type { ClusterServices } from "../cluster-services.ts";
import { startControllers } from "../start-controllers.ts";
import { PLAY_NODE, type PlayNodeOptions, startPlayNode } from "./play-node.ts";
import { TestApi } from "./test-api.ts";

export interface Harness extends AsyncDisposable {
  readonly api: TestApi;
  /** The server behind `api`, for kubectl. */
  readonly running: RunningApi;
  /** What the controllers had to say beside Events. */
  readonly warnings: string[];
  /** Pods that have not been told to end, in the order of their names. */
  alive(labels?: Record<string, string>): Pod[];
  /** @throws Error naming `what` when `condition` has not come true within ten seconds */
  until(what: string, condition: () => unknown): Promise<void>;
  /** As kill -9 and a new start: the controllers forget everything they knew. */
  restart(): void;
}

export interface HarnessOptions extends PlayNodeOptions {
  /** Address families of the cluster. Default IPv4. */
  readonly families?: readonly ("IPv4" | "IPv6")[];
  /** The Services the cluster has of its own. Default: none. */
  readonly services?: ClusterServices;
  /** The clock of the controllers. */
  readonly now?: () => number;
}

/** All controllers and a play node on a real API server with a directory of its own. Dispose of it. */
export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const running = await RunningApi.start({ families: options.families ?? ["IPv4"] });
  const { registry } = running.server;
  const api = new TestApi(running.server.api, () => registry.types().map(({ storedAs }) => storedAs));
  const warnings: string[] = [];
  const metadata = { name: PLAY_NODE, labels: { "topology.kubernetes.io/zone": "local" } };
  await api.create("nodes", { apiVersion: "v1", kind: "Node", metadata });
  const { now = Date.now } = options;
  const warn = (line: string): unknown => warnings.push(line);
  const start = (): { stop(): void } =>
    startControllers(api, { ...options.services, types: registry, caPem: "CA", warn, now });
  let controllers = start();
  const node = startPlayNode(api, options);
  await until("the default account", () => api.get<ServiceAccount>("serviceaccounts", "default", "default"));
  return {
    api,
    running,
    warnings,
    alive: (matchLabels = {}) => {
      const pods = api.list<Pod>("pods", { labelSelector: { matchLabels } });
      return pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
    },
    until,
    restart() {
      controllers.stop();
      controllers = start();
    },
    async [Symbol.asyncDispose]() {
      controllers.stop();
      node.stop();
      await running.stop();
    },
  };
}

const PATIENCE_MS = 10_000;

async function until(what: string, condition: () => unknown): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
