import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { NetNamespace } from "./netns.ts";
import { twoPods } from "./pods.ts";
import { mustRun, runCommand } from "./process.ts";
import { rejectionOf } from "./rejection.ts";
import { waitFor } from "./wait-for.ts";

const SERVE = `Bun.serve({ hostname: "::", port: 8080, fetch: (r, s) => new Response(s.requestIP(r).address + " " + process.getuid()) });
console.log("listening");`;
const bun = process.execPath;

test("two pods reach each other over IPv4 and IPv6, the server as another user", async () => {
  await using pods = await twoPods();
  const { client, server } = pods;
  const web = server.namespace.spawn([bun, "-e", SERVE], { as: { uid: 2102 } });
  await web.waitForOutput("listening", 20_000);
  for (const url of [`http://${server.v4}:8080/`, `http://[${server.v6}]:8080/`]) {
    const answer = await client.namespace.run([
      bun,
      "-e",
      `process.stdout.write(await (await fetch("${url}")).text())`,
    ]);
    expect(answer).toMatch(/^((::ffff:)?10\.77\.0\.1|fd77::1) 2102$/);
  }
  const result = await web.stop();
  expect(result.signal ?? result.code).not.toBeNull();
});

test("disposing kills everything inside, also what a process left behind, and removes the namespace", async () => {
  let path = "";
  let pid = 0;
  const failing = async (): Promise<void> => {
    await using namespace = await NetNamespace.create("doomed");
    path = namespace.path;
    await namespace.run(["sh", "-c", "trap '' TERM; sleep 600 >/dev/null 2>&1 & echo $!"]).then((text) => {
      pid = Number(text);
    });
    expect(await namespace.pids()).toEqual([pid]);
    throw new Error("the test failed");
  };
  expect((await rejectionOf(failing())).message).toContain("the test failed");
  expect(existsSync(path)).toBe(false);
  await waitFor(() => !existsSync(`/proc/${pid}`), { what: `process ${pid} to be gone` });
});

test("a run that is killed leaves its namespace to the next run's sweep", async () => {
  const source = `import { NetNamespace } from ${JSON.stringify(`${import.meta.dir}/netns.ts`)};
const namespace = await NetNamespace.create("orphan");
process.stdout.write(namespace.name);
process.kill(process.pid, "SIGKILL");
await new Promise(() => setInterval(() => {}, 1000));`;
  const killed = await runCommand([bun, "-e", source]);
  expect(killed.signal).toBe("SIGKILL");
  expect(existsSync(`/run/netns/${killed.stdout}`)).toBe(true);
  await mustRun([bun, "-e", source.replace('process.kill(process.pid, "SIGKILL");', "process.exit(0);")]);
  expect(existsSync(`/run/netns/${killed.stdout}`)).toBe(false);
});

test("an exit without disposing removes the namespace as well", async () => {
  const source = `import { NetNamespace } from ${JSON.stringify(`${import.meta.dir}/netns.ts`)};
process.stdout.write((await NetNamespace.create("exit")).name);
process.exit(0);`;
  const name = await mustRun([bun, "-e", source]);
  expect(name).toStartWith("bl-");
  expect(existsSync(`/run/netns/${name}`)).toBe(false);
});

test("capabilities can be taken from a command", async () => {
  await using namespace = await NetNamespace.create("caps");
  const result = await namespace.exec(["ip", "link", "set", "lo", "down"], {
    withoutCapabilities: ["net_admin"],
  });
  expect(result.code).not.toBe(0);
  expect(result.stderr).toContain("not permitted");
});
