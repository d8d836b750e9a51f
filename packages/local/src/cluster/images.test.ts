import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mustRun } from "@bowline/testkit";
import type { ImageTable } from "../node/types.ts";
import { makeImageTable } from "./images.ts";

const OWN = { bowline: ["/opt/bowline"], demo: ["/opt/bowline", "demo-app"] };
let dir: string;
let table: ImageTable;

beforeAll(() => {
  dir = join(mkdtempSync(join(tmpdir(), "bowline-images-")), "images");
  table = makeImageTable(dir, OWN, [
    { image: "mine", command: ["/bin/mine"] },
    { image: "registry.local/*", command: ["/bin/any"] },
    { image: "pinned:1.2", command: ["/bin/pinned"] },
    { image: "a.b+c", command: ["/bin/dots"] },
    { image: "bowline/controller", command: ["/bin/own-controller"] },
  ]);
});
afterAll(() => {
  rmSync(join(dir, ".."), { recursive: true });
});

const PROXY = "/usr/lib/linkerd/linkerd2-proxy";
const ROWS: readonly [image: string, command: string | undefined][] = [
  ["mine", "/bin/mine"],
  ["mine:latest", "/bin/mine"],
  ["docker.io/library/mine:1", "/bin/mine"],
  [`mine@sha256:${"ab12".repeat(16)}`, "/bin/mine"],
  [`mine:1@sha256:${"ab12".repeat(16)}`, "/bin/mine"],
  ["notmine", undefined],
  ["mine/not", undefined],
  ["registry.local/a/b:2", "/bin/any"],
  ["registry.local:5000/a", undefined],
  ["pinned:1.2", "/bin/pinned"],
  ["pinned:1.3", undefined],
  ["a.b+c", "/bin/dots"],
  ["axb+c", undefined],
  ["bowline/controller:0.1.0", "/bin/own-controller"],
  ["registry.example/bowline/controller:0.1.0", "/usr/local/bin/bowline"],
  ["bowline/proxy:0.1.0", PROXY],
  ["localhost:5000/bowline/proxy", PROXY],
  ["cr.example/linkerd/proxy:edge-1", PROXY],
  ["cr.example/linkerd/proxy-init:v2", "/usr/lib/linkerd/linkerd2-proxy-init"],
  ["bowline/demo:0.1.0", "/usr/local/bin/demo"],
  ["docker.example/some/emojivoto-web:v11", "/usr/local/bin/emojivoto-web"],
  ["docker.example/some/emojivoto-vote-bot:v11", "/usr/local/bin/emojivoto-vote-bot"],
  ["bowline/unknown", undefined],
  ["", undefined],
];

test.each(ROWS)("image %j is %j", (image, command) => {
  expect(table.resolve(image)?.command?.[0]).toBe(command);
});

describe("built-in images", () => {
  test("have their programs in a layer, and the executable mounted", () => {
    const proxy = table.resolve("bowline/proxy");
    expect(proxy?.mounts).toEqual([{ source: "/opt/bowline", target: "/usr/local/lib/bowline/bowline" }]);
    const [layer = ""] = proxy?.layers ?? [];
    for (const path of [PROXY, "/usr/lib/linkerd/linkerd2-proxy-init", "/usr/lib/linkerd/linkerd-await"]) {
      expect(existsSync(join(layer, path))).toBe(true);
    }
  });

  test("run the sources with their arguments where there is no executable", async () => {
    const sources = join(dir, "..", "with 'quotes'");
    mkdirSync(sources);
    const main = join(sources, "main.sh");
    writeFileSync(main, 'echo "$@"\n');
    const own = { bowline: ["/bin/sh", main], demo: ["/bin/sh", main, "demo-app"] };
    const other = makeImageTable(join(dir, "../sources"), own, []);
    const [layer = ""] = other.resolve("bowline/demo")?.layers ?? [];
    expect(other.resolve("bowline/demo")?.mounts).toEqual([]);
    const said = await mustRun([join(layer, "/usr/local/bin/emojivoto-web"), "--port", "80 80"]);
    expect(said).toBe("demo-app web --port 80 80\n");
  });
});
