import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "@bowline/testkit";
import { patterned } from "./http2-peers-bytes.ts";
import { AS_APP, PATHS, type Path, portFor, runClient, UNDISCOVERED } from "./http2-peers-pods.ts";
import { counted, Mesh } from "./mesh.ts";

const SMALL = "unmodified\n";
const BIG_BYTES = 20_000_003;
const MIDDLE_BYTES = 300_000;

/** How nghttpd serves: plainly; or with padding, trailers and no lengths, and what it is sent as the response. */
const SERVERS = {
  plain: [],
  odd: ["--padding=200", "--trailer=x-trailer: 1", "--no-content-length", "--echo-upload"],
} as const satisfies Record<string, readonly string[]>;
type ServerKind = keyof typeof SERVERS;

let mesh: Mesh;
let directory: string;
const ports = new Map<string, number>();

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "bowline-nghttpd-"));
  chmodSync(directory, 0o777);
  writeFileSync(join(directory, "small"), SMALL);
  writeFileSync(join(directory, "middle"), patterned(MIDDLE_BYTES));
  writeFileSync(join(directory, "big"), patterned(BIG_BYTES));
  mesh = await Mesh.start(UNDISCOVERED);
  const { namespace } = mesh.server;
  for (const [kind, options] of Object.entries(SERVERS)) {
    for (const path of PATHS) {
      const port = portFor(mesh, path);
      ports.set(`${kind} ${path}`, port);
      namespace.spawn(["nghttpd", "--no-tls", "-d", directory, ...options, String(port)], AS_APP);
    }
  }
  await waitFor(
    async () => {
      const listening = await namespace.run(["ss", "-Hltn"]);
      return [...ports.values()].every((port) => listening.includes(`:${port} `));
    },
    { what: "nghttpd to listen", timeoutMs: 10_000 },
  );
}, 60_000);

afterAll(async () => {
  await mesh?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

describe.each(PATHS)("curl, %s", (path) => {
  const curl = (...args: string[]): Promise<string> =>
    runClient(mesh, path, ["curl", "-sS", "--http2-prior-knowledge", "--max-time", "20", ...args]);

  // One URL a run: Debian's curl 7.88 fails with the second request on a connection of prior knowledge, with any server.
  test.each([
    { file: "/small", want: `${SMALL}2 200` },
    { file: "/nowhere", want: "2 404" },
  ])("GET $file", async ({ file, want }) => {
    expect(await curl("-w", "%{http_version} %{http_code}", url(path, "plain", file))).toEndWith(want);
  });

  test("HEAD has the length and no body", async () => {
    const printed = await curl("-I", "-o", "/dev/null", "-w", "%header{content-length}", url(path, "plain", "/big"));
    expect(printed).toBe(String(BIG_BYTES));
  });

  test.each(["plain", "odd"] as const)("20 MB down, whole, from the server that is %s", async (kind) => {
    const file = join(directory, `${path}-down`);
    await curl("-o", file, url(path, kind, "/big"));
    expect(Buffer.from(await Bun.file(file).bytes()).equals(patterned(BIG_BYTES))).toBe(true);
  });

  test("20 MB up and back again, with trailers behind it", async () => {
    const file = join(directory, `${path}-echo`);
    const body = ["--data-binary", `@${join(directory, "big")}`, "-H", "expect:"];
    const printed = await curl(...body, "-o", file, "-w", "%header{x-trailer}", url(path, "odd", "/"));
    expect(printed).toBe("1");
    expect(Buffer.from(await Bun.file(file).bytes()).equals(patterned(BIG_BYTES))).toBe(true);
  });
});

describe.each(PATHS)("nghttp, %s", (path) => {
  const nghttp = (...args: string[]): Promise<string> => runClient(mesh, path, ["nghttp", "--timeout=20", ...args]);
  /** What nghttp prints of a body that it got. */
  const bytesOf = (printed: string): number => Buffer.byteLength(printed, "utf8");

  test("a hundred requests at once, with padding", async () => {
    const printed = await nghttp("-n", "-s", "-m100", "--padding=100", url(path, "plain", "/small"));
    expect(printed.match(/ 200 +11 \/small$/gm)).toHaveLength(100);
  });

  test("a head in several frames", async () => {
    const printed = await nghttp("--continuation", "-H", `x-long: ${"a".repeat(3000)}`, url(path, "plain", "/small"));
    expect(printed).toBe(SMALL);
  });

  test("windows of a KB", async () => {
    const printed = await nghttp("-n", "-s", "-w10", "-W10", url(path, "plain", "/middle"));
    expect(printed).toMatch(/ 200 +\d+K? \/middle$/m);
  });

  test("a body with trailers behind it, asking first whether it may", async () => {
    const options = ["--expect-continue", "--trailer=x-sent: 1", "-d", join(directory, "small")];
    expect(bytesOf(await nghttp(...options, url(path, "odd", "/")))).toBe(SMALL.length);
  });

  test("an answer without length, padded, with trailers", async () => {
    const printed = await nghttp("-n", "-v", url(path, "odd", "/small"));
    expect(printed).toContain("x-trailer: 1");
    expect(printed).not.toContain("content-length");
  });
});

describe.each(PATHS)("h2load, %s", (path) => {
  const runs: { name: string; options: string[]; file: string }[] = [
    { name: "five connections with a hundred streams each", options: ["-n5000", "-c5", "-m100"], file: "/small" },
    { name: "bodies of 300 KB in ten streams", options: ["-n100", "-c2", "-m10"], file: "/middle" },
    { name: "posts of 300 KB", options: ["-n100", "-c2", "-m10", "-d"], file: "/small" },
  ];
  test.each(runs)("$name", async ({ options, file }) => {
    const body = options.includes("-d") ? [join(directory, "middle")] : [];
    const printed = await runClient(mesh, path, ["h2load", ...options, ...body, url(path, "plain", file)]);
    const total = options[0]?.slice(2);
    expect(printed).toContain(`${total} succeeded, 0 failed, 0 errored, 0 timeout`);
    expect(printed).toContain(`status codes: ${total} 2xx, 0 3xx, 0 4xx, 0 5xx`);
  });
});

test("the proxies took all of it for HTTP/2 and lost nothing", async () => {
  for (const proxy of [mesh.outbound, mesh.inbound]) {
    expect(await counted(proxy, "request_total")).toBeGreaterThan(10_000);
    expect(await counted(proxy, "response_total", { classification: "failure" })).toBe(0);
  }
});

function url(path: Path, kind: ServerKind, file: string): string {
  return `http://${mesh.server.v4}:${ports.get(`${kind} ${path}`)}${file}`;
}
