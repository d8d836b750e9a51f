import { afterEach, beforeEach, describe, expect, setSystemTime, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Pod } from "@bowline/kube";
import fc from "fast-check";
import { AtomicDirectory } from "./atomic-directory.ts";
import { mountPoints, unescapePath } from "./mount-table.ts";
import {
  configMapPayload,
  MountFailure,
  type Payload,
  type PayloadSources,
  projectedPayload,
  secretPayload,
} from "./payload.ts";
import { TokenCache } from "./token-cache.ts";

const POD: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "shop" },
  spec: { containers: [] },
};

const SOURCES: PayloadSources = {
  pod: POD,
  place: { nodeName: "bowline", hostIps: [], podIps: ["10.244.0.7"], capacity: { cpus: 1, memoryBytes: 1 } },
  configMap: (name) =>
    name === "cm"
      ? ({
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name },
          data: { a: "1", b: "2" },
          binaryData: { bin: "AAH/" },
        } as never)
      : undefined,
  secret: (name) =>
    name === "s"
      ? ({ apiVersion: "v1", kind: "Secret", metadata: { name }, data: { k: btoa("hush") } } as never)
      : undefined,
  token: ({ audience, expirationSeconds }) => Promise.resolve(`${audience} ${expirationSeconds}`),
};

const text = (payload: Payload) =>
  Object.fromEntries(
    Array.from(payload, ([path, { bytes, mode }]) => [
      path,
      `${Buffer.from(bytes).toString("latin1")} ${mode.toString(8)}`,
    ]),
  );

describe("payloads", () => {
  test("every key, or the items under their paths and modes", () => {
    expect(text(configMapPayload("cm", {}, 0o644, SOURCES))).toEqual({ a: "1 644", b: "2 644", bin: "\0\x01\xff 644" });
    const items = [
      { key: "b", path: "x/y" },
      { key: "a", path: "z", mode: 0o400 },
    ];
    expect(text(configMapPayload("cm", { items }, 0o600, SOURCES))).toEqual({ "x/y": "2 600", z: "1 400" });
    expect(text(secretPayload("s", {}, 0o644, SOURCES))).toEqual({ k: "hush 644" });
  });

  test("what is absent is said, unless it is optional", () => {
    expect(() => configMapPayload("none", {}, 0, SOURCES)).toThrow(new MountFailure('configmap "none" not found'));
    expect(() => secretPayload("none", {}, 0, SOURCES)).toThrow(new MountFailure('secret "none" not found'));
    const items = [{ key: "none", path: "p" }];
    expect(() => configMapPayload("cm", { items }, 0, SOURCES)).toThrow(
      "references non-existent configmap key: none of shop/cm",
    );
    expect(configMapPayload("none", { optional: true }, 0, SOURCES).size).toBe(0);
    expect(configMapPayload("cm", { items, optional: true }, 0, SOURCES).size).toBe(0);
  });

  test("projections in order", async () => {
    const projections = [
      { configMap: { name: "cm" } },
      { secret: { name: "s", items: [{ key: "k", path: "a" }] } },
      { serviceAccountToken: { path: "token", audience: "me" } },
      { downwardAPI: { items: [{ path: "ns", fieldRef: { fieldPath: "metadata.namespace" }, mode: 0o444 }] } },
    ];
    const got = text(await projectedPayload(projections, 0o644, SOURCES));
    expect(got).toMatchObject({ a: "hush 644", b: "2 644", token: "me 3600 644", ns: "shop 444" });
  });
});

describe("AtomicDirectory", () => {
  let path: string;

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), "bowline-volume-"));
  });

  afterEach(() => {
    rmSync(path, { recursive: true, force: true });
  });

  const payload = (files: Record<string, string>): Payload =>
    new Map(Object.entries(files).map(([name, content]) => [name, { bytes: Buffer.from(content), mode: 0o640 }]));

  test("files are links to links, and change together", async () => {
    const directory = new AtomicDirectory(path, undefined);
    expect(await directory.write(payload({ a: "1", "deep/er": "2" }))).toBe(true);
    expect(readlinkSync(join(path, "a"))).toBe("..data/a");
    const first = readlinkSync(join(path, "..data"));
    expect(readFileSync(join(path, "deep/er"), "utf8")).toBe("2");
    expect((statSync(join(path, "a")).mode & 0o777).toString(8)).toBe("640");
    expect(await directory.write(payload({ a: "1", "deep/er": "2" }))).toBe(false);
    expect(readlinkSync(join(path, "..data"))).toBe(first);
    expect(await directory.write(payload({ a: "3" }))).toBe(true);
    const names = readdirSync(path).toSorted();
    expect(names).toHaveLength(3);
    expect(names).not.toContain(first);
    expect(readFileSync(join(path, "a"), "utf8")).toBe("3");
  });

  test("any sequence of contents ends with the last one", async () => {
    const names = fc.constantFrom("a", "b", "c/d", "c/e", "f.g");
    const contents = fc.array(fc.dictionary(names, fc.string({ maxLength: 5 })), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(contents, async (versions) => {
        const root = mkdtempSync(join(path, "v-"));
        // A later daemon finds what an earlier one has written.
        for (const version of versions) await new AtomicDirectory(root, undefined).write(payload(version));
        const last = versions.at(-1) ?? {};
        const shown = readdirSync(root).filter((name) => !name.startsWith(".."));
        expect(new Set(shown)).toEqual(new Set(Object.keys(last).map((name) => name.split("/")[0] ?? "")));
        for (const [name, content] of Object.entries(last))
          expect(readFileSync(join(root, name), "utf8")).toBe(content);
      }),
      { numRuns: 20 },
    );
  });

  test("nothing is written outside", async () => {
    const directory = new AtomicDirectory(join(path, "inner"), undefined);
    for (const name of ["../out", "/etc/out", "a/../../out"]) {
      expect(directory.write(payload({ [name]: "x" }))).rejects.toThrow("invalid path");
    }
    expect(readdirSync(path)).not.toContain("out");
  });
});

test("tokens are kept for four fifths of their life", async () => {
  let made = 0;
  const cache = new TokenCache(() => Promise.resolve(`token ${++made}`));
  const request = { audience: undefined, expirationSeconds: 1000 };
  const start = Date.UTC(2030, 0, 1);
  try {
    setSystemTime(start);
    expect(await cache.get(request)).toBe("token 1");
    expect(await cache.get({ ...request, audience: "me" })).toBe("token 2");
    expect(cache.refreshAtMs).toBe(start + 800_000);
    setSystemTime(start + 799_000);
    expect(await cache.get(request)).toBe("token 1");
    setSystemTime(start + 800_000);
    expect(await cache.get(request)).toBe("token 3");
  } finally {
    setSystemTime();
  }
});

test("mount points are read as the kernel writes them", () => {
  const line = (path: string) => `36 35 98:0 / ${path} rw - ext4 /dev/x rw`;
  expect(mountPoints([line("/"), line("/a\\040b\\134c"), ""].join("\n"))).toEqual(["/", "/a b\\c"]);
  expect(unescapePath("/plain")).toBe("/plain");
});
