import type { Pod } from "@bowline/kube";
import { indexOf } from "./indexes.ts";
import type { JobState } from "./job-state.ts";

/** What a Job comes to next. */
export type JobDecision =
  | { readonly kind: "complete" | "suspend" }
  | { readonly kind: "fail"; readonly reason: string; readonly message: string }
  /** `indexes` are those of an Indexed Job's new pods; `afterMs` is when to look again. */
  | {
      readonly kind: "run";
      readonly create: number;
      readonly indexes: number[];
      readonly remove: Pod[];
      readonly afterMs?: number;
    };

const BACKOFF_MIN_MS = 10_000;
const BACKOFF_MAX_MS = 360_000;

/** Messages and reasons are Kubernetes' own. */
export function decideJob(state: JobState, nowMs: number): JobDecision {
  const { job } = state;
  const { backoffLimit = 6, activeDeadlineSeconds, suspend } = job.spec ?? {};
  if (isComplete(state)) return { kind: "complete" };
  if (state.failed > backoffLimit || restartsOf(state) > backoffLimit) {
    const message = "Job has reached the specified backoff limit";
    return { kind: "fail", reason: "BackoffLimitExceeded", message };
  }
  if (suspend === true) return { kind: "suspend" };
  const begunMs = Date.parse(job.status?.startTime ?? "") || nowMs;
  const deadlineMs = activeDeadlineSeconds === undefined ? undefined : begunMs + activeDeadlineSeconds * 1000;
  if (deadlineMs !== undefined && nowMs >= deadlineMs) {
    const message = "Job was active longer than specified deadline";
    return { kind: "fail", reason: "DeadlineExceeded", message };
  }
  const backOffMs = backOffLeft(state, nowMs);
  const waits = [backOffMs, deadlineMs === undefined ? 0 : deadlineMs - nowMs].filter((wait) => wait > 0);
  const after = waits.length === 0 ? {} : { afterMs: Math.min(...waits) };
  return { ...planPods(state, backOffMs > 0), ...after };
}

function isComplete({ job, succeeded, active }: JobState): boolean {
  const { completions } = job.spec ?? {};
  // Without a number the pods share a queue: the first success says that it is empty, the rest finish by themselves.
  if (completions === undefined) return succeeded > 0 && active.length === 0;
  return succeeded >= completions;
}

/** With restartPolicy OnFailure it is the restarts of the containers that count as failures. */
function restartsOf({ job, active }: JobState): number {
  if (job.spec?.template.spec?.restartPolicy !== "OnFailure") return 0;
  const statuses = active.flatMap(({ status }) => status?.containerStatuses ?? []);
  const restarts = statuses.reduce((sum, { restartCount }) => sum + restartCount, 0);
  // The limit is reached with as many restarts, while of failed pods it takes one more.
  return restarts === 0 ? 0 : restarts + 1;
}

function backOffLeft({ failed, lastFailureMs }: JobState, nowMs: number): number {
  if (failed === 0 || lastFailureMs === undefined) return 0;
  const delayMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failed - 1, 16));
  return Math.max(0, lastFailureMs + delayMs - nowMs);
}

function planPods(
  state: JobState,
  backingOff: boolean,
): { kind: "run"; create: number; indexes: number[]; remove: Pod[] } {
  const { job, active, succeeded, terminating } = state;
  const parallelism = job.spec?.parallelism ?? 1;
  const { completions } = job.spec ?? {};
  const queue = succeeded > 0 ? active.length : parallelism;
  const wanted = completions === undefined ? queue : Math.min(parallelism, completions - succeeded);
  const surplus = active.length - wanted;
  if (surplus > 0) return { kind: "run", create: 0, indexes: [], remove: leastValuable(active, surplus) };
  // A pod that is still ending keeps its place, if the Job asks for no more than `parallelism` at any moment.
  const strict = job.spec?.podReplacementPolicy === "Failed" ? terminating : 0;
  const create = backingOff ? 0 : Math.max(0, -surplus - strict);
  if (job.spec?.completionMode !== "Indexed") return { kind: "run", create, indexes: [], remove: [] };
  const indexes = freeIndexes(state, completions ?? 0, create);
  return { kind: "run", create: indexes.length, indexes, remove: [] };
}

function freeIndexes({ active, completed }: JobState, completions: number, count: number): number[] {
  const taken = new Set(active.map(indexOf));
  const free: number[] = [];
  for (let index = 0; index < completions && free.length < count; index++) {
    if (!taken.has(index) && !completed.has(index)) free.push(index);
  }
  return free;
}

/** Those that have not begun, then the youngest. */
function leastValuable(active: readonly Pod[], count: number): Pod[] {
  const age = (pod: Pod): string => pod.metadata.creationTimestamp ?? "";
  const pending = (pod: Pod): number => (pod.status?.phase === "Running" ? 1 : 0);
  const sorted = [...active].sort((a, b) => pending(a) - pending(b) || (age(a) < age(b) ? 1 : -1));
  return sorted.slice(0, count);
}
