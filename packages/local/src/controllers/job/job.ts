import { type Job, type LabelSelector, ownerOf, type Pod } from "@bowline/kube";
import type { JobCondition, JobStatus } from "kubernetes-types/batch/v1";
import { claim } from "../claim.ts";
import { isTrue, withCondition } from "../conditions.ts";
import {
  type Controller,
  type ControllerContext,
  keyOf,
  ownerKeys,
  type ReconcileTarget,
  startController,
  timeText,
} from "../controller.ts";
import { createPod, deletePod, podFromTemplate, slowStart } from "../pod-factory.ts";
import { decideJob, type JobDecision } from "./decide.ts";
import { formatIndexes, withIndex } from "./indexes.ts";
import { isJobFinished, isTracked, type JobState, outcomeOf, stateOf, TRACKING } from "./job-state.ts";

const NAME = "job-controller";
const TYPE = "jobs.batch";

/** Runs pods until enough of them have succeeded. */
export function startJobs(context: ControllerContext): Controller {
  return startController(context, {
    name: NAME,
    watch(on) {
      on<Job>(TYPE, (event) => [keyOf(event.object)]);
      on<Pod>("pods", (event) => ownerKeys(event, "batch", "Job"));
    },
    reconcile: (target) => reconcile(context, target),
  });
}

async function reconcile(context: ControllerContext, target: ReconcileTarget): Promise<void> {
  const { api } = context;
  const job = api.get<Job>(TYPE, target.namespace, target.name);
  await freeOrphans(context, target, job);
  if (job === undefined) return;
  if (job.metadata.deletionTimestamp !== undefined || isJobFinished(job)) {
    await settle(context, job, target);
    return;
  }
  const pods = await podsOf(context, job);
  const state = stateOf(job, pods);
  const nowMs = context.now();
  const decision = decideJob(state, nowMs);
  let failure: unknown;
  try {
    await act(context, state, decision, target);
  } catch (error) {
    failure = error;
  }
  await count(context, target, job, decision, nowMs);
  if (failure !== undefined) throw failure;
}

async function podsOf({ api }: ControllerContext, job: Job): Promise<Pod[]> {
  const selector: LabelSelector = job.spec?.selector ?? { matchLabels: generatedLabels(job) };
  return await claim<Pod>(api, job, { ownerType: TYPE, childType: "pods", selector });
}

/** Pods whose Job is gone have nobody to be counted by. */
async function freeOrphans(context: ControllerContext, target: ReconcileTarget, job: Job | undefined): Promise<void> {
  for (const pod of context.api.list<Pod>("pods", { namespace: target.namespace })) {
    const owner = ownerOf(pod);
    if (!isTracked(pod) || owner?.kind !== "Job" || owner.name !== target.name) continue;
    if (owner.uid !== job?.metadata.uid) await untrack(context, pod);
  }
}

async function act(
  context: ControllerContext,
  { job, active }: JobState,
  decision: JobDecision,
  target: ReconcileTarget,
): Promise<void> {
  if (decision.kind === "fail") {
    await Promise.all(active.map((pod) => deletePod(context, pod, job, NAME)));
    return;
  }
  // These pods are ended for no fault of theirs: let go of first, they do not count as failed.
  for (const pod of decision.kind === "run" ? decision.remove : active) {
    await untrack(context, pod);
    await deletePod(context, pod, job, NAME);
  }
  if (decision.kind !== "run") return;
  if (decision.afterMs !== undefined) target.after(decision.afterMs);
  await slowStart(decision.create, (at) => createPod(context, jobPod(job, decision.indexes[at]), job, NAME));
}

function jobPod(job: Job, index: number | undefined): Pod {
  const template = job.spec?.template ?? {};
  const pod = podFromTemplate({ template, owner: job, labels: jobLabels(job), finalizers: [TRACKING] });
  return index === undefined ? pod : withIndex(pod, job.metadata.name, index);
}

function generatedLabels(job: Job): Record<string, string> {
  return { "batch.kubernetes.io/controller-uid": job.metadata.uid ?? "" };
}

function jobLabels(job: Job): Record<string, string> {
  const { name, uid = "" } = job.metadata;
  if (job.spec?.manualSelector === true) return {};
  return { ...generatedLabels(job), "batch.kubernetes.io/job-name": name, "controller-uid": uid, "job-name": name };
}

/**
 * Counts the pods that have ended, each exactly once although the process may die between any two writes: first their
 * uids are noted in the status, then the pods are let go of, then the notes become numbers. The Job's end is told with
 * the last of these.
 */
async function count(
  context: ControllerContext,
  target: ReconcileTarget,
  job: Job,
  decision: JobDecision,
  nowMs: number,
): Promise<void> {
  const { uid = "" } = job.metadata;
  const noted = await writeStatus(context, target, uid, (draft, pods) => noteEnded(draft, pods, nowMs));
  if (noted === undefined) return;
  const counted = new Set(uncountedOf(noted));
  const ended = tracked(context, uid).filter((pod) => counted.has(pod.metadata.uid ?? ""));
  await Promise.all(ended.map((pod) => untrack(context, pod)));
  await writeStatus(context, target, uid, (draft, pods) => {
    addUp(draft, pods);
    conclude(context, draft, stateOf(draft, pods), decision, nowMs);
  });
}

async function writeStatus(
  { api }: ControllerContext,
  { namespace, name }: ReconcileTarget,
  uid: string,
  edit: (draft: Job, pods: readonly Pod[]) => void,
): Promise<Job | undefined> {
  return await api.change<Job>(
    TYPE,
    namespace,
    name,
    (draft) => {
      if (draft.metadata.uid !== uid) return false;
      draft.status = { ...draft.status };
      edit(draft, api.list<Pod>("pods", { ownerUid: uid }));
      return undefined;
    },
    "status",
  );
}

function noteEnded(draft: Job, pods: readonly Pod[], nowMs: number): void {
  const status = statusOf(draft);
  if (draft.spec?.suspend !== true) status.startTime ??= timeText(nowMs);
  const before = new Set(uncountedOf(draft));
  const ended = pods.filter((pod) => isTracked(pod) && !before.has(pod.metadata.uid ?? ""));
  const uids = (outcome: string): string[] =>
    ended.filter((pod) => outcomeOf(pod) === outcome).map((pod) => pod.metadata.uid ?? "");
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  const state = stateOf(draft, pods);
  if (draft.spec?.completionMode === "Indexed") status.completedIndexes = formatIndexes(state.completed);
  status.uncountedTerminatedPods = {
    succeeded: [...succeeded, ...uids("succeeded")],
    failed: [...failed, ...uids("failed")],
  };
}

/** Notes about pods that have been let go of, or are gone, become numbers. */
function addUp(draft: Job, pods: readonly Pod[]): void {
  const status = statusOf(draft);
  const held = new Set(pods.filter(isTracked).map((pod) => pod.metadata.uid ?? ""));
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {};
  const isFree = (uid: string): boolean => !held.has(uid);
  status.succeeded = (status.succeeded ?? 0) + succeeded.filter(isFree).length;
  status.failed = (status.failed ?? 0) + failed.filter(isFree).length;
  status.uncountedTerminatedPods = {
    succeeded: succeeded.filter((uid) => held.has(uid)),
    failed: failed.filter((uid) => held.has(uid)),
  };
}

function conclude(context: ControllerContext, draft: Job, state: JobState, decision: JobDecision, nowMs: number): void {
  const status = statusOf(draft);
  status.active = state.active.length;
  status.ready = state.ready;
  status.terminating = state.terminating;
  if (draft.spec?.completionMode === "Indexed") status.succeeded = state.completed.size;
  const conditions = status.conditions ?? [];
  const add = (type: string, value: string, reason: string, message: string): void => {
    const now = timeText(nowMs);
    const condition: JobCondition = { type, status: value, lastProbeTime: now, reason, message };
    status.conditions = withCondition(conditions, condition, nowMs);
  };
  if (decision.kind === "suspend") {
    delete status.startTime;
    if (!isTrue(conditions, "Suspended")) {
      add("Suspended", "True", "JobSuspended", "Job suspended");
      context.api.event(draft, "Normal", "Suspended", "Job suspended", NAME);
    }
  } else if (isTrue(conditions, "Suspended")) {
    status.startTime = timeText(nowMs);
    add("Suspended", "False", "JobResumed", "Job resumed");
    context.api.event(draft, "Normal", "Resumed", "Job resumed", NAME);
  } else if (decision.kind === "complete") {
    status.completionTime = timeText(nowMs);
    add("Complete", "True", "CompletionsReached", "Reached expected number of succeeded pods");
    context.api.event(draft, "Normal", "Completed", "Job completed", NAME);
  } else if (decision.kind === "fail") {
    add("Failed", "True", decision.reason, decision.message);
    context.api.event(draft, "Warning", decision.reason, decision.message, NAME);
  }
}

/** After its end: late pods are counted out of their finalizer, and the Job itself goes when its time has come. */
async function settle(context: ControllerContext, job: Job, target: ReconcileTarget): Promise<void> {
  const { uid = "", namespace = "", name } = job.metadata;
  for (const pod of tracked(context, uid)) if (outcomeOf(pod) !== undefined) await untrack(context, pod);
  await writeStatus(context, target, uid, (draft, pods) => {
    const { active, ready, terminating } = stateOf(draft, pods);
    addUp(draft, pods);
    Object.assign(statusOf(draft), { active: active.length, ready, terminating });
  });
  const ttl = job.spec?.ttlSecondsAfterFinished;
  if (ttl === undefined || job.metadata.deletionTimestamp !== undefined) return;
  const ends = (job.status?.conditions ?? []).filter(({ type }) => type === "Complete" || type === "Failed");
  const endMs = Math.max(...ends.map((condition) => Date.parse(condition.lastTransitionTime ?? "") || 0));
  const leftMs = endMs + ttl * 1000 - context.now();
  if (leftMs > 0) target.after(leftMs);
  else await context.api.delete(TYPE, namespace, name, { uid, propagation: "Foreground" });
}

async function untrack({ api }: ControllerContext, pod: Pod): Promise<void> {
  const { namespace = "", name, uid } = pod.metadata;
  await api.change<Pod>("pods", namespace, name, (draft) => {
    if (draft.metadata.uid !== uid || !isTracked(draft)) return false;
    draft.metadata.finalizers = draft.metadata.finalizers?.filter((finalizer) => finalizer !== TRACKING) ?? [];
    return undefined;
  });
}

function tracked({ api }: ControllerContext, jobUid: string): Pod[] {
  return api.list<Pod>("pods", { ownerUid: jobUid }).filter(isTracked);
}

function uncountedOf(job: Job): string[] {
  const { succeeded = [], failed = [] } = job.status?.uncountedTerminatedPods ?? {};
  return [...succeeded, ...failed];
}

/** The draft's status, which `writeStatus` has made sure of. */
function statusOf(draft: Job): JobStatus {
  draft.status ??= {};
  return draft.status;
}
