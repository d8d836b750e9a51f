import { describe, expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";

const MAIN = `${import.meta.dir}/main.ts`;

function run(args: readonly string[], env: Record<string, string>): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  const command = [process.execPath, "run", MAIN, ...args];
  return Bun.spawn(command, {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

describe("the image's entry point", () => {
  test("runs a program until SIGTERM, and ends well", async () => {
    const program = run(["voting"], { GRPC_PORT: "0", PROM_PORT: "0", FAILURE_RATE: "0.5" });
    try {
      const reader = program.stdout.getReader();
      const { value } = await reader.read();
      const greeting = new TextDecoder().decode(value);
      const port = /^voting: gRPC on \d+, metrics on (\d+), 50% of doughnuts fail\n$/.exec(greeting)?.[1];
      await waitFor(async () => (await fetch(`http://127.0.0.1:${port}/ready`)).ok, { what: "readiness" });
      program.kill("SIGTERM");
      expect(await program.exited).toBe(0);
    } finally {
      program.kill("SIGKILL");
    }
  });

  test("ends by itself when its time is over", async () => {
    const program = run(["vote-bot"], { WEB_HOST: "127.0.0.1:1", REQUEST_RATE: "50", TTL: "100ms" });
    expect(await program.exited).toBe(0);
    const log = await new Response(program.stdout).text();
    expect(log).toStartWith("vote-bot: 50 votes per second at 127.0.0.1:1\nno vote: ");
  });

  const wrong: [string[], Record<string, string>, string][] = [
    [[], {}, "usage: web | emoji | voting | vote-bot\n"],
    [["doughnut"], {}, "usage: web | emoji | voting | vote-bot\n"],
    [["web"], {}, "EMOJISVC_HOST= is no host:port\n"],
    [["voting"], { FAILURE_RATE: "2" }, "FAILURE_RATE=2 is more than 1\n"],
  ];
  test.each(wrong)("refuses %j with %j", async (args, env, message) => {
    const program = run(args, env);
    expect(await program.exited).toBe(2);
    expect(await new Response(program.stderr).text()).toBe(message);
  });
});
