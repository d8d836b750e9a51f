import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { ROOT, readTracked, trackedFiles } from "./tracked-files.ts";

interface Template {
  readonly path: string;
  /** The folder, from the template's, that holds what is generated and nothing else. */
  readonly out: string;
}

const templates: Template[] = trackedFiles()
  .filter((path) => /(^|\/)buf\.gen(\.[a-z]+)?\.yaml$/.test(path))
  .map((path) => ({ path, out: /^ +out: (\S+)$/m.exec(readTracked(path))?.[1] ?? "" }));

test("there is something to generate", () => {
  expect(templates).toContainEqual({ path: "packages/contracts/buf.gen.yaml", out: "src/gen" });
});

test.each(templates)(
  "generating by $path anew changes nothing",
  ({ path, out }) => {
    const home = posix.dirname(path);
    const scratch = mkdtempSync(join(tmpdir(), "bowline-generate-"));
    try {
      const command = [`${ROOT}/node_modules/.bin/buf`, "generate", "--template", posix.basename(path), "-o", scratch];
      const { exitCode, stderr } = Bun.spawnSync(command, {
        cwd: `${ROOT}/${home}`,
        env: { ...process.env, BUF_CACHE_DIR: join(scratch, "cache") },
      });
      expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: "" });
      const generated = contentsOf(join(scratch, out));
      const committed = contentsOf(join(ROOT, home, out));
      const names = new Set([...generated.keys(), ...committed.keys()]);
      const stale = [...names].filter((name) => generated.get(name) !== committed.get(name));
      expect(stale.map((name) => `${home}/${out}/${name}: run npm run generate -w ${home}`)).toEqual([]);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  },
  60_000,
);

function contentsOf(folder: string): Map<string, string> {
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}
