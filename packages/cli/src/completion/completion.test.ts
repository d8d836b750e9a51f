import { expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "@bowline/testkit";
import type { Io } from "../io.ts";
import { runProgram } from "../program.ts";

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const io: Io = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: {},
    stdin: () => Promise.resolve(""),
  };
  return { code: await runProgram(args, io), out, err };
}

const ROWS: readonly [typed: readonly string[], found: readonly string[]][] = [
  [["loc"], ["local"]],
  [
    ["local", ""],
    ["down", "help", "kubeconfig", "status", "up"],
  ],
  [["local", "u"], ["up"]],
  [
    ["local", "up", "--co"],
    ["--config", "--context"],
  ],
  [["--kubeconfig", "local", "st"], ["stat"]],
  [["local", "up", "--name", ""], []],
  [["local", "nonsense", "x"], []],
];

test.each(ROWS)("%j is completed", async (typed, found) => {
  const { out } = await run("__complete", "--", ...typed);
  const words = out.split("\n").slice(0, -1);
  expect(words).toEqual([...found]);
});

test("programs of pods are not offered", async () => {
  const { out } = await run("__complete", "--", "");
  expect(out).toContain("stat\n");
  expect(out).not.toMatch(/^(metrics-api|daemon|__complete)$/m);
});

test("bash completes with the script", async () => {
  const dir = mkdtempSync(join(tmpdir(), "bowline-completion-"));
  try {
    const main = new URL("../main.ts", import.meta.url).pathname;
    writeFileSync(join(dir, "bowline"), `#!/bin/sh\nexec ${process.execPath} ${main} "$@"\n`);
    chmodSync(join(dir, "bowline"), 0o755);
    const { out } = await run("completion", "bash");
    const script = `${out}\nCOMP_WORDS=(bowline local u); COMP_CWORD=2; _bowline; echo "\${COMPREPLY[@]}"\n`;
    const result = await runCommand(["bash", "-c", script], { env: { PATH: `${dir}:${process.env["PATH"]}` } });
    expect(result).toMatchObject({ code: 0, stdout: "up\n", stderr: "" });
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("an unknown shell is refused with those there are", async () => {
  expect(await run("completion", "tcsh")).toMatchObject({ code: 1, err: expect.stringContaining("bash, zsh, fish") });
});
