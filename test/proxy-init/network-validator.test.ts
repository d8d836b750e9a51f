import { describe, expect, test } from "bun:test";
import { runCommand, twoPods } from "@bowline/testkit";
import { ARTICLE, BOWLINE, bowline } from "./bowline.ts";

const V6 = ["--listen-addr", "[::]:4140", "--connect-addr", "[fd00::1]:20001"];

test("tells a redirected pod from one that is not, for IPv4 and IPv6", async () => {
  await using pods = await twoPods();
  const pod = pods.client.namespace;
  for (const addresses of [[], V6]) {
    const validate = ["network-validator", "--timeout", "300ms", ...addresses];
    const before = await bowline(pod, ...validate);
    expect(before).toMatchObject({ code: 95, stderr: "" });
    expect(before.stdout).toMatch(/level=error msg="traffic is not redirected to .*:4140: /);
    await bowline(pod, ...ARTICLE);
    const after = await bowline(pod, ...validate, "--timeout", "10s");
    expect(after).toMatchObject({ code: 0, stderr: "" });
    expect(after.stdout).toMatch(/level=info msg="Validated"/);
    await bowline(pod, "proxy-init", "--cleanup");
  }
});

test("an answer of another server, none, a refusal and a taken port all end with 95", async () => {
  await using pods = await twoPods();
  const pod = pods.client.namespace;
  const serve = (port: number, answer: string): string =>
    `Bun.listen({ hostname: "127.0.0.1", port: ${port}, socket: { open(s) { s.end(${JSON.stringify(answer)}); }, data() {} } });`;
  const source = [
    serve(7001, "x".repeat(64)),
    serve(7002, ""),
    serve(7003, "y".repeat(500)),
    'console.log("up");',
  ].join("\n");
  const server = pod.spawn([process.execPath, "-e", source]);
  await server.waitForOutput("up", 20_000);
  const rows: { connect: string; listen?: string; want: string }[] = [
    { connect: "127.0.0.1:7001", want: "another server answered" },
    { connect: "127.0.0.1:7002", want: "closed without an answer" },
    { connect: "127.0.0.1:7003", want: "another server answered" },
    { connect: "127.0.0.1:7009", want: "ECONNREFUSED" },
    { connect: "127.0.0.1:4140", listen: "127.0.0.1:7001", want: "EADDRINUSE" },
  ];
  for (const { connect, listen = "0.0.0.0:4140", want } of rows) {
    const result = await bowline(pod, "network-validator", "--connect-addr", connect, "--listen-addr", listen);
    expect(result.code).toBe(95);
    expect(result.stdout).toContain(want);
  }
  const itself = await bowline(pod, "network-validator", "--connect-addr", "127.0.0.1:4140");
  expect(itself.code).toBe(0);
});

describe("signals end it with 95", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(signal, async () => {
      await using pods = await twoPods();
      const pod = pods.client.namespace;
      const listening = ["sh", "-c", "ss -Hltn 'sport = :4140' | grep -q ."];
      const running = pod.spawn([...BOWLINE, "network-validator", "--timeout", "60s", "--log-format", "json"]);
      while ((await pod.exec(listening)).code !== 0) expect(running.result()).toBeNull();
      running.kill(signal);
      const result = await running.exited;
      expect(result.code).toBe(95);
      expect(JSON.parse(result.stdout)).toMatchObject({ level: "error", msg: expect.stringContaining(signal) });
    });
  }
});

describe("mistakes are errors, not verdicts", () => {
  const rows: { args: string[]; env?: Record<string, string>; want: string }[] = [
    { args: ["--timeout", "10"], want: '--timeout "10" is not valid' },
    { args: ["--timeout", "25d"], want: '--timeout "25d" is not valid' },
    { args: ["--listen-addr", "4140"], want: '--listen-addr "4140" is not valid' },
    { args: ["--connect-addr", "fd00::1:20001"], want: '--connect-addr "fd00::1:20001" is not valid' },
    { args: ["--connect-addr", "example.com:80"], want: '--connect-addr "example.com:80" is not valid' },
    { args: ["--log-format", "xml"], want: '--log-format "xml" is not valid' },
    { args: [], env: { LINKERD_NETWORK_VALIDATOR_LOG_LEVEL: "loud" }, want: '--log-level "loud" is not valid' },
  ];
  for (const { args, env = {}, want } of rows) {
    test(want, async () => {
      const result = await runCommand([...BOWLINE, "network-validator", ...args], { env });
      expect(result.code).toBe(1);
      expect(result.stderr).toContain(want);
    });
  }
});
