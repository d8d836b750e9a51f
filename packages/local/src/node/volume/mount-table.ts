import { readFileSync } from "node:fs";

/** Mount points of this process's namespace, in the order of mounting. */
export function mountPoints(mountinfo: string = readFileSync("/proc/self/mountinfo", "utf8")): string[] {
  return mountinfo.split("\n").flatMap((line) => {
    const path = line.split(" ")[4];
    return path === undefined ? [] : [unescapePath(path)];
  });
}

export function isMounted(path: string): boolean {
  return mountPoints().includes(path);
}

/** @throws with what mount(8) says */
export function mountTmpfs(path: string, sizeBytes: number | undefined): void {
  const size = sizeBytes === undefined ? [] : ["-o", `size=${Math.ceil(sizeBytes)}`];
  runMount(["mount", "-t", "tmpfs", ...size, "tmpfs", path]);
}

/** Takes away every mount below `directory`, the innermost first. */
export function unmountBelow(directory: string): void {
  const below = mountPoints().filter((path) => path.startsWith(`${directory}/`));
  for (const path of below.reverse()) runMount(["umount", "-l", path]);
}

/** The kernel writes blanks and backslashes of paths as octal numbers. */
export function unescapePath(path: string): string {
  return path.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function runMount(words: string[]): void {
  const { success, stderr } = Bun.spawnSync(words, { stdout: "ignore", stderr: "pipe" });
  if (!success) throw new Error(stderr.toString().trim());
}
