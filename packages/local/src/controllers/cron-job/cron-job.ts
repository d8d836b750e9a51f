import { type CronJob, controllerReference, type Job, ownerOf } from "@bowline/kube";
import { isTrue } from "../conditions.ts";
import {
  type Controller,
  type ControllerContext,
  isNamespaceTerminating,
  keyOf,
  ownerKeys,
  type ReconcileTarget,
  startController,
  timeText,
} from "../controller.ts";
import { isJobFinished } from "../job/job-state.ts";
import { messageOf } from "../pod-factory.ts";
import { latestTime, nextTime, parseSchedule, type Schedule } from "./schedule.ts";

const NAME = "cronjob-controller";
const TYPE = "cronjobs.batch";
const SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/** Starts Jobs by the clock. */
export function startCronJobs(context: ControllerContext): Controller {
  return startController(context, {
    name: NAME,
    watch(on) {
      on<CronJob>(TYPE, (event) => [keyOf(event.object)]);
      on<Job>("jobs.batch", (event) => ownerKeys(event, "batch", "CronJob"));
    },
    reconcile: (target) => reconcile(context, target),
  });
}

async function reconcile(context: ControllerContext, target: ReconcileTarget): Promise<void> {
  const cron = context.api.get<CronJob>(TYPE, target.namespace, target.name);
  if (cron === undefined || cron.metadata.deletionTimestamp !== undefined) return;
  const jobs = jobsOf(context, cron);
  await forgetOldest(context, cron, jobs);
  const schedule = scheduleOf(context, cron);
  let startedMs: number | undefined;
  if (schedule !== undefined && cron.spec?.suspend !== true) {
    startedMs = await startIfDue(context, cron, schedule, jobs);
    const next = nextTime(schedule, context.now());
    // A timer may be early by a millisecond; the minute must have begun.
    if (next !== undefined) target.after(next - context.now() + 50);
  }
  await writeStatus(context, cron, startedMs);
}

function jobsOf({ api }: ControllerContext, cron: CronJob): Job[] {
  const { uid = "" } = cron.metadata;
  return api.list<Job>("jobs.batch", { ownerUid: uid }).filter((job) => ownerOf(job)?.uid === uid);
}

function scheduleOf(context: ControllerContext, cron: CronJob): Schedule | undefined {
  try {
    return parseSchedule(cron.spec?.schedule ?? "", cron.spec?.timeZone ?? "UTC");
  } catch (error) {
    const message = `Unparseable schedule: ${messageOf(error)}`;
    context.api.event(cron, "Warning", "UnparseableSchedule", message, NAME);
    return undefined;
  }
}

/** @returns the time, in milliseconds of the epoch, of the start that was due and is now dealt with */
async function startIfDue(
  context: ControllerContext,
  cron: CronJob,
  schedule: Schedule,
  jobs: readonly Job[],
): Promise<number | undefined> {
  const nowMs = context.now();
  const dueMs = lastDue(cron, schedule, nowMs);
  if (dueMs === undefined) return undefined;
  const running = jobs.filter((job) => !isJobFinished(job) && job.metadata.deletionTimestamp === undefined);
  const policy = cron.spec?.concurrencyPolicy ?? "Allow";
  if (policy === "Forbid" && running.length > 0) {
    const message = "Not starting job because prior execution is running and concurrency policy is Forbid";
    context.api.event(cron, "Normal", "JobAlreadyActive", message, NAME);
    return undefined;
  }
  if (policy === "Replace") {
    for (const job of running) await deleteJob(context, cron, job);
  }
  await startJob(context, cron, dueMs);
  return dueMs;
}

/** The latest start since the last one, if it is not too late for it. */
function lastDue(cron: CronJob, schedule: Schedule, nowMs: number): number | undefined {
  const created = Date.parse(cron.metadata.creationTimestamp ?? "") || nowMs;
  const last = Date.parse(cron.status?.lastScheduleTime ?? "") || created;
  const deadlineSeconds = cron.spec?.startingDeadlineSeconds;
  const fromMs = deadlineSeconds === undefined ? last : Math.max(last, nowMs - deadlineSeconds * 1000);
  return latestTime(schedule, fromMs, nowMs);
}

async function startJob(context: ControllerContext, cron: CronJob, dueMs: number): Promise<void> {
  const { api } = context;
  const { namespace = "", name: owner } = cron.metadata;
  // The name tells the minute, so that the same start is never made twice.
  const name = `${owner}-${Math.floor(dueMs / 60_000)}`;
  if (api.get("jobs.batch", namespace, name) !== undefined) return;
  const template = structuredClone(cron.spec?.jobTemplate ?? {});
  try {
    await api.create<Job>("jobs.batch", {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: {
        name,
        namespace,
        labels: { ...template.metadata?.labels },
        annotations: { ...template.metadata?.annotations, [SCHEDULED]: timeText(dueMs) },
        ownerReferences: [controllerReference(cron)],
      },
      ...(template.spec === undefined ? {} : { spec: template.spec }),
    });
    api.event(cron, "Normal", "SuccessfulCreate", `Created job ${name}`, NAME);
  } catch (error) {
    if (!isNamespaceTerminating(error)) {
      api.event(cron, "Warning", "FailedCreate", `Error creating job: ${messageOf(error)}`, NAME);
    }
    throw error;
  }
}

async function deleteJob({ api }: ControllerContext, cron: CronJob, job: Job): Promise<void> {
  const { namespace = "", name, uid } = job.metadata;
  await api.delete("jobs.batch", namespace, name, { ...(uid === undefined ? {} : { uid }), propagation: "Background" });
  api.event(cron, "Normal", "SuccessfulDelete", `Deleted job ${name}`, NAME);
}

async function forgetOldest(context: ControllerContext, cron: CronJob, jobs: readonly Job[]): Promise<void> {
  const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cron.spec ?? {};
  const remove = async (type: string, limit: number): Promise<void> => {
    const ended = jobs.filter((job) => isTrue(job.status?.conditions, type));
    ended.sort((a, b) => ((a.status?.startTime ?? "") < (b.status?.startTime ?? "") ? -1 : 1));
    for (const job of ended.slice(0, Math.max(0, ended.length - limit))) {
      if (job.metadata.deletionTimestamp === undefined) await deleteJob(context, cron, job);
    }
  };
  await remove("Complete", successfulJobsHistoryLimit);
  await remove("Failed", failedJobsHistoryLimit);
}

async function writeStatus(context: ControllerContext, cron: CronJob, startedMs: number | undefined): Promise<void> {
  const { uid, namespace = "", name } = cron.metadata;
  await context.api.change<CronJob>(
    TYPE,
    namespace,
    name,
    (draft) => {
      if (draft.metadata.uid !== uid) return false;
      const jobs = jobsOf(context, draft);
      const active = jobs.filter((job) => !isJobFinished(job));
      const ends = jobs.filter((job) => isTrue(job.status?.conditions, "Complete"));
      const lastEnd = ends
        .map((job) => job.status?.completionTime ?? "")
        .sort()
        .at(-1);
      const { active: _active, ...status } = draft.status ?? {};
      draft.status = {
        ...status,
        ...(active.length === 0 ? {} : { active: active.map(referenceTo) }),
        ...(startedMs === undefined ? {} : { lastScheduleTime: timeText(startedMs) }),
        ...(lastEnd === undefined || lastEnd <= (status.lastSuccessfulTime ?? "")
          ? {}
          : { lastSuccessfulTime: lastEnd }),
      };
      return undefined;
    },
    "status",
  );
}

function referenceTo({ apiVersion, kind, metadata }: Job): Record<string, string> {
  const { namespace = "", name, uid = "", resourceVersion = "" } = metadata;
  return { apiVersion, kind, namespace, name, uid, resourceVersion };
}
