import type { ContainerRun } from "../container/run.ts";
import type { ContainerSlot } from "./container-slot.ts";
import { Deadline } from "./deadline.ts";

export interface ShutdownOptions {
  /** When what still runs is killed. It may be shortened while the containers stop. */
  readonly deadline: Deadline;
  /** Runs a container's preStop hook; never rejects. */
  readonly preStop: (slot: ContainerSlot) => Promise<void>;
}

/** However long a hook or the wait for others took, SIGTERM is given this time to work before SIGKILL. */
const AFTER_TERM_MIN_MS = 2_000;
const TERM_POLL_MS = 50;

/**
 * Ends containers as Kubernetes does: hooks at once, then SIGTERM, to sidecars only when the main containers and the sidecars after
 * them in the pod have ended, so that a proxy outlives those who use it. Resolves when all have ended.
 */
export async function shutDown(slots: readonly ContainerSlot[], options: ShutdownOptions): Promise<void> {
  const sidecars = slots.filter(({ role }) => role === "sidecar");
  const others = slots.filter(({ role }) => role !== "sidecar");
  await Promise.all([
    ...others.map((slot) => stopContainer(slot, options, Promise.resolve())),
    ...sidecars.map((slot, at) => stopContainer(slot, options, ended([...others, ...sidecars.slice(at + 1)]))),
  ]);
}

/** @param turn when SIGTERM may be sent */
export async function stopContainer(
  slot: ContainerSlot,
  options: ShutdownOptions,
  turn: Promise<unknown>,
): Promise<void> {
  const { deadline, preStop } = options;
  const { run } = slot;
  if (run === undefined) return;
  if (slot.spec.lifecycle?.preStop !== undefined && deadline.remainingMs > 0) {
    await Promise.race([preStop(slot), deadline.reached, run.ended]);
  }
  await Promise.race([turn, deadline.reached, run.ended]);
  if (!deadline.isForced) {
    run.signal("SIGTERM");
    const minimum = new Deadline(AFTER_TERM_MIN_MS);
    const over = Promise.all([deadline.reached, minimum.reached]);
    const waited = Promise.race([run.ended, over, deadline.forced]);
    await Promise.all([waited, repeatTerm(run, waited)]);
    minimum.cancel();
  }
  run.signal("SIGKILL");
  await run.ended;
}

/**
 * The kernel drops signals to the first process of a PID namespace that has no handler for them (pid_namespaces(7)). A program that
 * was told to end while it started gets SIGTERM again once it handles it, instead of running on for the whole grace period.
 */
async function repeatTerm(run: ContainerRun, over: Promise<unknown>): Promise<void> {
  let isOver = run.heedsTerm;
  void over.then(() => {
    isOver = true;
  });
  while (!isOver) {
    await Bun.sleep(TERM_POLL_MS);
    if (isOver || !run.heedsTerm) continue;
    run.signal("SIGTERM");
    return;
  }
}

function ended(slots: readonly ContainerSlot[]): Promise<unknown> {
  return Promise.all(slots.flatMap(({ run }) => (run === undefined ? [] : [run.ended])));
}
