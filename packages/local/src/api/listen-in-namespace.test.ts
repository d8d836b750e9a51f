import { expect, test } from "bun:test";
import { NetNamespaceHandle } from "@bowline/sys";
import { RunningApi } from "./testing/running-api.ts";

test("the server listens within another network namespace, too", async () => {
  const name = `bowline-api-test-${process.pid}`;
  const ip = (...args: string[]): void => {
    const { exitCode, stderr } = Bun.spawnSync(["ip", ...args]);
    if (exitCode !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr.toString()}`);
  };
  ip("netns", "add", name);
  const api = await RunningApi.start();
  try {
    ip("-n", name, "link", "set", "lo", "up");
    ip("-n", name, "address", "add", "10.244.0.1/32", "dev", "lo");
    const namespace = NetNamespaceHandle.open(`/run/netns/${name}`);
    await namespace.within(() => api.server.listen("10.244.0.1", 6443));
    namespace.close();
    const script = `
      const response = await fetch("https://10.244.0.1:6443/version", { tls: { ca: ${JSON.stringify(api.server.caPem)} } });
      console.log(response.status);`;
    const child = Bun.spawn(["ip", "netns", "exec", name, process.execPath, "-e", script], { stdout: "pipe" });
    expect((await child.stdout.text()).trim()).toBe("200");
    expect((await api.ask("GET", "/version")).code).toBe(200);
  } finally {
    await api.stop();
    ip("netns", "delete", name);
  }
});
