import { expect, test } from "bun:test";
import { posix } from "node:path";
import { readTracked, trackedFiles } from "./tracked-files.ts";

/**
 * Who may import whom, as ARCHITECTURE.md draws it. A new package needs a row here; a new arrow needs a reason there.
 * `all` is for the command line, which is nothing but the other packages put together.
 */
const ARROWS: Readonly<Record<string, readonly string[] | "all">> = {
  wire: [],
  model: [],
  metrics: [],
  contracts: [],
  sys: [],
  loop: ["sys"],
  grpc: ["wire", "contracts"],
  proxy: ["loop", "wire", "model", "metrics", "contracts", "grpc"],
  "proxy-init": ["contracts"],
  kube: ["contracts"],
  "control-plane": ["kube", "model", "metrics", "contracts", "grpc"],
  // The admin server is the control plane's.
  viz: ["kube", "metrics", "contracts", "grpc", "control-plane"],
  web: ["model"],
  local: ["kube", "contracts", "sys"],
  cli: "all",
  // The sample application knows nothing of the mesh; what sets it up uses the testkit's namespaces and reads metrics.
  demo: ["testkit", "metrics"],
  // Its scripted control plane speaks Linkerd's API, for which it needs the messages.
  testkit: ["sys", "loop", "wire", "contracts"],
};

/** Pure packages: they test in microseconds, fuzz well and run in a browser. */
const RUNTIME_NEUTRAL: readonly string[] = ["wire", "model", "metrics", "contracts"];

const IS_FOR_TESTS = /\.test\.ts$|\/testing\//;

interface Import {
  readonly file: string;
  readonly line: number;
  readonly specifier: string;
}

const SPECIFIER = /(?:\bfrom\s+|\bimport\s*\(\s*|\bimport\s+|\brequire\s*\(\s*)"([^"]+)"/g;

// This file quotes what it forbids.
const imports: Import[] = trackedFiles()
  .filter((path) => /^(packages|bench|test)\/.*\.ts$/.test(path) && !path.startsWith("test/tidy/"))
  .flatMap((file) => importsOf(file, readTracked(file)));

test("every package has a row in the table of arrows", () => {
  const packages = new Set(trackedFiles().flatMap((path) => /^packages\/([^/]+)\//.exec(path)?.[1] ?? []));
  expect([...packages].filter((name) => !Object.hasOwn(ARROWS, name))).toEqual([]);
});

test("imports between packages follow the arrows", () => {
  expect(imports.flatMap(againstArrows)).toEqual([]);
});

test("packages are imported by name, not by a path into their sources", () => {
  expect(imports.flatMap(outOfPackage)).toEqual([]);
});

test("pure packages use neither node: nor bun:, and bun:ffi stays in sys", () => {
  expect(imports.flatMap(againstRuntime)).toEqual([]);
});

test("the sample application imports nothing of ours", () => {
  const app = imports.filter(({ file }) => file.startsWith("packages/demo/src/app/"));
  expect(app.length).toBeGreaterThan(0);
  const ours = app.filter(({ specifier }) => !specifier.startsWith("node:"));
  expect(
    ours.map(({ file, line, specifier }) => `${file}:${line} imports ${specifier}: it must not know of a mesh`),
  ).toEqual([]);
});

test("the checks find what they look for", () => {
  const sample = importsOf(
    "packages/wire/src/sample.ts",
    'import { a } from "node:fs";\nimport type {\n  B,\n} from "@bowline/sys";\nawait import("bun:ffi");\nexport * from "../../loop/src/x.ts";',
  );
  expect(sample.map(({ line, specifier }) => `${line} ${specifier}`)).toEqual([
    "1 node:fs",
    "4 @bowline/sys",
    "5 bun:ffi",
    "6 ../../loop/src/x.ts",
  ]);
  expect(sample.flatMap(againstArrows)).toHaveLength(1);
  expect(sample.flatMap(outOfPackage)).toHaveLength(1);
  expect(sample.flatMap(againstRuntime)).toHaveLength(3);
});

function importsOf(file: string, source: string): Import[] {
  return [...source.matchAll(SPECIFIER)].map((match) => {
    const at = match.index + match[0].length;
    return { file, line: source.slice(0, at).split("\n").length, specifier: match[1] ?? "" };
  });
}

function againstArrows({ file, line, specifier }: Import): string[] {
  const from = packageOf(file);
  const to = /^@bowline\/([^/]+)/.exec(specifier)?.[1];
  if (from === null || to === undefined || to === from) return [];
  const allowed = ARROWS[from] ?? [];
  if (allowed === "all" || allowed.includes(to) || (to === "testkit" && IS_FOR_TESTS.test(file))) return [];
  const advice =
    to === "testkit"
      ? "the testkit is for *.test.ts files and what lies in testing/; move what the product needs out of it"
      : `move the shared part to a package below both, or pass it in; ${from} may import ${allowed.join(", ") || "nothing"}`;
  return [`${file}:${line} imports ${specifier}: ${advice}`];
}

function outOfPackage({ file, line, specifier }: Import): string[] {
  const home = packageOf(file);
  if (home === null || !specifier.startsWith(".")) return [];
  const target = posix.join(posix.dirname(file), specifier);
  if (target.startsWith(`packages/${home}/`)) return [];
  return [
    `${file}:${line} imports ${specifier}: import @bowline/NAME instead, exported in that package's src/index.ts`,
  ];
}

function againstRuntime({ file, line, specifier }: Import): string[] {
  const home = packageOf(file);
  const failures: string[] = [];
  if (specifier === "bun:ffi" && home !== "sys") {
    failures.push(`${file}:${line} imports bun:ffi: wrap the call in packages/sys and import that`);
  }
  const runtime = /^(node|bun):/.test(specifier) || specifier === "bun";
  if (home !== null && RUNTIME_NEUTRAL.includes(home) && runtime && !file.endsWith(".test.ts")) {
    failures.push(`${file}:${line} imports ${specifier}: ${home} is pure; let the caller pass in what it needs`);
  }
  return failures;
}

function packageOf(file: string): string | null {
  return /^packages\/([^/]+)\//.exec(file)?.[1] ?? null;
}
