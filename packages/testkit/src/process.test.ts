import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mustRun, runCommand, spawnProcess } from "./process.ts";
import { rejectionOf } from "./rejection.ts";
import { freePort, waitFor } from "./wait-for.ts";

test("a command gets its input and gives its output, status or signal", async () => {
  expect(await runCommand(["sh", "-c", "cat; echo err >&2; exit 3"], { input: "in" })).toEqual({
    code: 3,
    signal: null,
    stdout: "in",
    stderr: "err\n",
  });
  expect((await runCommand(["sleep", "60"], { timeoutMs: 50 })).signal).toBe("SIGKILL");
  expect((await rejectionOf(runCommand(["/no/such/program"]))).message).toContain("ENOENT");
  expect((await rejectionOf(mustRun(["sh", "-c", "echo why >&2; exit 4"]))).message).toMatch(/ended with 4[\s\S]*why/);
});

test("waiting for output ends with a match, with the process or with the deadline", async () => {
  await using talker = spawnProcess(["sh", "-c", "echo one; echo two >&2; exec sleep 60"]);
  await talker.waitForOutput("one");
  await talker.waitForOutput(/^two$/m);
  expect((await rejectionOf(talker.waitForOutput("three", 30))).message).toMatch(/in vain for three[\s\S]*one/);
  expect((await rejectionOf(spawnProcess(["sh", "-c", "exit 7"]).waitForOutput("never"))).message).toContain(
    "ended with 7",
  );
});

test("stop ends a process that ignores SIGTERM, and one whose child holds its output", async () => {
  const stubborn = spawnProcess(["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"]);
  await stubborn.waitForOutput("up");
  expect((await stubborn.stop(50)).signal).toBe("SIGKILL");
  expect(existsSync(`/proc/${stubborn.pid}`)).toBe(false);

  const parent = spawnProcess(["sh", "-c", "sleep 5 & echo $!; wait"]);
  await parent.waitForOutput(/\d+/);
  expect((await parent.stop()).signal).toBe("SIGTERM");
  process.kill(Number(parent.stdout()), "SIGKILL");
});

test("waitFor returns the truthy value and names what did not happen", async () => {
  let calls = 0;
  expect(await waitFor(() => ++calls > 2 && "done", { what: "three calls" })).toBe("done");
  const failing = waitFor(() => Promise.reject(new Error("not yet")), { what: "the impossible", timeoutMs: 20 });
  expect((await rejectionOf(failing)).message).toContain("waited 20 ms in vain for the impossible");
});

test("freePort gives a port that can be bound", async () => {
  const port = await freePort();
  const server = Bun.serve({ port, hostname: "127.0.0.1", fetch: () => new Response() });
  expect(server.port).toBe(port);
  await server.stop(true);
});
