import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_VALUES, stringifyValues } from "@bowline/control-plane";
import { runCli } from "./testing/run-cli.ts";

const pod = (name: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata:\n  name: ${name}\nspec:\n  containers:\n  - name: ${name}\n`;
const annotated = (name: string): string =>
  pod(name).replace("\nspec", "\n  annotations:\n    linkerd.io/inject: enabled\nspec");

const directory = mkdtempSync(join(tmpdir(), "bowline-inject-"));

beforeAll(() => {
  mkdirSync(join(directory, "all", "below"), { recursive: true });
  writeFileSync(join(directory, "all", "b.yml"), pod("b").trimEnd());
  writeFileSync(join(directory, "all", "below", "c.json"), '{"kind": "Pod", "metadata": {"name": "c"}}\n');
  writeFileSync(join(directory, "all", "a.yaml"), `---\n${pod("a")}`);
  writeFileSync(join(directory, "all", "z.yaml"), `---\n${pod("z")}---\n`);
  writeFileSync(join(directory, "all", "zz.yaml"), pod("zz"));
  writeFileSync(join(directory, "all", "README.md"), "- not: {yaml\n");
  writeFileSync(join(directory, "bad.yaml"), "a: [\n");
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

describe("what inject reads", () => {
  test("standard input", async () => {
    const { exitCode, out, err } = await runCli(["inject", "-"], { stdin: pod("web") });
    expect([exitCode, out, err]).toEqual([0, annotated("web"), '\npod "web" injected\n\n']);
  });

  test("the manifests of a directory and of those below it, as one stream", async () => {
    const { exitCode, out, err } = await runCli(["inject", join(directory, "all")]);
    const json = '{"kind": "Pod", "metadata": {"name": "c"}}\n';
    const stream = `---\n${annotated("a")}---\n${annotated("b")}---\n${json}---\n${annotated("z")}---\n${annotated("zz")}`;
    expect([exitCode, out]).toEqual([0, stream]);
    expect(err).toBe('\npod "a" injected\npod "b" injected\npod "c" skipped\npod "z" injected\npod "zz" injected\n\n');
  });

  test("what an https URL serves, and no other URL", async () => {
    const { exitCode, out, err } = await runCli(["inject", "http://127.0.0.1:1/web.yaml"]);
    expect([exitCode, out, err]).toEqual([1, "", "Error: http://127.0.0.1:1/web.yaml: only https URLs are read\n"]);
    const refused = await runCli(["inject", "https://127.0.0.1:1/web.yaml"]);
    expect([refused.exitCode, refused.out]).toEqual([1, ""]);
    expect(refused.err).toStartWith("Error: https://127.0.0.1:1/web.yaml: ");
  });

  test("nothing that is not there", async () => {
    const missing = await runCli(["inject", join(directory, "absent.yaml")]);
    expect([missing.exitCode, missing.out]).toEqual([1, ""]);
    expect(missing.err).toContain("absent.yaml");
    expect((await runCli(["inject"])).err).toContain("please specify a kubernetes resource file");
  });

  test("all or nothing", async () => {
    const { exitCode, out, err } = await runCli(["inject", join(directory, "all"), join(directory, "bad.yaml"), "-"], {
      stdin: pod("ok").replace("spec:", "spec:\n  hostNetwork: true"),
    });
    expect([exitCode, out]).toEqual([1, ""]);
    expect(err).toStartWith(`Error transforming resources:\n${join(directory, "bad.yaml")}:2:1: `);
    expect(err).toEndWith("failed to inject pod/ok: hostNetwork is enabled\n");
  });
});

describe("flags", () => {
  test("a switch in front of the input does not swallow it", async () => {
    const { out } = await runCli(["inject", "--ingress", "-"], { stdin: pod("web") });
    expect(out).toBe(annotated("web").replace("enabled", "ingress"));
    expect((await runCli(["inject", "--ingress", "false", "-"], { stdin: pod("web") })).out).toBe(annotated("web"));
    const native = await runCli(["inject", "--native-sidecar=false", "-"], { stdin: pod("web") });
    expect(native.out).toContain('config.linkerd.io/proxy-enable-native-sidecar: "false"');
  });

  const BAD: readonly [flag: string, value: string, reason: string][] = [
    ["--inbound-port", "http", "not a port"],
    ["--opaque-ports", "mysql,70000", "not a port, range or name of a container's port: 70000"],
    ["--skip-inbound-ports", "http", "not a port, range or name of a container's port: http"],
    ["--proxy-memory-limit", "much", "not a quantity such as 250m or 64Mi"],
    ["--close-wait-timeout", "5", "not a duration such as 500ms or 1m30s"],
    ["--image-pull-policy", "Sometimes", "not one of Always, IfNotPresent, Never"],
    ["--skip-subnets", "10.0.0.0/40", "not a network such as 10.0.0.0/8: 10.0.0.0/40"],
  ];
  for (const [flag, value, reason] of BAD) {
    test(`${flag} ${value} is refused`, async () => {
      const { exitCode, out, err } = await runCli(["inject", flag, value, "-"], { stdin: pod("web") });
      expect([exitCode, out, err]).toEqual([1, "", `Error: ${flag} ${value}: ${reason}\n`]);
    });
  }

  test("the registry may come from the environment", async () => {
    const env = { LINKERD_DOCKER_REGISTRY: "example/mirror" };
    const { out } = await runCli(["inject", "-"], { stdin: pod("web"), env });
    expect(out).toContain("config.linkerd.io/proxy-image: example/mirror/proxy");
  });
});

describe("inject --manual", () => {
  const values = { ...DEFAULT_VALUES, clusterDomain: "example.test" };
  let status = 200;
  const api = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (status === 200 && pathname === "/api/v1/namespaces/mesh/configmaps/linkerd-config") {
        const metadata = { name: "linkerd-config", namespace: "mesh" };
        return Response.json({
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata,
          data: { values: stringifyValues(values) },
        });
      }
      return Response.json(
        { kind: "Status", reason: "NotFound", message: "nothing there", code: 404 },
        { status: 404 },
      );
    },
  });
  const kubeconfig = join(directory, "kubeconfig");
  const args = ["--kubeconfig", kubeconfig, "-L", "mesh", "inject", "--manual", "-"];

  beforeAll(() => {
    const config = {
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${api.port}` } }],
      users: [{ name: "u", user: {} }],
    };
    writeFileSync(kubeconfig, JSON.stringify(config));
  });

  afterAll(async () => {
    await api.stop(true);
  });

  test("goes by what the cluster's control plane was installed with", async () => {
    const { exitCode, out } = await runCli(args, { stdin: pod("web") });
    expect(exitCode).toBe(0);
    expect(out).toContain("value: svc.example.test.");
  });

  test("says what to do when there is no control plane", async () => {
    status = 404;
    const { exitCode, out, err } = await runCli(args, { stdin: pod("web") });
    expect([exitCode, out]).toEqual([1, ""]);
    expect(err).toBe(
      "Error: there is no control plane in namespace mesh (no ConfigMap linkerd-config): install it, or use --ignore-cluster for the default configuration\n",
    );
  });
});

describe("uninject", () => {
  test("is quiet about what it does not know, and counts what it did", async () => {
    const { exitCode, out, err } = await runCli(["uninject", "-"], {
      stdin: `${annotated("a")}---\nkind: Unknown\n---\nx: 1\n`,
    });
    expect([exitCode, out]).toEqual([0, `${pod("a")}---\nkind: Unknown\n---\nx: 1\n`]);
    expect(err).toBe('\npod "a" uninjected\nunknown "" skipped\ndocument missing "kind" field, skipped\n\n');
  });
});

describe("await", () => {
  test("ends when the proxy is ready, or the time is over", async () => {
    let questions = 0;
    const proxy = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response("", { status: ++questions < 3 ? 503 : 200 }),
    });
    try {
      expect((await runCli(["await", "--port", String(proxy.port), "--timeout", "20s"])).exitCode).toBe(0);
      expect(questions).toBe(3);
    } finally {
      await proxy.stop(true);
    }
    const late = await runCli(["await", `--port=${proxy.port}`, "--timeout=150ms"]);
    expect([late.exitCode, late.err]).toEqual([
      1,
      `Error: the proxy was not ready within 150ms (http://127.0.0.1:${proxy.port}/ready)\n`,
    ]);
    expect((await runCli(["await", "--timeout=soon"])).err).toContain("not a duration");
    expect((await runCli(["await", "--port=x"])).err).toContain("not a port");
  });
});
