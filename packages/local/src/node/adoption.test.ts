import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Pod } from "@bowline/kube";
import { childOf, commandLine, markOf } from "./container/process.ts";
import { removePods } from "./remove-pods.ts";
import { shell, TestNode, UNTIL_TERM } from "./testing/test-node.ts";

const shared = { volumeMounts: [{ name: "shared", mountPath: "/shared" }] };

/** A script that ends with this code once told to by a file in the volume. */
const untilTold = (code: number) => `while [ ! -e /shared/end ]; do sleep 0.02; done; echo "told to end"; exit ${code}`;

function sharedDirectory(node: TestNode, name: string): string {
  const path = join(node.stateDir, name);
  mkdirSync(path);
  return path;
}

/** Without being asked by the node: it is not there. */
async function untilExited(node: TestNode, pod: string, container: string): Promise<void> {
  const path = join(node.podsDir, node.pod(pod).metadata.uid ?? "", "containers", container, "0", "exit");
  await node.until(`${container} has ended`, () => readFileSync(path, "utf8") !== "");
}

test("a container that runs is taken over, with its log, probes and address", async () => {
  await using node = await TestNode.start();
  const probe = { exec: { command: ["test", "!", "-e", "/tmp/bowline-bad"] }, periodSeconds: 1, failureThreshold: 1 };
  const script = `echo before; trap 'echo bye; exit 0' TERM; sleep 1000 & wait`;
  await node.run("stays", { main: { command: ["sh", "-c", script], readinessProbe: probe } });
  await node.untilReady("stays");
  const before = node.pod("stays").status;
  await node.stopNode();
  await node.startNode();
  await node.until("its address", () => node.node.netnsOf("default", "stays") !== undefined);
  expect(node.pod("stays").status).toEqual(before!);
  expect(node.status("stays", "main").restartCount).toBe(0);
  expect((await node.exec("stays", "main", "touch /tmp/bowline-bad; hostname -i || hostname")).code).toBe(0);
  await node.until("unready", () => node.condition("stays", "Ready") === "False");
  const reader = (await node.node.log("default", "stays", "main", { follow: true })).getReader();
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("before\n");
  await reader.cancel();
  await node.deleted("stays", 5);
  expect(node.processes()).toEqual([]);
});

test("what ended meanwhile is known with its code, its time and its last words", async () => {
  await using node = await TestNode.start();
  const path = sharedDirectory(node, "told");
  const words = { volumes: [{ name: "shared", hostPath: { path } }], restartPolicy: "Never" };
  await node.run("ends", { main: { command: ["sh", "-c", untilTold(5)], ...shared } }, words);
  await node.untilReady("ends");
  await node.stopNode();
  writeFileSync(join(path, "end"), "");
  await untilExited(node, "ends", "main");
  const endedBy = Date.now();
  await node.startNode();
  await node.untilPhase("ends", "Failed");
  const state = node.status("ends", "main").state?.terminated;
  expect(state).toMatchObject({ exitCode: 5, reason: "Error" });
  expect(Date.parse(state?.finishedAt ?? "")).toBeLessThanOrEqual(endedBy);
  expect(await node.log("ends")).toBe("told to end\n");
});

test("a main container goes on after its init container ended unseen", async () => {
  await using node = await TestNode.start();
  const path = sharedDirectory(node, "told");
  const init = { ...shell("first", untilTold(0)), ...shared };
  const words = { volumes: [{ name: "shared", hostPath: { path } }], initContainers: [init] };
  await node.run("goes-on", { main: UNTIL_TERM }, words);
  await node.until("init runs", () => node.status("goes-on", "first").state?.running !== undefined);
  await node.stopNode();
  writeFileSync(join(path, "end"), "");
  await untilExited(node, "goes-on", "first");
  await node.startNode();
  await node.untilReady("goes-on");
  expect(node.status("goes-on", "first").restartCount).toBe(0);
});

test("a supervisor that was killed takes its container along, and it starts again", async () => {
  await using node = await TestNode.start();
  const securityContext = { runAsUser: 12345 };
  await node.run("killed", { main: { command: ["sleep", "1000"], securityContext } });
  await node.untilReady("killed");
  const directory = join(node.podsDir, node.pod("killed").metadata.uid ?? "", "containers/main/0");
  const supervisor = Number(readFileSync(join(directory, "pid"), "utf8"));
  const main = childOf(supervisor)!;
  await node.until("the command runs", () => commandLine(main)[0] === "sleep");
  await node.stopNode();
  process.kill(supervisor, "SIGKILL");
  await node.until("the container has ended", () => markOf(main) === undefined);
  // A container that the kernel does not end with its supervisor is found by what was noted of it.
  await using orphan = Bun.spawn(["sleep", "1000"], { stdio: ["ignore", "ignore", "ignore"] });
  writeFileSync(join(directory, "main"), Object.values(markOf(orphan.pid) ?? {}).join(" "));
  await node.startNode();
  expect(await orphan.exited).toBe(137);
  await node.until("a restart", () => node.status("killed", "main").restartCount === 1);
  await node.untilReady("killed");
  const { lastState } = node.status("killed", "main");
  expect(lastState?.terminated).toMatchObject({ exitCode: 137, reason: "ContainerStatusUnknown" });
});

test("a container whose logger has gone gets another", async () => {
  await using node = await TestNode.start();
  const path = sharedDirectory(node, "told");
  const main = { command: ["sh", "-c", `echo before; ${untilTold(0)}`], ...shared };
  await node.run("mute", { main }, { volumes: [{ name: "shared", hostPath: { path } }], restartPolicy: "Never" });
  await node.untilReady("mute");
  const uid = node.pod("mute").metadata.uid ?? "";
  await node.until(
    "the first line",
    () => readFileSync(join(node.podsDir, uid, "containers/main/0/log"), "utf8") !== "",
  );
  await node.stopNode();
  process.kill(Number(readFileSync(join(node.podsDir, uid, "containers/main/0/logger"), "utf8")), "SIGKILL");
  await node.until("the logger has ended", () => node.processes().length === 1);
  await node.startNode();
  await node.until("a new logger", () => node.processes().length === 2);
  writeFileSync(join(path, "end"), "");
  await node.untilPhase("mute", "Succeeded");
  expect(await node.log("mute")).toBe("before\ntold to end\n");
});

test("a pod that lost its network, as by switching off the machine, begins again with its init containers", async () => {
  await using node = await TestNode.start();
  await node.run("reborn", { main: UNTIL_TERM }, { initContainers: [shell("first", "true")] });
  await node.untilReady("reborn");
  const netns = node.node.netnsOf("default", "reborn") ?? "";
  await node.stopNode();
  Bun.spawnSync(["ip", "netns", "delete", netns.split("/").at(-1) ?? ""]);
  expect(existsSync(netns)).toBe(false);
  await node.startNode();
  await node.until("a restart", () => node.status("reborn", "main").restartCount === 1);
  await node.untilReady("reborn");
  expect(node.status("reborn", "first").restartCount).toBe(1);
});

test("pods deleted meanwhile are ended", async () => {
  await using node = await TestNode.start();
  await node.run("deleted", { main: UNTIL_TERM });
  await node.run("vanished", { main: UNTIL_TERM });
  await node.untilReady("deleted");
  await node.untilReady("vanished");
  await node.stopNode();
  await node.api.delete("pods", "default", "deleted", { gracePeriodSeconds: 5 });
  await node.api.delete("pods", "default", "vanished", { gracePeriodSeconds: 0 });
  expect(node.processes()).not.toEqual([]);
  await node.startNode();
  await node.until("the object is gone", () => node.api.list<Pod>("pods").length === 0);
  await node.until("nothing runs", () => node.processes().length === 0);
});

test("removePods ends everything without a node", async () => {
  await using node = await TestNode.start();
  const volumes = [{ name: "shared", emptyDir: { medium: "Memory" } }];
  await node.run(
    "one",
    { main: { command: ["sh", "-c", "trap '' TERM; while :; do sleep 1000; done"], ...shared } },
    { volumes },
  );
  await node.run("two", { a: "sleep 1000", b: "sleep 1000" });
  await node.untilReady("one");
  await node.untilReady("two");
  await node.stopNode();
  expect(node.processes()).toHaveLength(6);
  expect(node.mounts()).toHaveLength(1);
  await removePods(node.stateDir);
  expect(node.processes()).toEqual([]);
  expect(node.mounts()).toEqual([]);
  expect(existsSync(node.podsDir)).toBe(false);
  await removePods(node.stateDir);
});
