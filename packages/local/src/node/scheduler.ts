import type { Node as NodeObject, Pod } from "@bowline/kube";
import type { ClusterApi } from "../api/cluster-api.ts";
import { timestamp } from "./pod/pod-status.ts";

const SCHEDULER = "default-scheduler";

/**
 * Gives pods that have no node the only one there is. A nodeSelector counts; affinity, spread and taints are about choosing among nodes
 * and don't.
 */
export class Scheduler {
  readonly #api: ClusterApi;
  readonly #nodeName: string;
  readonly #warn: (line: string) => void;
  /** Pods that have been told that nothing fits; they are told once. */
  readonly #refused = new Set<string>();

  constructor(api: ClusterApi, nodeName: string, warn: (line: string) => void) {
    this.#api = api;
    this.#nodeName = nodeName;
    this.#warn = warn;
  }

  schedule(pod: Pod): void {
    const { spec, metadata } = pod;
    const wanted = spec?.schedulerName ?? SCHEDULER;
    const gated = ((spec as { schedulingGates?: unknown[] } | undefined)?.schedulingGates ?? []).length > 0;
    if (spec?.nodeName || metadata.deletionTimestamp !== undefined || wanted !== SCHEDULER || gated) return;
    const work = this.#matches(pod) ? this.#bind(pod) : this.#refuse(pod);
    work.catch((error: unknown) => this.#warn(`scheduling ${metadata.namespace}/${metadata.name}: ${String(error)}`));
  }

  #matches({ spec }: Pod): boolean {
    const labels = this.#api.get<NodeObject>("nodes", "", this.#nodeName)?.metadata.labels ?? {};
    return Object.entries(spec?.nodeSelector ?? {}).every(([name, value]) => labels[name] === value);
  }

  async #bind(pod: Pod): Promise<void> {
    const { namespace = "", name, uid } = pod.metadata;
    const bound = await this.#api.change<Pod>("pods", namespace, name, (draft) => {
      if (draft.metadata.uid !== uid || draft.spec === undefined || draft.spec.nodeName) return false;
      draft.spec.nodeName = this.#nodeName;
      return undefined;
    });
    if (bound === undefined) return;
    const message = `Successfully assigned ${namespace}/${name} to ${this.#nodeName}`;
    this.#api.event(pod, "Normal", "Scheduled", message, SCHEDULER);
  }

  async #refuse(pod: Pod): Promise<void> {
    const { namespace = "", name, uid = "" } = pod.metadata;
    if (this.#refused.has(uid)) return;
    this.#refused.add(uid);
    const message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
    this.#api.event(pod, "Warning", "FailedScheduling", message, SCHEDULER);
    const change = (draft: Pod) => {
      const others = (draft.status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
      const lastTransitionTime = timestamp(new Date());
      const condition = { type: "PodScheduled", status: "False", reason: "Unschedulable", message, lastTransitionTime };
      draft.status = { ...draft.status, phase: "Pending", conditions: [...others, condition] };
    };
    await this.#api.change<Pod>("pods", namespace, name, change, "status");
  }
}
