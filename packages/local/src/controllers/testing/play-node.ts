import type { Pod } from "@bowline/kube";
import type { ClusterApi } from "../../api/cluster-api.ts";

export interface PlayNodeOptions {
  /** What a pod does once it has begun. Default: it becomes ready. */
  readonly behave?: (pod: Pod) => "ready" | "unready" | "succeed" | "fail";
  /** Time from one state of a pod to the next. Default 0. */
  readonly delayMs?: () => number;
}

export const PLAY_NODE = "bowline";

/** A node that runs pods in name only: they get an address, a phase and conditions, and end when they are deleted. */
export function startPlayNode(api: ClusterApi, options: PlayNodeOptions = {}): { stop(): void } {
  const { behave = () => "ready" as const, delayMs = () => 0 } = options;
  const timers = new Set<ReturnType<typeof setTimeout>>();
  let nextAddress = 2;
  const later = (run: () => Promise<unknown>): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      void run();
    }, delayMs());
    timers.add(timer);
  };
  const begin = async ({ metadata }: Pod): Promise<void> => {
    const { namespace = "", name } = metadata;
    const number = nextAddress++;
    await api.change<Pod>("pods", namespace, name, (draft) => {
      if (draft.spec !== undefined) draft.spec.nodeName ??= PLAY_NODE;
    });
    const begun = await api.change<Pod>(
      "pods",
      namespace,
      name,
      (draft) => setState(draft, number, "unready"),
      "status",
    );
    const next = begun === undefined ? "unready" : behave(begun);
    if (next === "unready") return;
    later(() => api.change<Pod>("pods", namespace, name, (draft) => setState(draft, number, next), "status"));
  };
  const end = ({ metadata }: Pod): Promise<void> => {
    const { namespace = "", name, uid } = metadata;
    const precondition = uid === undefined ? {} : { uid };
    return api.delete("pods", namespace, name, { gracePeriodSeconds: 0, ...precondition });
  };
  const unwatch = api.watch<Pod>("pods", ({ type, object, old }) => {
    if (type === "ADDED" && !object.spec?.nodeName) later(() => begin(object));
    const deleted = object.metadata.deletionTimestamp !== undefined;
    const wasDeleted = old?.metadata.deletionTimestamp !== undefined;
    if (type !== "DELETED" && deleted && !wasDeleted && object.spec?.nodeName) later(() => end(object));
  });
  return {
    stop() {
      unwatch();
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

/** Sets a pod's state by hand, as the node would. */
export async function setPod(
  api: ClusterApi,
  { metadata }: Pod,
  state: "ready" | "unready" | "succeed" | "fail",
): Promise<void> {
  const { namespace = "", name } = metadata;
  await api.change<Pod>("pods", namespace, name, (draft) => setState(draft, 0, state), "status");
}

function setState(draft: Pod, number: number, state: "ready" | "unready" | "succeed" | "fail"): void {
  const now = new Date().toISOString();
  const podIP = draft.status?.podIP ?? `10.244.${number >> 8}.${number & 255}`;
  const status = state === "ready" ? "True" : "False";
  const old = draft.status?.conditions?.find(({ type }) => type === "Ready");
  const lastTransitionTime = old?.status === status ? (old.lastTransitionTime ?? now) : now;
  draft.status = {
    ...draft.status,
    phase: state === "succeed" ? "Succeeded" : state === "fail" ? "Failed" : "Running",
    podIP,
    podIPs: [{ ip: podIP }, { ip: `fd00:10:244::${podIP.split(".").slice(2).join(":")}` }],
    conditions: [{ type: "Ready", status, lastTransitionTime }],
  };
}
