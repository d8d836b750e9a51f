import type { Container, ContainerState, ContainerStatus, Pod, PodCondition, PodStatus } from "@bowline/kube";
import type { ContainerRole, RestartPolicy } from "./plan.ts";
import { qosClass } from "./qos-class.ts";

/** How a run of a container ended. */
export interface Termination {
  readonly exitCode: number;
  readonly reason: string;
  readonly message?: string;
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly containerId: string;
}

/** What a container does now, as far as its status tells. */
export interface ContainerView {
  readonly spec: Container;
  readonly role: ContainerRole;
  readonly restartCount: number;
  readonly state:
    | { readonly kind: "waiting"; readonly reason: string; readonly message?: string }
    | { readonly kind: "running"; readonly startedAt: Date }
    | { readonly kind: "terminated"; readonly termination: Termination };
  /** The run before the present one. */
  readonly last?: Termination;
  readonly started: boolean;
  readonly ready: boolean;
  readonly containerId?: string;
}

export interface PodView {
  /** When the node first saw the pod. */
  readonly startTime: Date;
  readonly hostIps: readonly string[];
  readonly podIps: readonly string[];
  readonly initialized: boolean;
  /** Init containers, then main ones, each in the pod's order. */
  readonly containers: readonly ContainerView[];
  /** The pod has ended, whatever its containers say. */
  readonly outcome?: "Succeeded" | "Failed";
  /** Why it did, e.g. DeadlineExceeded. */
  readonly reason?: string;
  readonly message?: string;
}

/** The whole status of a pod as a kubelet writes it. Conditions of others stay; times change only when a condition does. */
export function podStatus(pod: Pod, view: PodView, now: Date): PodStatus {
  const mains = view.containers.filter(({ role }) => role === "main");
  const first = view.containers.filter(({ role }) => role !== "main");
  const phase = view.outcome ?? phaseOf(pod, view, mains);
  const { hostIps, podIps } = view;
  return {
    phase,
    conditions: conditionsOf(pod, view, phase, timestamp(now)),
    ...(view.reason === undefined ? {} : { reason: view.reason }),
    ...(view.message === undefined ? {} : { message: view.message }),
    ...(hostIps[0] === undefined ? {} : { hostIP: hostIps[0], hostIPs: hostIps.map((ip) => ({ ip })) }),
    ...(podIps[0] === undefined ? {} : { podIP: podIps[0], podIPs: podIps.map((ip) => ({ ip })) }),
    startTime: timestamp(view.startTime),
    ...(first.length === 0 ? {} : { initContainerStatuses: first.map(containerStatus) }),
    containerStatuses: mains.map(containerStatus),
    qosClass: pod.status?.qosClass ?? qosClass(pod),
  };
}

/** RFC 3339 in whole seconds, as the API has times. */
export function timestamp(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

function phaseOf(pod: Pod, view: PodView, mains: readonly ContainerView[]): string {
  if (!view.initialized) return "Pending";
  const ran = mains.filter(({ state, last }) => state.kind !== "waiting" || last !== undefined);
  if (ran.length < mains.length) return "Pending";
  const ended = mains.flatMap(({ state }) => (state.kind === "terminated" ? [state.termination.exitCode] : []));
  const policy: RestartPolicy = (pod.spec?.restartPolicy as RestartPolicy | undefined) ?? "Always";
  if (ended.length < mains.length || policy === "Always") return "Running";
  // A pod that has ended may be removed without grace: its sidecars must have ended, too.
  if (view.containers.some(({ state }) => state.kind === "running")) return "Running";
  if (ended.every((code) => code === 0)) return "Succeeded";
  return policy === "Never" ? "Failed" : "Running";
}

function containerStatus(view: ContainerView): ContainerStatus {
  const { spec, state, last, started, ready, containerId } = view;
  const image = spec.image ?? "";
  return {
    name: spec.name,
    state: stateOf(view),
    lastState: last === undefined ? {} : { terminated: terminated(last) },
    ready,
    started: state.kind === "running" && started,
    restartCount: view.restartCount,
    image,
    imageID: containerId === undefined ? "" : `bowline://${image}`,
    ...(containerId === undefined ? {} : { containerID: containerId }),
  };
}

function stateOf({ state }: ContainerView): ContainerState {
  switch (state.kind) {
    case "waiting":
      return { waiting: { reason: state.reason, ...(state.message === undefined ? {} : { message: state.message }) } };
    case "running":
      return { running: { startedAt: timestamp(state.startedAt) } };
    case "terminated":
      return { terminated: terminated(state.termination) };
  }
}

function terminated({
  exitCode,
  reason,
  message,
  startedAt,
  finishedAt,
  containerId,
}: Termination): NonNullable<ContainerState["terminated"]> {
  return {
    exitCode,
    reason,
    ...(message === undefined || message === "" ? {} : { message }),
    startedAt: timestamp(startedAt),
    finishedAt: timestamp(finishedAt),
    containerID: containerId,
  };
}

type Verdict = Pick<PodCondition, "status" | "reason" | "message">;

const TRUE: Verdict = { status: "True" };

function conditionsOf(pod: Pod, view: PodView, phase: string, now: string): PodCondition[] {
  const ended = phase === "Succeeded" || phase === "Failed";
  const containersReady = ended ? completed(phase) : readiness(view);
  const own: readonly (readonly [type: string, verdict: Verdict])[] = [
    ["PodReadyToStartContainers", view.podIps.length > 0 && !ended ? TRUE : { status: "False" }],
    ["Initialized", initialized(view, phase)],
    ["Ready", containersReady.status === "True" ? gates(pod) : containersReady],
    ["ContainersReady", containersReady],
    ["PodScheduled", TRUE],
  ];
  const before = pod.status?.conditions ?? [];
  const types = new Set(own.map(([type]) => type));
  const conditions = own.map(([type, verdict]): PodCondition => {
    const old = before.find((condition) => condition.type === type);
    const since = old?.status === verdict.status ? (old.lastTransitionTime ?? now) : now;
    return { type, ...verdict, lastProbeTime: null as unknown as string, lastTransitionTime: since };
  });
  return [...conditions, ...before.filter(({ type }) => !types.has(type))];
}

function completed(phase: string): Verdict {
  return { status: "False", reason: phase === "Succeeded" ? "PodCompleted" : "PodFailed" };
}

function initialized(view: PodView, phase: string): Verdict {
  if (phase === "Succeeded") return { status: "True", reason: "PodCompleted" };
  if (view.initialized) return TRUE;
  const incomplete = view.containers.filter(
    ({ role, state, started }) =>
      (role === "init" && !(state.kind === "terminated" && state.termination.exitCode === 0)) ||
      (role === "sidecar" && !started),
  );
  const names = incomplete.map(({ spec }) => spec.name).join(" ");
  return {
    status: "False",
    reason: "ContainersNotInitialized",
    message: `containers with incomplete status: [${names}]`,
  };
}

/** Sidecars count as main containers do. */
function readiness({ containers }: PodView): Verdict {
  const unready = containers.filter(({ role, ready }) => role !== "init" && !ready);
  if (unready.length === 0) return TRUE;
  const names = unready.map(({ spec }) => spec.name).join(" ");
  return { status: "False", reason: "ContainersNotReady", message: `containers with unready status: [${names}]` };
}

function gates(pod: Pod): Verdict {
  const open = (pod.spec?.readinessGates ?? []).find(
    ({ conditionType }) =>
      !pod.status?.conditions?.some(({ type, status }) => type === conditionType && status === "True"),
  );
  if (open === undefined) return TRUE;
  return {
    status: "False",
    reason: "ReadinessGatesNotReady",
    message: `the status of pod readiness gate ${JSON.stringify(open.conditionType)} is not "True"`,
  };
}
