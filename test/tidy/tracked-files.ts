import { existsSync, readFileSync } from "node:fs";

export const ROOT: string = `${import.meta.dir}/../..`;

/** Paths of the files git knows, from the repository's root; those deleted but not yet committed are left out. */
export function trackedFiles(): string[] {
  const { stdout, exitCode } = Bun.spawnSync(["git", "ls-files", "-z"], { cwd: ROOT });
  if (exitCode !== 0) throw new Error("git ls-files failed: the tidy tests need a git checkout");
  return stdout
    .toString()
    .split("\0")
    .filter((path) => path !== "" && existsSync(`${ROOT}/${path}`));
}

export function readTracked(path: string): string {
  return readFileSync(`${ROOT}/${path}`, "utf8");
}
