import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RunningApi } from "./testing/running-api.ts";

/** A server in a process of its own, which says where it is in one line of JSON. */
const SERVER = `
  import { ApiServer } from ${JSON.stringify(join(import.meta.dir, "api-server.ts"))};
  const server = await ApiServer.open({
    stateDir: process.argv[1],
    host: "127.0.0.1",
    port: 0,
    network: () => { throw new Error("no network"); },
    streams: {},
  });
  const { port, caPem, adminToken } = server;
  console.log(JSON.stringify({ port, caPem, adminToken }));`;

interface Place {
  readonly port: number;
  readonly caPem: string;
  readonly adminToken: string;
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stream) {
    text += new TextDecoder().decode(chunk);
    if (text.includes("\n")) break;
  }
  return text;
}

test("a killed server has kept everything it had answered for, and goes on from there", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bowline-api-"));
  const child = Bun.spawn([process.execPath, "-e", SERVER, directory], { stdout: "pipe", stderr: "inherit" });
  const { port, caPem, adminToken } = JSON.parse(await firstLine(child.stdout)) as Place;
  const answered: [name: string, version: number][] = [];
  const write = async (writer: number): Promise<void> => {
    for (let i = 0; ; i++) {
      const name = `w${writer}-${i}`;
      const response = await fetch(`https://127.0.0.1:${port}/api/v1/namespaces/default/configmaps`, {
        method: "POST",
        headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
        body: JSON.stringify({
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name },
          data: { text: "x".repeat(500) },
        }),
        tls: { ca: caPem },
      });
      const { metadata } = (await response.json()) as { metadata: { resourceVersion: string } };
      answered.push([name, Number(metadata.resourceVersion)]);
      if (answered.length === 200) child.kill("SIGKILL");
    }
  };
  await Promise.allSettled([1, 2, 3, 4].map(write));
  await child.exited;
  expect(answered.length).toBeGreaterThanOrEqual(200);

  const again = await RunningApi.start({ stateDir: directory });
  expect([again.server.adminToken, again.server.caPem]).toEqual([adminToken, caPem]);
  const kept = new Map(
    again.server.api
      .list("configmaps", { namespace: "default" })
      .map(({ metadata }) => [metadata.name, Number(metadata.resourceVersion)]),
  );
  expect(answered.filter(([name, version]) => kept.get(name) !== version)).toEqual([]);
  const { body } = await again.ask("POST", "/api/v1/namespaces/default/configmaps", {
    body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "next" } },
  });
  expect(Number(body.metadata.resourceVersion)).toBeGreaterThan(Math.max(...kept.values()));
  await again.stop();
}, 20_000);

test("one directory has one server", async () => {
  const api = await RunningApi.start();
  const second = Bun.spawn([process.execPath, "-e", SERVER, api.directory], { stdout: "ignore", stderr: "pipe" });
  expect(await second.stderr.text()).toContain("cannot open the cluster's state");
  expect(await second.exited).not.toBe(0);
  await api.stop();
});

test("a port that is taken is told of, and the state let go", async () => {
  const api = await RunningApi.start();
  const directory = mkdtempSync(join(tmpdir(), "bowline-api-"));
  const open = (port: number): Promise<RunningApi> => RunningApi.start({ stateDir: directory, port });
  const refusal = await open(api.server.port).then(String, String);
  expect(refusal).toMatch(/EADDRINUSE|in use/);
  const other = await open(0);
  await other.stop();
  await api.stop();
  rmSync(directory, { recursive: true, force: true });
});
