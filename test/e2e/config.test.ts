import { describe, expect, test } from "bun:test";
import { type CommandResult, runCommand } from "@bowline/testkit";
import { ARTICLE_ENV, BOWLINE, type ProxyEnv } from "./mesh.ts";

const NONE = Object.fromEntries(
  Object.keys(process.env).flatMap((name) => (name.startsWith("LINKERD2_PROXY_") ? [[name, undefined]] : [])),
);

function run(env: ProxyEnv, ...args: string[]): Promise<CommandResult> {
  return runCommand([...BOWLINE, "proxy", ...args], { env: { ...NONE, ...env }, timeoutMs: 5_000 });
}

describe("a proxy that is not told enough, or nonsense, says so and ends with 64", () => {
  test("the article's run: an empty environment", async () => {
    const { code, stderr } = await run({}, "--help");
    expect(code).toBe(64);
    expect(stderr).toMatch(/^ERR! linkerd2_proxy::config LINKERD2_PROXY_POD_NAMESPACE is not set$/m);
    expect(stderr).toEndWith("configuration error: InvalidEnvVar\n");
  });

  test("every mistake is named, in one run", async () => {
    const { code, stderr } = await run({
      ...ARTICLE_ENV,
      LINKERD2_PROXY_OUTBOUND_LISTENER: "udp://127.0.0.1:4140",
      LINKERD2_PROXY_INBOUND_LISTENER: "tcp://localhost:4143",
      LINKERD2_PROXY_METRICS_LISTENER: "tcp://127.0.0.1:99999",
      LINKERD2_PROXY_INBOUND_CONNECT_TIMEOUT: "soon",
      LINKERD2_PROXY_INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION: "25,70000",
      LINKERD2_PROXY_SHUTDOWN_GRACE_PERIOD: "1 week",
    });
    expect(code).toBe(64);
    const named = [...stderr.matchAll(/^ERR! linkerd2_proxy::config (LINKERD2_PROXY_\w+)="(.*)" is not valid: \S/gm)];
    expect(named.map(([, name, value]) => `${name}=${value}`).sort()).toEqual([
      "LINKERD2_PROXY_INBOUND_CONNECT_TIMEOUT=soon",
      "LINKERD2_PROXY_INBOUND_LISTENER=tcp://localhost:4143",
      "LINKERD2_PROXY_INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION=25,70000",
      "LINKERD2_PROXY_METRICS_LISTENER=tcp://127.0.0.1:99999",
      "LINKERD2_PROXY_OUTBOUND_LISTENER=udp://127.0.0.1:4140",
      "LINKERD2_PROXY_SHUTDOWN_GRACE_PERIOD=1 week",
    ]);
    expect(stderr).toEndWith("configuration error: InvalidEnvVar\n");
    expect(stderr.match(/configuration error/g)).toHaveLength(1);
  });
});
