import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand, spawnProcess } from "@bowline/testkit";
import type { Command } from "commander";
import { runCli } from "./inject/testing/run-cli.ts";
import { buildProgram } from "./program.ts";

const MAIN = new URL("./main.ts", import.meta.url).pathname;
const BOWLINE = [process.execPath, MAIN];

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "bowline-program-"));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

function script(name: string, body: string): void {
  writeFileSync(join(dir, name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(dir, name), 0o755);
}

/** Every command that there is, hidden ones too. */
function commandsOf(program: Command): Command[] {
  return program.commands.flatMap((command) => [command, ...commandsOf(command)]);
}

function wordsOf(command: Command): string[] {
  return command.parent === null ? [] : [...wordsOf(command.parent), command.name()];
}

describe("help", () => {
  const program = buildProgram({ out: () => undefined, err: () => undefined, env: {}, stdin: async () => "" });
  const rows = commandsOf(program).map((command) => [wordsOf(command).join(" "), command] as const);

  test.each(rows)("%s says what it is and what its flags are", (_name, command) => {
    if (command.name() !== "__complete") expect(command.description()).not.toBe("");
    for (const { flags, description } of command.options) expect([flags, description]).not.toEqual([flags, ""]);
    expect(command.helpInformation()).toStartWith(`Usage: bowline ${wordsOf(command).join(" ")}`);
  });

  test("is what the bare name prints", async () => {
    const { exitCode, out } = await runCli([]);
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: program.helpInformation() });
    expect(out).not.toContain("metrics-api");
  });
});

const WRONG: readonly [args: readonly string[], err: RegExp][] = [
  [["foo"], /^error: unknown command 'foo'\n/],
  [["instal"], /^error: unknown command 'instal'\n\(Did you mean install\?\)\n/],
  [["../foo"], /^error: unknown command '..\/foo'\n/],
  [["local", "foo"], /^error: unknown command 'foo'\n/],
  [["stat"], /^error: missing required argument 'resource'\n/],
  [["stat", "deploy", "--nope"], /^error: unknown option '--nope'\n/],
  [["stat", "deploy", "-t"], /^error: option '-t, --time-window <duration>' argument missing\n/],
  [["stat", "deploy", "-n", "x", "-t", "soon"], /^Error: -t soon: not a duration such as 30s or 5m\n$/],
  [["stat", "deploy", "-n", "x", "-o", "yaml"], /^Error: -o yaml: the formats are table, wide and json\n$/],
  [["stat", "nonsense", "-n", "x"], /^Error: cannot show stats of "nonsense"; known are all, daemonset, /],
  [["stat", "deploy/a/b", "-n", "x"], /^Error: "deploy\/a\/b" is not a resource: write KIND or KIND\/NAME\n$/],
  [["stat", "deploy", "-n", "x", "--to", "all"], /^Error: --to all: name one resource\n$/],
  [["stat", "deploy"], /^Error: no Kubernetes configuration: /],
  [["--as-group", "g", "stat", "deploy"], /^Error: --as-group needs --as\n$/],
  [["local", "up", "--name", "Bad Name"], /^Error: --name "Bad Name": a cluster's name is 1 to 40 lower case/],
  [["local", "up", "--api-port", "70000"], /^Error: --api-port 70000: not a port\n$/],
  [["local", "up", "extra"], /^error: too many arguments for 'up'/],
  [["local", "status", "-o", "yaml"], /^Error: -o yaml: the formats are text and json\n$/],
  [["metrics-api", "--addr", "nowhere"], /^Error: --addr nowhere: not host:port\n$/],
  [["metrics-api", "--log-level", "loud"], /^Error: --log-level loud: error, warn, info or debug\n$/],
  [["metrics-api", "--log-format", "xml"], /^Error: --log-format xml: plain or json\n$/],
  [
    ["metrics-api", "--prometheus-url", "prometheus:9090"],
    /^Error: --prometheus-url prometheus:9090: not a URL such as /,
  ],
];

test.each(WRONG)("%j is refused with exit code 1", async (args, err) => {
  const result = await runCli(args, { env: { HOME: dir } });
  expect(result).toEqual({ exitCode: 1, out: "", err: expect.stringMatching(err) });
});

describe("an unknown command", () => {
  const typed = (...args: string[]): ReturnType<typeof runCommand> =>
    runCommand([...BOWLINE, ...args], { env: { PATH: `${dir}:${process.env["PATH"]}` }, input: "typed" });

  test("is a program bowline-NAME or linkerd-NAME of PATH, which gets what follows", async () => {
    script("bowline-one", 'echo "ours $*"; cat; exit 3');
    script("linkerd-one", "echo theirs");
    script("linkerd-two", 'echo "theirs $*"; echo oops >&2');
    expect(await typed("one", "-n", "x", "--help")).toMatchObject({ code: 3, stdout: "ours -n x --help\ntyped" });
    expect(await typed("two")).toMatchObject({ code: 0, stdout: "theirs \n", stderr: "oops\n" });
  });

  test("with flags before it is an error", async () => {
    script("bowline-one", "echo ours");
    expect(await typed("--verbose", "one")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^error: unknown command 'one'/),
    });
  });

  test("never hides one of our own", async () => {
    script("bowline-version", "echo no");
    expect(await typed("version", "--client", "--short")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d/),
    });
  });

  test("is told of SIGTERM, and the signal that ends it is seen in the exit code", async () => {
    script(
      "bowline-wait",
      "trap 'echo bye; trap - TERM; kill -TERM $$' TERM; echo waiting; while :; do sleep 0.05; done",
    );
    const running = spawnProcess([...BOWLINE, "wait"], { env: { PATH: `${dir}:${process.env["PATH"]}` } });
    await running.waitForOutput("waiting");
    expect(await running.stop()).toMatchObject({ code: 143, stdout: "waiting\nbye\n" });
  });

  test("that can't be run says so", async () => {
    writeFileSync(join(dir, "bowline-broken"), "#!/nowhere/at/all\n");
    chmodSync(join(dir, "bowline-broken"), 0o755);
    expect(await typed("broken")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Error: cannot run .*bowline-broken: /),
    });
  });
});

describe("output", () => {
  const shell = (line: string): ReturnType<typeof runCommand> =>
    runCommand(["bash", "-c", line, "bash", ...BOWLINE], { env: { HOME: dir } });

  test("to a reader that has enough ends the program in silence", async () => {
    const result = await shell('set -o pipefail; "$@" install --crds --ignore-cluster | head -n 1');
    expect(result).toMatchObject({ code: 141, stdout: "---\n", stderr: "" });
  });

  test("to a slow reader is complete", async () => {
    const whole = await shell('"$@" install --crds --ignore-cluster');
    const slow = await shell('"$@" install --crds --ignore-cluster | (sleep 0.3; cat)');
    expect(whole.stdout.length).toBeGreaterThan(100_000);
    expect(slow.stdout).toBe(whole.stdout);
  });

  test("to a full disk fails with the reason", async () => {
    expect(await shell('"$@" install --crds --ignore-cluster >/dev/full')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Error: writing the output: ENOSPC/),
    });
  });
});
