import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VERSION } from "@bowline/contracts";
import type { KubeObject, Secret } from "@bowline/kube";
import { Command } from "commander";
import { parseAllDocuments } from "yaml";
import { daysLeft, issuerFaults, serverFaults } from "../certificates/inspect.ts";
import { issueRoot, issueServer } from "../certificates/issue.ts";
import { CommandFailure } from "../io.ts";
import { register } from "./register.ts";
import { FakeCluster } from "./testing/fake-cluster.ts";

let directory: string;
let cluster: FakeCluster;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bowline-install-"));
  cluster = new FakeCluster();
  file("kubeconfig", cluster.kubeconfig);
});
afterEach(async () => {
  rmSync(directory, { recursive: true });
  await cluster[Symbol.asyncDispose]();
});

interface Result {
  readonly out: string;
  readonly err: string;
  /** null: the command succeeded. */
  readonly failure: string | null;
}

async function run(args: readonly string[], stdin = ""): Promise<Result> {
  let [out, err] = ["", ""];
  const program = new Command("bowline")
    .option("-L, --linkerd-namespace <namespace>", "", "linkerd")
    .option("--kubeconfig <path>")
    .option("--context <name>")
    .option("--as-group <group>", "", (value, earlier: string[]) => [...earlier, value], [])
    .exitOverride()
    .configureOutput({ writeErr: (text) => (err += text), writeOut: (text) => (out += text) });
  register(program, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: { KUBECONFIG: join(directory, "kubeconfig") },
    stdin: () => Promise.resolve(stdin),
  });
  for (const command of program.commands) command.copyInheritedSettings(program);
  try {
    await program.parseAsync([...args], { from: "user" });
    return { out, err, failure: null };
  } catch (error) {
    if (error instanceof Error) return { out, err, failure: error.message };
    throw error;
  }
}

async function printed(...args: string[]): Promise<string> {
  const { out, failure } = await run(args);
  expect(failure).toBeNull();
  return out;
}

async function objectsOf(...args: string[]): Promise<KubeObject[]> {
  return parseObjects(await printed(...args));
}

function parseObjects(text: string): KubeObject[] {
  return parseAllDocuments(text).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as KubeObject;
  });
}

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function find(objects: readonly KubeObject[], kind: string, name: string): KubeObject {
  const found = objects.find((one) => one.kind === kind && one.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

function secretText(objects: readonly KubeObject[], name: string, key: string): string {
  const { data } = find(objects, "Secret", name) as unknown as Secret;
  return Buffer.from(data?.[key] ?? "", "base64").toString();
}

async function installed(...flags: string[]): Promise<KubeObject[]> {
  cluster.apply(await objectsOf("install", "--crds"));
  const objects = await objectsOf("install", ...flags);
  cluster.apply(objects);
  return objects;
}

describe("install", () => {
  test("only where the kinds are and no control plane is yet", async () => {
    expect((await run(["install"])).failure).toMatch(/lacks authorizationpolicies.*\n?.*install --crds/);
    await installed();
    expect((await run(["install"])).failure).toMatch(/has a control plane already; use bowline upgrade/);
    expect((await run(["install", "-L", "other"])).failure).toBeNull();
    expect((await run(["install", "--ignore-cluster"])).failure).toBeNull();
  });

  test("without a cluster, only with --ignore-cluster", async () => {
    await cluster[Symbol.asyncDispose]();
    expect((await run(["install"])).failure).toMatch(/connection refused.*\n.*--ignore-cluster/);
    expect((await run(["install", "--ignore-cluster"])).failure).toBeNull();
    expect((await run(["install", "--crds"])).failure).toBeNull();
  });

  test("makes an issuer and a webhook's certificate that fit", async () => {
    const objects = await objectsOf(
      "install",
      "--ignore-cluster",
      "-L",
      "mesh",
      "--identity-trust-domain",
      "example.org",
    );
    const crt = secretText(objects, "linkerd-identity-issuer", "crt.pem");
    const anchors = (find(objects, "ConfigMap", "linkerd-identity-trust-roots")["data"] as Record<string, string>)[
      "ca-bundle.crt"
    ];
    expect(issuerFaults(crt, secretText(objects, "linkerd-identity-issuer", "key.pem"), anchors ?? "")).toEqual([]);
    expect(daysLeft(crt)).toBeGreaterThan(364);

    const tls = secretText(objects, "linkerd-proxy-injector-k8s-tls", "tls.crt");
    const webhooks = find(objects, "MutatingWebhookConfiguration", "linkerd-proxy-injector-webhook-config")["webhooks"];
    const [{ clientConfig }] = webhooks as [{ clientConfig: { caBundle: string; service: { namespace: string } } }];
    const authority = Buffer.from(clientConfig.caBundle, "base64").toString();
    expect(serverFaults(tls, authority, "linkerd-proxy-injector.mesh.svc")).toEqual([]);
    expect(clientConfig.service.namespace).toBe("mesh");
  });

  test("no key is in what programs can read", async () => {
    const objects = await objectsOf("install", "--ignore-cluster");
    const keys = ["linkerd-identity-issuer/key.pem", "linkerd-proxy-injector-k8s-tls/tls.key"].map((path) => {
      const [name = "", key = ""] = path.split("/");
      return secretText(objects, name, key).split("\n")[1] ?? "";
    });
    const config = JSON.stringify(find(objects, "ConfigMap", "linkerd-config"));
    const overrides = secretText(objects, "linkerd-config-overrides", "linkerd-config-overrides");
    for (const key of keys) {
      expect(key.length).toBeGreaterThan(40);
      expect(config).not.toContain(key);
      expect(overrides).not.toContain(key);
    }
    expect(config).not.toContain("PRIVATE KEY");
  });

  test("JSON is a List of the same objects", async () => {
    const args = ["install", "--crds", "-L", "mesh"];
    const list = JSON.parse(await printed(...args, "-o", "json")) as { kind: string; items: KubeObject[] };
    expect(list.kind).toBe("List");
    expect(list.items).toEqual(await objectsOf(...args));
  });

  test("texts that older YAML takes for booleans and numbers are in quotes", async () => {
    const out = await printed(
      "install",
      "--ignore-cluster",
      "--set-string",
      "podLabels.a=off,podLabels.b=1e3,podLabels.c=yes",
    );
    expect(out).toContain('a: "off"');
    expect(out).toContain('b: "1e3"');
    expect(out).toContain('c: "yes"');
  });

  test("values files and flags", async () => {
    const values = file("values.yaml", "controllerReplicas: 2\nunheardOf: 1\n");
    const { out, err, failure } = await run([
      "install",
      "--ignore-cluster",
      "-f",
      values,
      "--registry",
      "r.example/mesh/",
      "--proxy-version",
      "9",
    ]);
    expect(failure).toBeNull();
    expect(err).toBe('Warning: there is no value "unheardOf"; it has no effect\n');
    const deployment = JSON.stringify(find(parseObjects(out), "Deployment", "linkerd-destination"));
    expect(deployment).toContain('"replicas":2');
    expect(deployment).toContain(`"r.example/mesh/controller:${VERSION}"`);
    expect(deployment).toContain('"r.example/mesh/proxy:9"');
  });

  test.each([
    [["--controller-replicas", "many"], /--controller-replicas: "many" is not a whole number/],
    [["--enable-endpoint-slices", "perhaps"], /neither true nor false/],
    [["-o", "xml"], /Allowed choices are yaml, json/],
    [["--values", "/nonexistent"], /cannot read \/nonexistent/],
    [["--set-file", "proxy.logLevel=/nonexistent"], /cannot read \/nonexistent/],
    [["--nonsense"], /unknown option '--nonsense'/],
    [["--default-inbound-policy", "open"], /defaultInboundPolicy: "open" is none of/],
    [["--identity-trust-domain", "UPPER"], /identityTrustDomain/],
    [["--proxy-memory-limit", "much"], /proxy\.resources\.memory\.limit/],
  ])("%j is refused", async (flags, message) => {
    const { out, failure } = await run(["install", "--ignore-cluster", ...flags]);
    expect(failure).toMatch(message);
    expect(out).toBe("");
  });
});

describe("the identity's credentials", () => {
  async function files(): Promise<string[]> {
    const root = await issueRoot("root.example");
    return [
      "--identity-issuer-certificate-file",
      file("crt", root.crtPEM),
      "--identity-issuer-key-file",
      file("key", root.keyPEM),
      "--identity-trust-anchors-file",
      file("anchors", root.crtPEM),
    ];
  }

  test("are taken from files", async () => {
    const flags = await files();
    const objects = await objectsOf("install", "--ignore-cluster", ...flags);
    expect(secretText(objects, "linkerd-identity-issuer", "crt.pem")).toBe(await Bun.file(flags[1] ?? "").text());
  });

  test("belong together", async () => {
    const flags = await files();
    const { failure } = await run(["install", "--ignore-cluster", ...flags.slice(0, 2)]);
    expect(failure).toMatch(/missing: --identity-issuer-key-file, --identity-trust-anchors-file/);
    file("key", (await issueRoot("another")).keyPEM);
    expect((await run(["install", "--ignore-cluster", ...flags])).failure).toMatch(/does not belong to the issuer/);
    file("anchors", (await issueRoot("another")).crtPEM);
    expect((await run(["install", "--ignore-cluster", ...flags])).failure).toMatch(
      /not issued by any of the trust anchors/,
    );
  });

  test("may be somebody else's", async () => {
    const anchors = (await files()).slice(4);
    const external = await objectsOf("install", "--ignore-cluster", "--identity-external-issuer", ...anchors);
    expect(external.some(({ metadata }) => metadata.name === "linkerd-identity-issuer")).toBe(false);
    const { failure } = await run(["install", "--ignore-cluster", "--identity-external-issuer"]);
    expect(failure).toMatch(/trust anchors are needed/);
    const ca = await objectsOf("install", "--ignore-cluster", "--identity-external-issuer", "--identity-external-ca");
    expect(ca.some(({ metadata }) => metadata.name === "linkerd-identity-trust-roots")).toBe(false);
  });

  test("a webhook's, too", async () => {
    const server = await issueServer("linkerd-proxy-injector.linkerd.svc");
    const set = (crt: string): string[] => [
      "--set-file",
      `proxyInjector.crtPEM=${file("tls.crt", crt)}`,
      "--set-file",
      `proxyInjector.keyPEM=${file("tls.key", server.keyPEM)}`,
    ];
    const objects = await objectsOf("install", "--ignore-cluster", ...set(server.crtPEM));
    expect(secretText(objects, "linkerd-proxy-injector-k8s-tls", "tls.crt")).toBe(server.crtPEM);
    const other = await issueServer("elsewhere.svc");
    const { failure } = await run(["install", "--ignore-cluster", ...set(other.crtPEM)]);
    expect(failure).toMatch(/proxyInjector\.crtPEM: certificate is not for linkerd-proxy-injector\.linkerd\.svc/);
    const external = await objectsOf("install", "--ignore-cluster", "--set", "proxyInjector.externalSecret=true");
    expect(external.some(({ metadata }) => metadata.name === "linkerd-proxy-injector-k8s-tls")).toBe(false);
  });
});

describe("upgrade", () => {
  test("changes nothing by itself, whatever was installed", async () => {
    for (const flags of [
      [],
      ["--ha"],
      ["--set", "nodeSelector.disk=ssd,proxy.accessLog=json", "--controller-log-level", "debug"],
    ]) {
      const objects = await installed("--ignore-cluster", ...flags);
      expect(await objectsOf("upgrade")).toEqual(objects);
    }
  });

  test("keeps what was chosen, issuer and webhook certificate, and adds what is asked for", async () => {
    const before = await installed("--set", "proxy.logLevel=debug");
    const after = await objectsOf("upgrade", "--set", "controllerReplicas=2");
    for (const [name, key] of [
      ["linkerd-identity-issuer", "key.pem"],
      ["linkerd-proxy-injector-k8s-tls", "tls.key"],
    ] as const) {
      expect(secretText(after, name, key)).toBe(secretText(before, name, key));
    }
    const overrides = secretText(after, "linkerd-config-overrides", "linkerd-config-overrides");
    expect(overrides).toContain("logLevel: debug");
    expect(overrides).toContain("controllerReplicas: 2");
    cluster.apply(after);
    expect(await objectsOf("upgrade")).toEqual(after);
  });

  test("from the manifests that were applied, without a cluster", async () => {
    const manifests = await printed("install", "--ignore-cluster", "--ha");
    await cluster[Symbol.asyncDispose]();
    expect(await printed("upgrade", "--from-manifests", file("manifests.yaml", manifests))).toBe(manifests);
    expect((await run(["upgrade", "--from-manifests", "-"], manifests)).out).toBe(manifests);
    const json = await printed("install", "--ignore-cluster", "-o", "json");
    expect(await printed("upgrade", "-o", "json", "--from-manifests", file("manifests.json", json))).toBe(json);
  });

  test("takes a new issuer under the same anchors or new ones, and nothing that does not fit", async () => {
    await installed();
    const root = await issueRoot("new.example");
    const pair = [
      "--identity-issuer-certificate-file",
      file("crt", root.crtPEM),
      "--identity-issuer-key-file",
      file("key", root.keyPEM),
    ];
    expect((await run(["upgrade", ...pair])).failure).toMatch(/not issued by any of the trust anchors/);
    const after = await objectsOf("upgrade", ...pair, "--identity-trust-anchors-file", file("anchors", root.crtPEM));
    expect(secretText(after, "linkerd-identity-issuer", "crt.pem")).toBe(root.crtPEM);
  });

  test("a webhook certificate that no longer holds is replaced", async () => {
    const before = await installed();
    const old = await issueServer("linkerd-proxy-injector.linkerd.svc", new Date(Date.now() - 400 * 86_400_000));
    const secret = structuredClone(find(before, "Secret", "linkerd-proxy-injector-k8s-tls"));
    secret["data"] = { "tls.crt": btoa(old.crtPEM), "tls.key": btoa(old.keyPEM) };
    cluster.apply([secret]);
    const fresh = secretText(await objectsOf("upgrade"), "linkerd-proxy-injector-k8s-tls", "tls.crt");
    expect(fresh).not.toBe(old.crtPEM);
    expect(daysLeft(fresh)).toBeGreaterThan(364);
  });

  test("needs something to upgrade", async () => {
    expect((await run(["upgrade"])).failure).toMatch(/no control plane in namespace linkerd; bowline install/);
    const objects = await installed();
    cluster.delete(find(objects, "Secret", "linkerd-identity-issuer"));
    expect((await run(["upgrade"])).failure).toMatch(/no issuer that could be kept/);
    cluster.delete(find(objects, "Secret", "linkerd-config-overrides"));
    expect((await run(["upgrade"])).failure).toMatch(/no Secret linkerd-config-overrides/);
  });

  test("knows what is chosen only once", async () => {
    expect((await run(["upgrade", "--cluster-domain", "x"])).failure).toMatch(/unknown option/);
  });
});

test("prune prints what no longer belongs, and nothing else", async () => {
  await installed();
  expect(await printed("prune")).toBe("");
  const labels = { "linkerd.io/control-plane-ns": "linkerd" };
  cluster.apply([
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "old", namespace: "linkerd", labels, annotations: { a: "b" } },
    },
    { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name: "old", labels } },
    { apiVersion: "v1", kind: "Service", metadata: { name: "other", namespace: "linkerd" } },
  ]);
  cluster.without.add("cronjobs");
  expect(await objectsOf("prune")).toEqual([
    { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name: "old" } },
    { apiVersion: "v1", kind: "Service", metadata: { name: "old", namespace: "linkerd" } },
  ]);
});

describe("uninstall", () => {
  test("prints what lies outside of the namespace, and the namespace", async () => {
    const objects = await installed();
    const crds = await objectsOf("install", "--crds");
    const wanted = [...objects, ...crds].filter(({ metadata }) => metadata.namespace === undefined);
    const names = (list: readonly KubeObject[]): string[] =>
      list.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();
    expect(names(await objectsOf("uninstall"))).toEqual(names(wanted));
  });

  test("not while pods have a proxy, or extensions are there", async () => {
    await installed();
    const labels = { "linkerd.io/control-plane-ns": "linkerd" };
    cluster.apply([
      { apiVersion: "v1", kind: "Pod", metadata: { name: "own", namespace: "linkerd", labels } },
      { apiVersion: "v1", kind: "Pod", metadata: { name: "web", namespace: "shop", labels } },
    ]);
    expect((await run(["uninstall"])).failure).toMatch(/uninject them first.*\n {2}\* shop\/web$/);
    expect((await run(["uninstall", "--force"])).failure).toBeNull();
    const extension = { name: "viz", labels: { "linkerd.io/extension": "viz" } };
    cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: extension }]);
    expect((await run(["uninstall"])).failure).toMatch(/extensions first.*viz/);
  });

  test("needs something to uninstall", async () => {
    expect((await run(["uninstall"])).failure).toMatch(/no control plane of namespace linkerd/);
  });
});

describe("version", () => {
  test("of client, server and proxies", async () => {
    expect(await printed("version")).toBe(`Client version: ${VERSION}\nServer version: unavailable\n`);
    expect(await printed("version", "--client", "--short")).toBe(`${VERSION}\n`);
    await installed("--set", "linkerdVersion=1.2.3");
    const labels = { "linkerd.io/control-plane-ns": "linkerd" };
    const pod = (name: string, namespace: string, image: string): KubeObject => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace, labels },
      spec: { initContainers: [{ name: "linkerd-proxy", image }], containers: [{ name: "app", image: "app:1" }] },
    });
    cluster.apply([
      pod("a", "shop", "r:5000/proxy:1.2.3"),
      pod("b", "shop", "bowline/proxy:1.2.2"),
      pod("c", "x", "bowline/proxy:1.2.3"),
    ]);
    const server = `Client version: ${VERSION}\nServer version: 1.2.3\n`;
    expect(await printed("version", "--proxy")).toBe(`${server}Proxy versions:\n\t1.2.2 (1 pods)\n\t1.2.3 (2 pods)\n`);
    expect(await printed("version", "--proxy", "-n", "x")).toBe(`${server}Proxy versions:\n\t1.2.3 (1 pods)\n`);
    expect(await printed("version", "--short")).toBe(`${VERSION}\n1.2.3\n`);
  });
});

test("failures are CommandFailures, which main prints", async () => {
  const program = new Command().option("-L, --linkerd-namespace <ns>", "", "linkerd");
  register(program, { out: () => undefined, err: () => undefined, env: {}, stdin: () => Promise.resolve("") });
  const failed = await program
    .parseAsync(["install", "--ignore-cluster", "--set", "x=1"], { from: "user" })
    .catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(CommandFailure);
});
