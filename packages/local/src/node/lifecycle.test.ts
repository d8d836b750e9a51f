import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Pod } from "@bowline/kube";
import { waitFor } from "@bowline/testkit";
import { shell, TestNode, UNTIL_TERM } from "./testing/test-node.ts";

let node: TestNode;

beforeAll(async () => {
  node = await TestNode.start({ images: { "example/greeter": { command: ["echo", "hello"], args: ["world"] } } });
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

/** Containers in the order in which their lines came, from a volume they all append to. */
const note = (line: string) => `echo ${line} >>/shared/order`;
const shared = { volumeMounts: [{ name: "shared", mountPath: "/shared" }] };
const volumes = [{ name: "shared", emptyDir: {} }];

describe("a pod's way to Running", () => {
  test("init containers one by one, a sidecar until it is up, then the main containers", async () => {
    await node.run(
      "order",
      { main: { command: ["sh", "-c", `${note("main")}; ${UNTIL_TERM}`], ...shared } },
      {
        volumes,
        initContainers: [
          { ...shell("first", `sleep 0.1; ${note("first")}`), ...shared },
          {
            ...shell("side", `sleep 0.2; ${note("side")}; touch /shared/up; ${UNTIL_TERM}`),
            ...shared,
            restartPolicy: "Always",
            startupProbe: { exec: { command: ["test", "-e", "/shared/up"] }, periodSeconds: 1 },
          },
          { ...shell("second", note("second")), ...shared },
        ],
      },
    );
    await node.untilReady("order");
    const order = async () => (await node.exec("order", "main", "cat /shared/order")).stdout.trim().split("\n");
    await waitFor(async () => (await order()).includes("main"), { what: "main's line" });
    expect(await order()).toEqual(["first", "side", "second", "main"]);
    expect(node.status("order", "first")).toMatchObject({
      ready: true,
      state: { terminated: { reason: "Completed" } },
    });
    expect(node.status("order", "side")).toMatchObject({ ready: true, started: true, restartCount: 0 });
    await node.deleted("order");
  });

  test("the status says all that Kubernetes' would", async () => {
    await node.run("full", { main: UNTIL_TERM }, { labels: { app: "full" } });
    await node.untilReady("full");
    const { status, spec } = node.pod("full");
    expect(spec?.nodeName).toBe("bowline");
    expect(status).toMatchObject({ phase: "Running", qosClass: "BestEffort", hostIP: "10.244.0.1" });
    expect(status?.podIP).toMatch(/^10\.244\.0\.\d+$/);
    expect(status?.podIPs).toEqual([{ ip: status?.podIP ?? "" }]);
    expect(status?.startTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const types = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
    expect(status?.conditions?.map(({ type, status: value }) => [type, value])).toEqual(
      types.map((type) => [type, "True"]),
    );
    const container = node.status("full", "main");
    expect(container).toMatchObject({
      image: "example/none",
      imageID: "bowline://example/none",
      ready: true,
      started: true,
    });
    expect(container.containerID).toMatch(/^bowline:\/\/[0-9a-f]{64}$/);
    expect(container.state?.running?.startedAt).toBeString();
    for (const reason of ["Scheduled", "Pulled", "Created", "Started"]) expect(node.events(reason)).not.toEqual([]);
    await node.deleted("full");
  });

  test("an image's command and arguments", async () => {
    const restartPolicy = "Never";
    await node.run("image", { main: { image: "example/greeter" } }, { restartPolicy });
    await node.run(
      "args",
      { main: { image: "example/greeter", args: ["$(WHO)"], env: [{ name: "WHO", value: "you" }] } },
      { restartPolicy },
    );
    await node.untilPhase("image", "Succeeded");
    await node.untilPhase("args", "Succeeded");
    expect(await node.log("image")).toBe("hello world\n");
    expect(await node.log("args")).toBe("hello you\n");
  });

  test("an image's layers lie over the machine's files, its user and directory count", async () => {
    await using own = await TestNode.start({
      images: {
        layered: {
          command: ["say"],
          layers: ["top", "bottom"].map((layer) => join(node.stateDir, layer)),
          user: 12345,
          workingDir: "/var",
        },
      },
    });
    const write = (path: string, text: string) => {
      mkdirSync(join(node.stateDir, path, ".."), { recursive: true });
      writeFileSync(join(node.stateDir, path), text, { mode: 0o755 });
    };
    write(
      "top/usr/local/bin/say",
      "#!/bin/sh\nid -u; pwd; cat /etc/one /etc/two; test -e /etc/passwd && echo machine\n",
    );
    write("top/etc/one", "top ");
    write("bottom/etc/one", "bottom ");
    write("bottom/etc/two", "bottom\n");
    await own.run("layers", { main: { image: "layered" } }, { restartPolicy: "Never" });
    await own.untilPhase("layers", "Succeeded");
    expect(await own.log("layers")).toBe("12345\n/var\ntop bottom\nmachine\n");
  });

  test("an image's mounts show what its user could not reach, and can't be written to", async () => {
    const hidden = join(node.stateDir, "hidden");
    mkdirSync(hidden, { mode: 0o700 });
    writeFileSync(join(hidden, "tool"), "#!/bin/sh\necho ran; echo x >>/opt/tool || echo read-only\n", { mode: 0o755 });
    chmodSync(join(hidden, "tool"), 0o777);
    const mounts = [{ source: join(hidden, "tool"), target: "/opt/tool" }];
    await using own = await TestNode.start({ images: { mounted: { command: ["/opt/tool"], mounts, user: 12345 } } });
    await own.run("mounts", { main: { image: "mounted" } }, { restartPolicy: "Never" });
    await own.untilPhase("mounts", "Succeeded");
    expect((await own.log("mounts")).split("\n")).toEqual([
      "ran",
      expect.stringContaining("Read-only"),
      "read-only",
      "",
    ]);
  });

  test("postStart is over before the next container starts", async () => {
    const hook = { postStart: { exec: { command: ["sh", "-c", `sleep 0.2; ${note("hook")}`] } } };
    await node.run(
      "hook",
      {
        proxy: { command: ["sh", "-c", UNTIL_TERM], lifecycle: hook, ...shared },
        app: { command: ["sh", "-c", `${note("app")}; ${UNTIL_TERM}`], ...shared },
      },
      { volumes },
    );
    await node.untilReady("hook");
    const order = async () => (await node.exec("hook", "app", "cat /shared/order")).stdout;
    await waitFor(async () => (await order()).includes("app"), { what: "the app's line" });
    expect(await order()).toBe("hook\napp\n");
    await node.deleted("hook");
  });
});

describe("what can't start", () => {
  test("an unknown image names itself and what to do", async () => {
    await node.run("unknown", { main: { image: "example/unknown:1" } });
    await node.until("the reason", () => node.status("unknown", "main").state?.waiting?.reason === "ErrImagePull");
    const message = node.status("unknown", "main").state?.waiting?.message ?? "";
    expect(message).toContain('image "example/unknown:1" is not in this cluster\'s table of images');
    expect(message).toContain("`command`");
    expect(node.events("Failed").some((text) => text.includes("example/unknown:1"))).toBe(true);
    expect(node.pod("unknown").status?.phase).toBe("Pending");
    await node.deleted("unknown");
  });

  test("a command that is not there is a StartError", async () => {
    await node.run("nothing", { main: { command: ["no-such-program"] } }, { restartPolicy: "Never" });
    await node.untilPhase("nothing", "Failed");
    expect(node.status("nothing", "main").state?.terminated).toMatchObject({
      reason: "StartError",
      exitCode: 128,
      message: 'exec: "no-such-program": executable file not found in $PATH',
    });
  });

  test("a missing ConfigMap is waited for", async () => {
    const env = [{ name: "A", valueFrom: { configMapKeyRef: { name: "late", key: "a" } } }];
    await node.run("late", { main: { command: ["sh", "-c", "echo $A"], env } }, { restartPolicy: "Never" });
    await node.until(
      "the reason",
      () => node.status("late", "main").state?.waiting?.reason === "CreateContainerConfigError",
    );
    expect(node.status("late", "main").state?.waiting?.message).toBe('configmap "late" not found');
    expect(node.events("Failed")).toContain('Error: configmap "late" not found');
    await node.api.create("configmaps", {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "late", namespace: "default" },
      data: { a: "here" },
    });
    await node.untilPhase("late", "Succeeded");
    expect(await node.log("late")).toBe("here\n");
  });

  test("a missing volume holds up the pod", async () => {
    await node.run(
      "unmounted",
      { main: UNTIL_TERM },
      { volumes: [{ name: "v", secret: { secretName: "late-secret" } }] },
    );
    await node.until("an event", () => node.events("FailedMount").length > 0);
    expect(node.events("FailedMount")[0]).toBe(
      'MountVolume.SetUp failed for volume "v" : secret "late-secret" not found',
    );
    expect(node.status("unmounted", "main").state?.waiting?.reason).toBe("ContainerCreating");
    await node.api.create("secrets", {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "late-secret", namespace: "default" },
    });
    await node.untilReady("unmounted");
    await node.deleted("unmounted");
  });

  test("root where it must not be", async () => {
    await node.run("root", { main: { command: ["true"], securityContext: { runAsNonRoot: true } } });
    await node.until(
      "the reason",
      () => node.status("root", "main").state?.waiting?.reason === "CreateContainerConfigError",
    );
    expect(node.status("root", "main").state?.waiting?.message).toContain("runAsNonRoot");
    await node.deleted("root");
  });

  test("a node that nobody has", async () => {
    await node.run("elsewhere", { main: "true" }, { nodeSelector: { "kubernetes.io/os": "plan9" } });
    await node.until("a condition", () => node.condition("elsewhere", "PodScheduled") === "False");
    expect(node.events("FailedScheduling")).toHaveLength(1);
    await node.deleted("elsewhere");
  });
});

describe("restarts", () => {
  test("the first is at once, the second waits in CrashLoopBackOff", async () => {
    await node.run("crash", { main: "echo run; echo last word >/dev/termination-log; exit 3" });
    await node.until("back-off", () => node.status("crash", "main").state?.waiting?.reason === "CrashLoopBackOff");
    const status = node.status("crash", "main");
    expect(status.restartCount).toBe(1);
    expect(status.lastState?.terminated).toMatchObject({ exitCode: 3, reason: "Error", message: "last word\n" });
    expect(status.state?.waiting?.message).toMatch(
      /^back-off 10s restarting failed container=main pod=crash_default\(.+\)$/,
    );
    expect(node.pod("crash").status?.phase).toBe("Running");
    expect(node.events("BackOff")[0]).toMatch(/^Back-off restarting failed container main in pod crash_default/);
    expect(await node.log("crash", "main", { previous: true })).toBe("run\n");
    await node.deleted("crash");
  });

  test("OnFailure stops at success, and the log stands in for the message", async () => {
    const script = 'if [ -e /shared/once ]; then exit 0; fi; touch /shared/once; echo "why it failed"; exit 7';
    const main = { command: ["sh", "-c", script], terminationMessagePolicy: "FallbackToLogsOnError", ...shared };
    await node.run("retry", { main }, { restartPolicy: "OnFailure", volumes });
    await node.untilPhase("retry", "Succeeded");
    const { restartCount, lastState, state } = node.status("retry", "main");
    expect(restartCount).toBe(1);
    expect(lastState?.terminated).toMatchObject({ exitCode: 7, message: "why it failed\n" });
    expect(state?.terminated).toMatchObject({ exitCode: 0, reason: "Completed" });
    expect(node.condition("retry", "Ready")).toBe("False");
  });

  test("a failed liveness probe restarts the container", async () => {
    const probe = { exec: { command: ["test", "!", "-e", "/tmp/bowline-bad"] }, periodSeconds: 1, failureThreshold: 1 };
    await node.run("sick", { main: { command: ["sh", "-c", UNTIL_TERM], livenessProbe: probe } });
    await node.untilReady("sick");
    await node.exec("sick", "main", "touch /tmp/bowline-bad");
    await node.until("a restart", () => node.status("sick", "main").restartCount === 1);
    // Its files were the run's own.
    await node.untilReady("sick");
    expect(node.events("Killing")).toContain("Container main failed liveness probe, will be restarted");
    expect(node.events("Unhealthy").some((text) => text.startsWith("Liveness probe failed:"))).toBe(true);
    await node.deleted("sick");
  });

  test("readiness comes and goes with the probe", async () => {
    const probe = { exec: { command: ["test", "-e", "/tmp/bowline-good"] }, periodSeconds: 1, failureThreshold: 1 };
    await node.run("shy", { main: { command: ["sh", "-c", UNTIL_TERM], readinessProbe: probe } });
    await node.untilPhase("shy", "Running");
    expect(node.condition("shy", "Ready")).toBe("False");
    expect(node.status("shy", "main")).toMatchObject({ ready: false, started: true });
    await node.exec("shy", "main", "touch /tmp/bowline-good");
    await node.untilReady("shy");
    await node.exec("shy", "main", "rm /tmp/bowline-good");
    await node.until("unready", () => node.condition("shy", "ContainersReady") === "False");
    expect(node.status("shy", "main").restartCount).toBe(0);
    await node.deleted("shy");
  });
});

describe("a pod's end", () => {
  test("preStop, then SIGTERM; sidecars after the main containers, the last one first", async () => {
    const loop = (name: string) =>
      `trap 'sleep 0.1; ${note(name)}; exit 0' TERM; touch /shared/up-${name}; sleep 1000 & wait`;
    const side = (name: string) => ({ ...shell(name, loop(name)), ...shared, restartPolicy: "Always" });
    const preStop = { exec: { command: ["sh", "-c", note("hook")] } };
    const hostPath = { path: join(node.stateDir, "outlives"), type: "DirectoryOrCreate" };
    await node.run(
      "ends",
      { main: { command: ["sh", "-c", loop("main")], lifecycle: { preStop }, ...shared } },
      {
        volumes: [{ name: "shared", hostPath }],
        initContainers: [side("one"), side("two")],
        terminationGracePeriodSeconds: 8,
      },
    );
    await node.untilReady("ends");
    // A signal that comes before its trap is lost on PID 1.
    const traps = ["one", "two", "main"].map((name) => join(hostPath.path, `up-${name}`));
    await node.until("all traps are set", () => traps.every((path) => existsSync(path)));
    await node.deleted("ends", 8);
    expect((await Bun.file(join(hostPath.path, "order")).text()).trim().split("\n")).toEqual([
      "hook",
      "main",
      "two",
      "one",
    ]);
  });

  test("SIGTERM reaches a program that was not ready for it, too", async () => {
    await node.run("early", { main: "sleep 0.5; trap 'exit 0' TERM; while :; do sleep 0.05; done" });
    await node.untilReady("early");
    const begun = Date.now();
    await node.deleted("early", 20);
    expect(Date.now() - begun).toBeLessThan(10_000);
  });

  test("SIGKILL when the time is over", async () => {
    await node.run("deaf", { main: "trap '' TERM; while :; do sleep 1000; done" });
    await node.untilReady("deaf");
    const seen: Pod[] = [];
    const stop = node.api.watch<Pod>("pods", ({ object }) => seen.push(object));
    const begun = Date.now();
    await node.deleted("deaf", 1);
    stop();
    expect(Date.now() - begun).toBeGreaterThan(900);
    const last = seen.findLast(({ metadata }) => metadata.name === "deaf");
    expect(last?.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 137, reason: "Error" });
  });

  test("at once when forced", async () => {
    await node.run("forced", { main: "trap '' TERM; while :; do sleep 1000; done" });
    await node.untilReady("forced");
    const uid = node.pod("forced").metadata.uid ?? "";
    await node.deleted("forced", 0);
    await node.until("its directory is gone", () => !existsSync(join(node.podsDir, uid)));
    expect(node.processes().filter((line) => line.includes(uid))).toEqual([]);
  });

  test("a job with a sidecar completes", async () => {
    const side = { ...shell("side", UNTIL_TERM), restartPolicy: "Always" };
    await node.run("job", { main: "echo done" }, { initContainers: [side], restartPolicy: "Never" });
    await node.untilPhase("job", "Succeeded");
    await node.until("its network is gone", () => node.node.netnsOf("default", "job") === undefined);
    expect(node.status("job", "side").state?.terminated?.exitCode).toBe(0);
    expect(node.condition("job", "Initialized")).toBe("True");
    expect(node.condition("job", "Ready")).toBe("False");
    expect(await node.log("job", "main")).toBe("done\n");
    await node.deleted("job");
  });

  test("its deadline", async () => {
    await node.run("short", { main: UNTIL_TERM }, { activeDeadlineSeconds: 1, restartPolicy: "Never" });
    await node.untilPhase("short", "Failed");
    expect(node.pod("short").status).toMatchObject({ reason: "DeadlineExceeded" });
    await node.deleted("short");
  });

  test("nothing is left of a pod", async () => {
    const tmpfs = [{ name: "shared", emptyDir: { medium: "Memory" } }];
    await node.run("clean", { main: { command: ["sh", "-c", UNTIL_TERM], ...shared } }, { volumes: tmpfs });
    await node.untilReady("clean");
    const uid = node.pod("clean").metadata.uid ?? "";
    expect(node.mounts().length).toBeGreaterThan(0);
    expect(node.processes().length).toBeGreaterThan(0);
    await node.deleted("clean", 2);
    await node.until("its directory is gone", () => !readdirSync(node.podsDir).includes(uid));
    expect(node.mounts()).toEqual([]);
    expect(node.processes().filter((line) => line.includes(uid))).toEqual([]);
  });
});
