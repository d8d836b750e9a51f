import { describe, expect, test } from "bun:test";
import type { CronJob, Job } from "@bowline/kube";
import { type Harness, startHarness } from "../testing/harness.ts";
import type { PlayNodeOptions } from "../testing/play-node.ts";
import type { TestApi } from "../testing/test-api.ts";

interface Scene extends Harness {
  /** Sets the clock, and lets the controllers look at it. */
  at(time: string): void;
}

/** A CronJob, and a clock that stands still until it is set. */
async function scene(cron: Partial<CronJob["spec"]>, options: PlayNodeOptions = {}): Promise<Scene> {
  let nowMs = Date.now();
  const cluster = await startHarness({ ...options, now: () => nowMs });
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "app", image: "app:1" }] } };
  // Nothing is missed yet in the year of the tests' times.
  const created = await cluster.api.create<CronJob>("cronjobs.batch", {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: "tick", namespace: "default" },
    spec: { schedule: "*/10 * * * *", jobTemplate: { spec: { template, completions: 1 } }, ...cron },
  });
  await cluster.api.change<CronJob>(
    "cronjobs.batch",
    "default",
    "tick",
    (draft) => {
      draft.status = { ...draft.status, lastScheduleTime: DAY_BEFORE };
    },
    "status",
  );
  expect(created.metadata.uid).toBeDefined();
  return Object.assign(cluster, {
    at(time: string) {
      nowMs = Date.parse(time);
      cluster.restart();
    },
  });
}

/** Of the first of January, at midnight and a half minute: before anything the tests ask for is due. */
const DAY_BEFORE = "2031-01-01T00:00:30Z";

function jobsOf(api: TestApi): string[] {
  return api.list<Job>("jobs.batch").map(({ metadata }) => metadata.name);
}

/** The name of the job of a minute of the first of January. */
function nameAt(time: string): string {
  return `tick-${Date.parse(`2031-01-01T${time}:00Z`) / 60_000}`;
}

describe("a CronJob", () => {
  test("starts a job when it is due, names it by the minute, and says what it did", async () => {
    await using cluster = await scene({}, { behave: () => "succeed" });
    cluster.at("2031-01-01T00:09:59Z");
    cluster.at("2031-01-01T00:10:00Z");
    await cluster.until("the job", () => jobsOf(cluster.api).length === 1);
    expect(jobsOf(cluster.api)).toEqual([nameAt("00:10")]);
    const status = () => cluster.api.get<CronJob>("cronjobs.batch", "default", "tick")?.status;
    await cluster.until(
      "the status",
      () => status()?.lastSuccessfulTime !== undefined && status()?.active === undefined,
    );
    expect(status()?.lastScheduleTime).toBe("2031-01-01T00:10:00Z");
    const job = cluster.api.get<Job>("jobs.batch", "default", nameAt("00:10"));
    expect(job?.metadata.annotations?.["batch.kubernetes.io/cronjob-scheduled-timestamp"]).toBe("2031-01-01T00:10:00Z");
    cluster.at("2031-01-01T00:15:00Z");
    cluster.at("2031-01-01T00:20:01Z");
    await cluster.until("the second job", () => jobsOf(cluster.api).length === 2);
  });

  test("starts one job for all the times it missed, unless it is too late", async () => {
    await using cluster = await scene({});
    cluster.at("2031-03-01T05:15:00Z");
    await cluster.until("the job", () => jobsOf(cluster.api).length === 1);
    expect(jobsOf(cluster.api)).toEqual([`tick-${Date.parse("2031-03-01T05:10:00Z") / 60_000}`]);
    await using strict = await scene({ startingDeadlineSeconds: 60 });
    strict.at("2031-01-01T00:15:00Z");
    strict.at("2031-01-01T00:20:30Z");
    await strict.until("the job in time", () => jobsOf(strict.api).length > 0);
    expect(jobsOf(strict.api)).toEqual([nameAt("00:20")]);
  });

  test("with Forbid waits for the job that runs, with Replace ends it, with Allow lets it run", async () => {
    const outcomes: [NonNullable<CronJob["spec"]>["concurrencyPolicy"], string[]][] = [
      ["Allow", [nameAt("00:10"), nameAt("00:20")]],
      ["Forbid", [nameAt("00:10")]],
      ["Replace", [nameAt("00:20")]],
    ];
    for (const [concurrencyPolicy = "Allow", want] of outcomes) {
      await using cluster = await scene({ concurrencyPolicy }, { behave: () => "unready" });
      cluster.at("2031-01-01T00:10:00Z");
      await cluster.until("the first job", () => jobsOf(cluster.api).length === 1);
      cluster.at("2031-01-01T00:20:00Z");
      const sign = concurrencyPolicy === "Forbid" ? "JobAlreadyActive" : "SuccessfulCreate";
      await cluster.until("the second time", () => {
        return (
          cluster.api.events.filter(({ about, reason }) => about === "tick" && reason === sign).length >=
          (sign === "JobAlreadyActive" ? 1 : 2)
        );
      });
      expect(jobsOf(cluster.api)).toEqual(want);
    }
  });

  test("keeps as many ended jobs as it is asked to", async () => {
    await using cluster = await scene({ successfulJobsHistoryLimit: 1 }, { behave: () => "succeed" });
    for (const time of ["00:10", "00:20", "00:30"]) {
      cluster.at(`2031-01-01T${time}:00Z`);
      await cluster.until("the job's end", () => {
        const job = cluster.api.get<Job>("jobs.batch", "default", nameAt(time));
        return job?.status?.completionTime !== undefined;
      });
    }
    await cluster.until("the cleaning", () => jobsOf(cluster.api).length === 1);
    expect(jobsOf(cluster.api)).toEqual([nameAt("00:30")]);
  });

  test("that is suspended, or has no schedule that can be read, starts nothing", async () => {
    await using cluster = await scene({ suspend: true });
    cluster.at("2031-01-01T00:10:00Z");
    await using broken = await scene({ schedule: "@every 5ns" });
    broken.at("2031-01-01T00:10:00Z");
    await broken.until("the event", () => broken.api.events.some(({ reason }) => reason === "UnparseableSchedule"));
    expect(jobsOf(cluster.api)).toEqual([]);
    expect(jobsOf(broken.api)).toEqual([]);
  });
});
