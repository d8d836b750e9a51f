import { afterAll, beforeAll, expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";
import { httpProgram } from "./http-program.ts";
import { kubectlMinor, TestCluster } from "./test-cluster.ts";

const IDLE = ["sleep", "1000"];

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.up();
}, 120_000);

afterAll(async () => {
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
}, 120_000);

test.concurrent("a rolling update never has fewer pods ready than it may, nor more pods than it may", async () => {
  const web = (word: string) =>
    workload("Deployment", "rolling", {
      replicas: 3,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      containers: [
        {
          name: "main",
          image: "web",
          command: httpProgram(8080),
          env: [{ name: "WORD", value: word }],
          readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 },
        },
      ],
    });
  await cluster.apply([web("old")]);
  await cluster.run("rollout status deploy/rolling --timeout=30s");
  await using watch = cluster.spawnKubectl([
    "get",
    "deploy",
    "rolling",
    "-w",
    "-o",
    "jsonpath={.status.readyReplicas} {.status.replicas}\n",
  ]);
  await watch.waitForOutput("3 3\n", 20_000);
  await cluster.apply([web("new")]);
  expect(await cluster.run("rollout status deploy/rolling --timeout=30s")).toContain("successfully rolled out");
  const seen = watch
    .stdout()
    .trim()
    .split("\n")
    .map((line) => line.split(" ").map(Number));
  expect(seen.length).toBeGreaterThan(3);
  expect(seen.filter(([ready = 0, all = 0]) => ready < 3 || all > 4)).toEqual([]);
  expect(await cluster.run("get pods -l app=rolling -o jsonpath={.items[*].spec.containers[0].env[0].value}")).toMatch(
    /^(old )*new( (new|old))*/,
  );
  expect(await cluster.run("get rs -l app=rolling")).toMatch(/rolling-\w+ +3 +3 +3 (.*\n)*|rolling-\w+ +0 +0 +0 /);
}, 90_000);

test.concurrent("an update that never becomes ready leaves the old pods, and is told of", async () => {
  const sticky = (command: readonly string[], progressDeadlineSeconds: number) =>
    workload("Deployment", "stuck", {
      replicas: 2,
      progressDeadlineSeconds,
      containers: [
        { name: "main", image: "web", command: IDLE, readinessProbe: { exec: { command }, periodSeconds: 1 } },
      ],
    });
  await cluster.apply([sticky(["true"], 600)]);
  await cluster.run("rollout status deploy/stuck --timeout=30s");
  await cluster.apply([sticky(["false"], 1)]);
  const status = await cluster.tryKubectl(["rollout", "status", "deploy/stuck", "--timeout=30s"]);
  expect(status.stderr).toContain('deployment "stuck" exceeded its progress deadline');
  expect(await cluster.run("get deploy stuck")).toMatch(/stuck +2\/2 +1 +2 /);
  await cluster.apply([sticky(["true"], 600)]);
  await cluster.run("rollout status deploy/stuck --timeout=30s");
}, 90_000);

test.concurrent("Recreate ends the old pods before it starts new ones", async () => {
  const recreated = (word: string) =>
    workload("Deployment", "recreated", {
      replicas: 2,
      strategy: { type: "Recreate" },
      containers: [{ name: "main", image: word, command: IDLE }],
    });
  await cluster.apply([recreated("old")]);
  await cluster.run("rollout status deploy/recreated --timeout=30s");
  await using watch = cluster.spawnKubectl([
    "get",
    "rs",
    "-l",
    "app=recreated",
    "-w",
    "-o",
    "jsonpath={.spec.template.spec.containers[0].image} {.status.replicas}\n",
  ]);
  await watch.waitForOutput("old 2\n", 20_000);
  await cluster.apply([recreated("new")]);
  await cluster.run("rollout status deploy/recreated --timeout=30s");
  await watch.waitForOutput("new 2\n", 20_000);
  const lines = watch.stdout().trim().split("\n");
  expect(lines.indexOf("old 0")).toBeGreaterThan(0);
  expect(lines.indexOf("old 0")).toBeLessThan(lines.indexOf("new 2"));
}, 90_000);

test.concurrent("a StatefulSet starts in order, keeps its names, and shrinks from the end", async () => {
  const ready = { exec: { command: ["test", "-e", "/tmp/up"] }, periodSeconds: 1 };
  const command = ["sh", "-c", "sleep 0.3; touch /tmp/up; exec sleep 1000"];
  await cluster.apply([
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "db" },
      spec: { clusterIP: "None", selector: { app: "db" }, ports: [{ port: 1 }] },
    },
    workload("StatefulSet", "db", {
      replicas: 3,
      serviceName: "db",
      containers: [{ name: "main", image: "db", command, readinessProbe: ready }],
    }),
  ]);
  await cluster.run("rollout status sts/db --timeout=30s");
  const started = await cluster.kubectl([
    "get",
    "pods",
    "-l",
    "app=db",
    "-o",
    'jsonpath={range .items[*]}{.metadata.name} {.spec.hostname} {.spec.subdomain}{"\\n"}{end}',
  ]);
  expect(started).toBe("db-0 db-0 db\ndb-1 db-1 db\ndb-2 db-2 db\n");
  // Made only when the one before was ready.
  const times = JSON.parse(await cluster.run("get pods -l app=db -o json")) as {
    items: {
      metadata: { creationTimestamp: string };
      status: { conditions: { type: string; lastTransitionTime: string }[] };
    }[];
  };
  for (const [i, { metadata }] of times.items.slice(1).entries()) {
    const before = times.items[i]?.status.conditions.find(({ type }) => type === "Ready")?.lastTransitionTime ?? "";
    expect(metadata.creationTimestamp >= before).toBe(true);
  }
  const uid = (name: string) => cluster.run(`get pod ${name} -o jsonpath={.metadata.uid}`);
  const [first, second] = await Promise.all([uid("db-0"), uid("db-1")]);
  await cluster.run("delete pod db-1");
  await waitFor(
    async () =>
      (await cluster.tryKubectl(["get", "pod", "db-1", "-o", "jsonpath={.metadata.uid}"])).stdout.replace(
        second,
        "",
      ) !== "",
    { what: "db-1 is there again", timeoutMs: 20_000 },
  );
  await cluster.run("rollout status sts/db --timeout=30s");
  await cluster.run("scale sts/db --replicas=1");
  const left = () => cluster.run("get pods -l app=db -o name");
  await waitFor(async () => (await left()) === "pod/db-0\n", { what: "db-0 alone", timeoutMs: 20_000 });
  expect(await uid("db-0")).toBe(first);
}, 90_000);

test.concurrent("a DaemonSet has one pod on the one node, and is updated", async () => {
  const agent = (image: string) =>
    workload("DaemonSet", "agent", { containers: [{ name: "main", image, command: IDLE }] });
  await cluster.apply([agent("a:1")]);
  await cluster.run("rollout status ds/agent --timeout=30s");
  expect(await cluster.run("get ds agent")).toMatch(/agent +1 +1 +1 +1 +1 +<none>/);
  await cluster.apply([agent("a:2")]);
  await cluster.run("rollout status ds/agent --timeout=30s");
  expect(await cluster.run("get pods -l app=agent -o jsonpath={.items[0].spec.containers[0].image}")).toBe("a:2");
  expect(await cluster.run("rollout history ds/agent")).toMatch(/1 +<none>\n2 +<none>/);
}, 60_000);

test.concurrent("a Job runs its completions in parallel and is complete, sidecar or not", async () => {
  const sidecar = {
    name: "sidecar",
    image: "sidecar",
    command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"],
    restartPolicy: "Always",
  };
  await cluster.apply([
    job(
      "three",
      { completions: 3, parallelism: 2 },
      { containers: [{ name: "main", image: "work", command: ["true"] }] },
    ),
    job(
      "beside",
      {},
      { initContainers: [sidecar], containers: [{ name: "main", image: "work", command: ["echo", "worked"] }] },
    ),
    job(
      "indexed",
      { completions: 2, completionMode: "Indexed" },
      { containers: [{ name: "main", image: "work", command: ["sh", "-c", "echo index $JOB_COMPLETION_INDEX"] }] },
    ),
  ]);
  for (const name of ["three", "beside", "indexed"])
    await cluster.run(`wait job/${name} --for=condition=complete --timeout=30s`);
  expect(await cluster.run("get job three")).toMatch(/three +Complete +3\/3 /);
  expect(await cluster.run("logs job/beside -c main")).toBe("worked\n");
  expect(await cluster.run("get pods -l job-name=beside")).toMatch(/beside-\w+ +0\/2 +Completed /);
  expect(await cluster.run("logs -l batch.kubernetes.io/job-completion-index=1")).toBe("index 1\n");
}, 60_000);

test.concurrent("a Job that fails is tried again as often as wanted, and its end is told", async () => {
  const fails = { containers: [{ name: "main", image: "work", command: ["sh", "-c", "echo no; exit 9"] }] };
  await cluster.apply([
    job("failing", { backoffLimit: 0 }, fails),
    job("late", { activeDeadlineSeconds: 1 }, { containers: [{ name: "main", image: "work", command: IDLE }] }),
  ]);
  await cluster.run("wait job/failing --for=condition=failed --timeout=30s");
  expect(
    await cluster.run("get job failing -o jsonpath={.status.failed}:{.status.conditions[?(@.type=='Failed')].reason}"),
  ).toBe("1:BackoffLimitExceeded");
  expect(await cluster.run("describe job failing")).toContain("Job has reached the specified backoff limit");
  await cluster.run("wait job/late --for=condition=failed --timeout=30s");
  expect(await cluster.run("get job late -o jsonpath={.status.conditions[?(@.type=='Failed')].reason}")).toBe(
    "DeadlineExceeded",
  );
}, 60_000);

test.concurrent("a CronJob makes Jobs on its schedule and on demand", async () => {
  const template = {
    spec: { restartPolicy: "Never", containers: [{ name: "main", image: "work", command: ["echo", "done"] }] },
  };
  // Half an hour away: no time of its own comes while the test looks.
  const minute = new Date(Date.now() + 30 * 60_000).getUTCMinutes();
  const spec = { schedule: `${minute} * * * *`, jobTemplate: { spec: { template } } };
  await cluster.apply([{ apiVersion: "batch/v1", kind: "CronJob", metadata: { name: "often" }, spec }]);
  // kubectl up to 1.20 knows only CronJobs of batch/v1beta1 here.
  if ((await kubectlMinor()) > 20) await cluster.run("create job now --from=cronjob/often");
  else await cluster.apply([job("now", {}, template.spec)]);
  await cluster.run("wait job/now --for=condition=complete --timeout=30s");
  expect(await cluster.run("logs job/now")).toBe("done\n");
  // As though the daemon had been down for some hours: what was missed is due now, once.
  const cronJob = JSON.parse(await cluster.run("get cronjob often -o json")) as { status: object };
  cronJob.status = { lastScheduleTime: new Date(Date.now() - 3 * 3_600_000).toISOString().replace(/\.\d+/, "") };
  const path = "/apis/batch/v1/namespaces/default/cronjobs/often/status";
  await cluster.run(`replace --raw ${path} -f -`, JSON.stringify(cronJob));
  const jobs = () =>
    cluster.run(
      "get jobs -o custom-columns=N:.metadata.name,OF:.metadata.ownerReferences[0].name,OK:.status.succeeded",
    );
  await waitFor(async () => /^often-\d+ +often +1$/m.test(await jobs()), {
    what: "the Job that is due",
    timeoutMs: 20_000,
  });
  expect(await cluster.run("get cronjob often")).toMatch(/often +\d+ \* \* \* \* +<none> +False +0 +(29|3[0-2])m /);
  await cluster.run("delete cronjob often");
  await waitFor(async () => !(await jobs()).includes("often-"), { what: "its Jobs are gone", timeoutMs: 20_000 });
}, 60_000);

test.concurrent("a pod's parts start in order: init containers, sidecars that have started, containers", async () => {
  const say = (word: string, then = "") => ["sh", "-c", `echo ${word} >>/shared/said; ${then}`];
  const volumeMounts = [{ name: "shared", mountPath: "/shared" }];
  await cluster.apply([
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "ordered" },
      spec: {
        terminationGracePeriodSeconds: 5,
        volumes: [{ name: "shared", emptyDir: {} }],
        initContainers: [
          { name: "first", image: "i", command: say("first"), volumeMounts },
          {
            name: "sidecar",
            image: "i",
            restartPolicy: "Always",
            volumeMounts,
            startupProbe: { exec: { command: ["test", "-e", "/tmp/up"] }, periodSeconds: 1 },
            command: [
              "sh",
              "-c",
              "sleep 0.5; echo sidecar >>/shared/said; touch /tmp/up; trap 'echo sidecar ends >>/shared/said; exit 0' TERM; while :; do sleep 0.05; done",
            ],
          },
          { name: "second", image: "i", command: say("second"), volumeMounts },
        ],
        containers: [
          {
            name: "main",
            image: "i",
            volumeMounts,
            command: say(
              "main",
              "trap 'sleep 0.3; echo main ends >>/shared/said; cp /shared/said /dev/termination-log; exit 0' TERM; while :; do sleep 0.05; done",
            ),
          },
        ],
      },
    },
  ]);
  await cluster.run("wait pod/ordered --for=condition=Ready --timeout=30s");
  expect(await cluster.run("get pod ordered")).toMatch(/ordered +2\/2 +Running /);
  expect(await cluster.run("exec ordered -c main -- cat /shared/said")).toBe("first\nsidecar\nsecond\nmain\n");
  await using watch = cluster.spawnKubectl([
    "get",
    "pod",
    "ordered",
    "-w",
    "-o",
    "jsonpath={.status.containerStatuses[0].state.terminated.message}\n",
  ]);
  await cluster.run("wait pod/ordered --for=condition=Ready --timeout=30s");
  await cluster.run("delete pod ordered");
  await watch.waitForOutput("main ends", 20_000);
  expect(watch.stdout()).not.toContain("sidecar ends\nmain ends");
}, 60_000);

test.concurrent("a failing init container keeps the pod from starting, and is told of", async () => {
  const initContainers = [{ name: "init", image: "i", command: ["sh", "-c", "echo cannot; exit 4"] }];
  await cluster.apply([
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "blocked" },
      spec: { initContainers, containers: [{ name: "main", image: "i", command: IDLE }] },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "given-up" },
      spec: { restartPolicy: "Never", initContainers, containers: [{ name: "main", image: "i", command: IDLE }] },
    },
  ]);
  await waitFor(async () => /Init:(CrashLoopBackOff|Error)/.test(await cluster.run("get pod blocked")), {
    what: "Init:Error",
    timeoutMs: 20_000,
  });
  // The next run's log is empty until it says something.
  await waitFor(async () => (await cluster.run("logs blocked -c init")) === "cannot\n", {
    what: "its log",
    timeoutMs: 20_000,
    intervalMs: 100,
  });
  await waitFor(async () => /given-up +0\/1 +Init:Error +0 /.test(await cluster.run("get pod given-up")), {
    what: "Init:Error",
    timeoutMs: 20_000,
  });
  expect(await cluster.run("get pod given-up -o jsonpath={.status.phase}")).toBe("Failed");
  await cluster.run("delete pod blocked given-up");
}, 60_000);

interface WorkloadSpec {
  readonly replicas?: number;
  readonly containers: readonly object[];
  readonly [field: string]: unknown;
}

function workload(
  kind: "Deployment" | "StatefulSet" | "DaemonSet",
  name: string,
  { containers, ...spec }: WorkloadSpec,
): object {
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name },
    spec: {
      ...spec,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { terminationGracePeriodSeconds: 0, containers } },
    },
  };
}

function job(name: string, spec: object, podSpec: object): object {
  const template = { spec: { restartPolicy: "Never", terminationGracePeriodSeconds: 1, ...podSpec } };
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec: { ...spec, template } };
}
