import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "@bowline/contracts";
import { runCli } from "./testing/run-cli.ts";

// Each input with what comes out of it: NAME.in, NAME.out (stdout) and NAME.err (stderr).
// After a change that is meant: UPDATE_GOLDEN=1 node_modules/.bin/bun test packages/cli/src/inject/golden.test.ts

const TESTDATA = join(import.meta.dir, "testdata");
const UPDATE = process.env["UPDATE_GOLDEN"] === "1";
const MANUAL = ["--manual", "--ignore-cluster"];

/** What `inject` is called with, where that is not just the file. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  deployment: MANUAL,
  "deployment-flags": words(`
    --proxy-image example/proxy --proxy-version v9 --image-pull-policy Never
    --inbound-port 5143 --outbound-port 5140 --control-port 5190 --admin-port 5191
    --skip-inbound-ports 22 --skip-outbound-ports 25,26-28 --skip-subnets 10.0.0.0/8
    --opaque-ports 3306,mysql --proxy-uid 7 --proxy-gid 8 --proxy-log-level debug
    --proxy-log-format json --access-log apache --proxy-cpu-request 1 --proxy-cpu-limit 2
    --proxy-memory-request 1Mi --proxy-memory-limit 2Mi --enable-external-profiles
    --default-inbound-policy deny --require-identity-on-inbound-ports 80 --native-sidecar
    --wait-before-exit-seconds 3 --shutdown-grace-period 9s --close-wait-timeout 1m --enable-debug-sidecar`),
  "deployment-manual-flags": words(`
    --manual --ignore-cluster --proxy-version v9 --registry example/mesh/ --opaque-ports 3306,http
    --proxy-cpu-limit 2 --native-sidecar=false --enable-debug-sidecar --ingress`),
  "ingress-flag": ["--ingress"],
  statefulset: [...MANUAL, "--native-sidecar=false"],
  replicationcontroller: MANUAL,
  job: MANUAL,
  cronjob: MANUAL,
  pod: MANUAL,
  "service-opaque": ["--opaque-ports", "3306,mysql"],
  "list-manual": MANUAL,
  "opaque-ports": MANUAL,
  "opaque-ports-none": MANUAL,
  "skip-ports": MANUAL,
  "native-sidecar-off": MANUAL,
  "native-sidecar-beta": MANUAL,
  "no-await": MANUAL,
  "native-no-await": MANUAL,
  "debug-sidecar": MANUAL,
  resources: MANUAL,
  "cpu-ratio": MANUAL,
  "additional-env": MANUAL,
  "many-annotations": MANUAL,
  "bad-annotations": MANUAL,
  capabilities: MANUAL,
  "service-account-mount": MANUAL,
  probes: MANUAL,
  "init-containers": MANUAL,
  "crlf-manual": MANUAL,
  "anchors-manual": MANUAL,
  "anchors-defined-in-pod": MANUAL,
  comments: MANUAL,
  "block-scalars": MANUAL,
  "no-newline-at-end": MANUAL,
  "json-manual": MANUAL,
  "json-compact": MANUAL,
  "output-json": ["-o", "json"],
  "control-plane-manual": MANUAL,
  "already-injected": [...MANUAL, "--proxy-version", "new"],
  "already-injected-native": [...MANUAL, "--proxy-version", "new", "--native-sidecar=false"],
  verbose: ["--verbose"],
  "other-namespace": words("-L mesh --manual --ignore-cluster"),
};

/** Inputs that `inject` refuses. */
const REFUSED: readonly string[] = [
  "host-network",
  "host-network-yes",
  "udp-host-network",
  "istio-sidecar",
  "bad-yaml",
  "bad-yaml-second",
  "tabs",
  "numeric-annotation",
  "wrong-shape",
  "two-errors",
  "control-plane",
];

/** Inputs that `uninject` does not bring back byte by byte, and why that is so. */
const NOT_INVERTIBLE: Readonly<Record<string, string>> = {
  "deployment-flags": "config.linkerd.io annotations stay",
  "deployment-manual-flags": "opaque ports and the debug sidecar stay annotated",
  "service-opaque": "config.linkerd.io annotations stay",
  "deployment-enabled": "the annotation was there before",
  "deployment-ingress": "the annotation was there before",
  "already-injected": "was injected before",
  "already-injected-native": "was injected before",
  "control-plane-manual": "metadata of the control plane stays",
  anchors: "aliases became copies",
  "anchors-manual": "aliases became copies",
  "anchors-defined-in-pod": "aliases became copies",
  comments: "an empty map was written out",
  json: "JSON is written anew where something goes",
  "output-json": "comes out as JSON",
};

const NAMES = readdirSync(TESTDATA)
  .filter((file) => file.endsWith(".in"))
  .map((file) => file.replace(/\.in$/, ""))
  .sort();

describe("bowline inject", () => {
  for (const name of NAMES) {
    test(name, async () => {
      const result = await inject(name);
      expect(result.exitCode).toBe(REFUSED.includes(name) ? 1 : 0);
      if (result.exitCode !== 0) expect(result.out).toBe("");
      compare(join(TESTDATA, `${name}.out`), withoutVersion(result.out));
      compare(join(TESTDATA, `${name}.err`), result.err.replaceAll(`${TESTDATA}/`, ""));
    });
  }

  test("tests every input that has an expected output", () => {
    const stray = readdirSync(TESTDATA).filter((file) => !NAMES.includes(file.replace(/\.[a-z]+$/, "")));
    expect(stray).toEqual([]);
    expect(NAMES.length).toBeGreaterThanOrEqual(40);
    for (const name of [...Object.keys(FLAGS), ...REFUSED, ...Object.keys(NOT_INVERTIBLE)])
      expect(NAMES).toContain(name);
  });
});

describe("bowline uninject takes away what inject added", () => {
  for (const name of NAMES.filter((name) => !REFUSED.includes(name) && NOT_INVERTIBLE[name] === undefined)) {
    test(name, async () => {
      const injected = await inject(name);
      const uninjected = await runCli(["uninject", "-"], { stdin: injected.out });
      expect(uninjected.exitCode).toBe(0);
      expect(uninjected.out).toBe(readFileSync(join(TESTDATA, `${name}.in`), "utf8"));
    });
  }
});

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

function inject(name: string): ReturnType<typeof runCli> {
  return runCli(["inject", ...(FLAGS[name] ?? []), join(TESTDATA, `${name}.in`)]);
}

function compare(file: string, text: string): void {
  if (UPDATE && text === "") rmSync(file, { force: true });
  else if (UPDATE) writeFileSync(file, text);
  expect(text).toBe(existsSync(file) ? readFileSync(file, "utf8") : "");
}

/** The golden files outlive releases. */
function withoutVersion(text: string): string {
  return text
    .replaceAll(`linkerd/cli ${VERSION}`, "linkerd/cli VERSION")
    .replaceAll(`linkerd.io/proxy-version: ${VERSION}`, "linkerd.io/proxy-version: VERSION")
    .replaceAll(`"linkerd.io/proxy-version": "${VERSION}"`, '"linkerd.io/proxy-version": "VERSION"')
    .replaceAll(`/proxy:${VERSION}`, "/proxy:VERSION")
    .replaceAll(`/debug:${VERSION}`, "/debug:VERSION");
}
