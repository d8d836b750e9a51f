export type RestartPolicy = "Always" | "OnFailure" | "Never";
/** A sidecar is an init container that runs along: it has `restartPolicy: Always`. */
export type ContainerRole = "init" | "sidecar" | "main";

export interface ContainerFacts {
  readonly name: string;
  readonly role: ContainerRole;
  /** `absent`: has not run in this sandbox. */
  readonly state: "absent" | "running" | "exited";
  /** When exited. */
  readonly exitCode?: number;
  /** Running, past its startup probe and postStart hook. */
  readonly started: boolean;
}

export interface PodFacts {
  readonly restartPolicy: RestartPolicy;
  /** Init containers and sidecars in the pod's order, then the main ones. */
  readonly containers: readonly ContainerFacts[];
}

export interface PodPlan {
  /** Containers that should run and don't, in the order to start them in; back-off may hold each up. */
  readonly start: readonly string[];
  /** All init containers are done and all sidecars were up: main containers may run. */
  readonly initialized: boolean;
  /** Nothing will be started any more; sidecars that still run are to be stopped. */
  readonly outcome?: "Succeeded" | "Failed";
}

/** What has to happen to a pod, from what its containers do: the kubelet's rules, without clocks and side effects. */
export function planPod({ restartPolicy, containers }: PodFacts): PodPlan {
  const first = containers.filter(({ role }) => role !== "main");
  const mains = containers.filter(({ role }) => role === "main");
  // Init containers are not asked again once a main container has run.
  const begun = mains.some(({ state }) => state !== "absent");
  const init = begun ? { start: restarts(first), initialized: true } : planInit(first, restartPolicy);
  if (!init.initialized || init.outcome !== undefined) return init;
  const start = mains.filter(
    (main) => main.state === "absent" || (main.state === "exited" && again(main, restartPolicy)),
  );
  if (start.length > 0 || mains.some(({ state }) => state === "running")) {
    return { start: [...init.start, ...start.map(({ name }) => name)], initialized: true };
  }
  const failed = mains.some(({ exitCode }) => exitCode !== 0);
  return { start: [], initialized: true, outcome: failed ? "Failed" : "Succeeded" };
}

/** In order, each when those before it are done. */
function planInit(containers: readonly ContainerFacts[], restartPolicy: RestartPolicy): PodPlan {
  const start: string[] = [];
  for (const container of containers) {
    const { name, role, state, started } = container;
    if (role === "sidecar") {
      if (state !== "running") start.push(name);
      if (!started) return { start, initialized: false };
      continue;
    }
    if (state === "exited" && container.exitCode === 0) continue;
    if (state === "exited" && restartPolicy === "Never") return { start: [], initialized: false, outcome: "Failed" };
    if (state !== "running") start.push(name);
    return { start, initialized: false };
  }
  return { start, initialized: true };
}

function restarts(containers: readonly ContainerFacts[]): string[] {
  return containers.filter(({ role, state }) => role === "sidecar" && state !== "running").map(({ name }) => name);
}

function again({ exitCode }: ContainerFacts, restartPolicy: RestartPolicy): boolean {
  return restartPolicy === "Always" || (restartPolicy === "OnFailure" && exitCode !== 0);
}
