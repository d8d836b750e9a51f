import { expect, test } from "bun:test";

test("raiseOpenFilesLimit raises the soft limit to the hard one, once and for all", () => {
  // In a process of its own, whose soft limit it first lowers: the runtime has raised it at start.
  const script = `
    import { readFileSync } from "node:fs";
    import { addressOf, libc } from "./libc.ts";
    import { raiseOpenFilesLimit } from "./limits.ts";
    const soft = () => Number(/Max open files\\s+(\\d+)/.exec(readFileSync("/proc/self/limits", "utf8"))[1]);
    libc.setrlimit(7, addressOf(new BigUint64Array([100n, 300n])));
    process.stdout.write(JSON.stringify([soft(), raiseOpenFilesLimit(), soft(), raiseOpenFilesLimit()]));`;
  const child = Bun.spawnSync([process.execPath, "-e", script], { cwd: import.meta.dir });
  expect(child.stdout.toString()).toBe("[100,300,300,300]");
});
