import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type RunningProcess, runCommand, spawnProcess, waitFor } from "@bowline/testkit";
import { TestCluster } from "./test-cluster.ts";

/** Paths between colons: more than the PATH's kubectl, to try old and new ones. */
const KUBECTLS = (process.env["BOWLINE_TEST_KUBECTLS"] ?? "kubectl").split(":");
/** New ones use WebSockets unless told not to; old ones know SPDY only, and don't mind. */
const WAYS = KUBECTLS.flatMap((kubectl) => [
  { kubectl, way: "WebSockets where it has them", sockets: "true" },
  { kubectl, way: "SPDY", sockets: "false" },
]);

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.up();
  const server = "Bun.serve({ port: 8080, fetch: async (request) => new Response(await request.bytes()) })";
  await cluster.apply([
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "echo", labels: { app: "echo" } },
      spec: {
        containers: [
          {
            name: "main",
            image: "echo",
            command: [process.execPath, "-e", server],
            readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
          },
        ],
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "echo" },
      spec: { selector: { app: "echo" }, ports: [{ port: 80, targetPort: 8080 }] },
    },
  ]);
  await cluster.kubectl(["wait", "--for=condition=ready", "pod/echo", "--timeout=20s"]);
}, 120_000);
afterAll(async () => {
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
}, 120_000);

describe.each(WAYS)("$kubectl by $way", ({ kubectl, sockets }) => {
  const env = (): Record<string, string> => ({
    ...cluster.env,
    KUBECTL_REMOTE_COMMAND_WEBSOCKETS: sockets,
    KUBECTL_PORT_FORWARD_WEBSOCKETS: sockets,
  });

  async function forwarding(target: string, ports: string): Promise<{ port: number; process: RunningProcess }> {
    const process = spawnProcess([kubectl, "port-forward", target, ports], { env: env() });
    const pattern = /Forwarding from 127\.0\.0\.1:(\d+)/;
    await process.waitForOutput(pattern);
    return { process, port: Number(pattern.exec(process.stdout())?.[1]) };
  }

  test("exec brings output, errors, exit codes and input", async () => {
    const run = (args: string[], input = ""): ReturnType<typeof runCommand> =>
      runCommand([kubectl, "exec", ...args], { env: env(), input });
    expect(await run(["echo", "--", "sh", "-c", "echo out; echo err >&2; exit 3"])).toMatchObject({
      code: 3,
      stdout: "out\n",
      stderr: expect.stringContaining("err\n"),
    });
    const input = "0123456789abcdef".repeat(100_000);
    const { code, stdout } = await run(["-i", "echo", "--", "cat"], input);
    expect([code, stdout === input]).toEqual([0, true]);
    expect((await run(["echo", "-c", "none", "--", "true"])).code).toBe(1);
  });

  test("a command ends with its client", async () => {
    const marker = `10${process.pid}`;
    const client = spawnProcess([kubectl, "exec", "echo", "--", "sleep", marker], { env: env() });
    const running = async (): Promise<boolean> => (await runCommand(["pgrep", "-f", `^sleep ${marker}$`])).code === 0;
    await waitFor(running, { what: "the command" });
    client.kill("SIGKILL");
    await client.exited;
    await waitFor(async () => !(await running()), { what: "its end" });
  });

  test("port-forward carries many connections at once, and large bodies", async () => {
    const { port, process } = await forwarding("svc/echo", ":80");
    await using _ = process;
    const answers = await Promise.all(
      Array.from({ length: 12 }, async (_unused, index) => {
        const body = `${index} `.repeat(index === 0 ? 1_000_000 : 1_000);
        const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body });
        return (await response.text()) === body;
      }),
    );
    expect(answers).toEqual(answers.map(() => true));
  });

  test("port-forward tells of a port where nobody listens", async () => {
    const { port, process } = await forwarding("pod/echo", ":9");
    await using _ = process;
    await fetch(`http://127.0.0.1:${port}/`).catch(() => {});
    await process.waitForOutput("dial tcp 127.0.0.1:9: connect: connection refused");
  });
});
