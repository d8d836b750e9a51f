import type { ClusterApi } from "../api/cluster-api.ts";
import { type ClusterServices, startClusterServices } from "./cluster-services.ts";
import type { Controller, ControllerContext } from "./controller.ts";
import { startCronJobs } from "./cron-job/cron-job.ts";
import { startDaemonSets } from "./daemon-set.ts";
import { startDeployments } from "./deployment/deployment.ts";
import { startDisruptionBudgets } from "./disruption-budgets.ts";
import { startEndpoints } from "./endpoints/endpoints.ts";
import { startEndpointsMirroring } from "./endpoints/mirroring.ts";
import { startGarbageCollector } from "./garbage.ts";
import { startJobs } from "./job/job.ts";
import { startNamespaces } from "./namespaces.ts";
import { startReplicaSets, startReplicationControllers } from "./replica-set/replica-set.ts";
import type { ResourceTypes } from "./resource-types.ts";
import { startStatefulSets } from "./stateful-set/stateful-set.ts";

export interface ControllerOptions extends ClusterServices {
  readonly types: ResourceTypes;
  /** The cluster's certificate authority, for ConfigMap kube-root-ca.crt. */
  readonly caPem: string;
  /** Where what no Event or status tells goes, one line each. Default: nowhere. */
  readonly warn?: (line: string) => void;
  /** Milliseconds of the epoch. Default: the machine's clock. */
  readonly now?: () => number;
}

/**
 * Starts everything that makes the cluster's objects come true: workloads, endpoints, namespaces, garbage. All of it works
 * from the state as it is, so that it may be killed and started at any moment.
 */
export function startControllers(api: ClusterApi, options: ControllerOptions): { stop(): void } {
  const { types, warn = () => undefined, now = Date.now } = options;
  const context: ControllerContext = { api, warn, now };
  const controllers: Controller[] = [
    startNamespaces(context, options),
    startClusterServices(context, options),
    startGarbageCollector(context, types),
    startEndpoints(context),
    startEndpointsMirroring(context),
    startDeployments(context),
    startReplicaSets(context),
    startReplicationControllers(context),
    startStatefulSets(context),
    startDaemonSets(context),
    startJobs(context),
    startCronJobs(context),
    startDisruptionBudgets(context),
  ];
  return {
    stop() {
      for (const controller of controllers) controller.stop();
    },
  };
}
