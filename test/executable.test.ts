import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VERSION } from "@bowline/contracts";
import { type CommandResult, mustRun, runCommand } from "@bowline/testkit";

const NO_VARIABLES = Object.fromEntries(
  Object.keys(process.env).flatMap((name) => (name.startsWith("LINKERD2_PROXY_") ? [[name, undefined]] : [])),
);

let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "bowline-executable-"));
  await mustRun([process.execPath, `${import.meta.dir}/../scripts/build.ts`, join(directory, "bowline")]);
}, 60_000);

afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** Away from the sources, so that only what is inside the executable can be found. */
function run(name: string, ...args: string[]): Promise<CommandResult> {
  return runCommand([join(directory, name), ...args], { cwd: directory });
}

test("without arguments, and for help, it lists its commands", async () => {
  for (const args of [[], ["help"], ["--help"]]) {
    const result = await run("bowline", ...args);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toContain("  proxy-init  ");
  }
});

test("the version", async () => {
  expect(await run("bowline", "--version")).toMatchObject({ code: 0, stdout: `bowline ${VERSION}\n` });
  expect(await run("bowline", "version", "--client", "--short")).toMatchObject({ code: 0, stdout: `${VERSION}\n` });
});

test("an unknown command is named", async () => {
  const result = await run("bowline", "prxy");
  expect(result).toMatchObject({ code: 1, stdout: "" });
  expect(result.stderr).toStartWith("error: unknown command 'prxy'\n(Did you mean proxy?)\n");
});

test("commands load their code from inside the executable", async () => {
  const simulated = await run("bowline", "proxy-init", "-p", "4143", "-o", "4140", "--simulate", "--ipv6=false");
  expect(simulated.code).toBe(0);
  expect(simulated.stdout).toContain("-j REDIRECT --to-ports 4143\n");
  expect((await run("bowline", "network-validator", "--help")).stdout).toStartWith("Usage: network-validator");
});

test("the proxy reads no arguments: without its variables it says so and exits with 64", async () => {
  symlinkSync("bowline", join(directory, "linkerd2-proxy"));
  for (const argv of [
    ["bowline", "proxy", "--help"],
    ["linkerd2-proxy", "--help"],
  ] as const) {
    const result = await runCommand([join(directory, argv[0]), ...argv.slice(1)], {
      cwd: directory,
      env: NO_VARIABLES,
    });
    expect(result.code).toBe(64);
    expect(result.stderr).toContain("configuration error: InvalidEnvVar");
  }
});

describe("called by one of Linkerd's names, it is that program", () => {
  const rows: { name: string; want: string }[] = [
    { name: "proxy-init", want: "Usage: proxy-init" },
    { name: "linkerd2-proxy-init", want: "Usage: proxy-init" },
    { name: "linkerd2-network-validator", want: "Usage: network-validator" },
  ];
  for (const { name, want } of rows) {
    test(name, async () => {
      symlinkSync("bowline", join(directory, name));
      expect((await run(name, "--help")).stdout).toStartWith(want);
    });
  }
});
