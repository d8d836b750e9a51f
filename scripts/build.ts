import { existsSync, statSync } from "node:fs";
import { relative, resolve } from "node:path";

/**
 * Builds the one executable, dist/bowline or the path given. A worker is an entry point of its own; as `root` is the repository, code inside the
 * executable starts it by its path from there: `new Worker("./packages/proxy/src/data/worker.ts")`.
 */
const ENTRY_POINTS = ["packages/cli/src/main.ts", "packages/proxy/src/data/worker.ts"];
const output = resolve(process.argv[2] ?? `${import.meta.dir}/../dist/bowline`);

process.chdir(`${import.meta.dir}/..`);
const result = await Bun.build({
  entrypoints: ENTRY_POINTS.filter((path) => existsSync(path)),
  root: ".",
  target: "bun",
  // Each subcommand in a chunk of its own, loaded when it is called for.
  splitting: true,
  define: { BOWLINE_BUILD: JSON.stringify({ date: new Date().toISOString(), gitSha: gitSha() }) },
  // Names stay, for stack traces.
  minify: { whitespace: true, syntax: true },
  compile: {
    outfile: output,
    // The executable reads nothing of the directory it happens to be started in.
    autoloadDotenv: false,
    autoloadBunfig: false,
    autoloadTsconfig: false,
    autoloadPackageJson: false,
  },
});
for (const log of result.logs) process.stderr.write(`${log.message}\n`);
if (!result.success) process.exit(1);
process.stdout.write(`built ${relative(".", output)}, ${Math.round(statSync(output).size / 1e6)} MB\n`);

/** The commit that is built; empty outside a git checkout. */
function gitSha(): string {
  const git = Bun.spawnSync(["git", "rev-parse", "--short=12", "HEAD"], { stderr: "ignore" });
  return git.success ? git.stdout.toString().trim() : "";
}
