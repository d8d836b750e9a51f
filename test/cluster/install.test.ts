import { afterAll, beforeAll, expect, test } from "bun:test";
import { TestCluster } from "./test-cluster.ts";

// In order: each goes on where the last one ended, as somebody would who installs, upgrades and uninstalls.
let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.up();
}, 120_000);
afterAll(async () => {
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
}, 120_000);

test("install wants the kinds first, and they are understood", async () => {
  const refused = await cluster.tryBowline(["install"]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("bowline install --crds | kubectl apply -f -");

  await cluster.apply(await cluster.bowline(["install", "--crds"]));
  const server = {
    apiVersion: "policy.linkerd.io/v1beta3",
    kind: "Server",
    metadata: { name: "web", namespace: "default" },
  };
  await cluster.apply([{ ...server, spec: { podSelector: {}, port: "http" } }]);
  const table = await cluster.kubectl(["get", "srv"]);
  expect(table).toMatch(/NAME +PORT +PROTOCOL +ACCESS POLICY/);
  expect(table).toMatch(/web +http +unknown +deny/);

  const wrong = [{ ...server, spec: { podSelector: {}, port: 80, proxyProtocol: "SMTP" } }];
  const input = wrong.map((one) => JSON.stringify(one)).join("\n");
  const bad = await cluster.tryKubectl(["apply", "-f", "-"], { input });
  expect(bad.code).not.toBe(0);
  expect(bad.stderr).toContain("spec.proxyProtocol");
}, 60_000);

test("what install prints can be applied, and runs", async () => {
  await cluster.apply(await cluster.bowline(["install"]));
  for (const name of ["linkerd-destination", "linkerd-proxy-injector", "metrics-api"]) {
    await cluster.kubectl(["rollout", "status", `deploy/${name}`, "-n", "linkerd", "--timeout=60s"], {
      timeoutMs: 70_000,
    });
  }
  const again = await cluster.tryBowline(["install"]);
  expect(again.stderr).toContain("has a control plane already");
  expect(await cluster.bowline(["version"])).toMatch(/Client version: (\S+)\nServer version: \1\n/);
}, 240_000);

test("an upgrade without changes changes nothing", async () => {
  const applied = await cluster.apply(await cluster.bowline(["upgrade"]));
  const lines = applied.trim().split("\n");
  expect(lines.length).toBeGreaterThan(20);
  expect(lines.filter((line) => !line.endsWith(" unchanged"))).toEqual([]);
  expect(await cluster.bowline(["prune"])).toBe("");
}, 60_000);

test("an upgrade with changes keeps the keys, and prune finds what is left over", async () => {
  const issuer = ["get", "secret", "linkerd-identity-issuer", "-n", "linkerd", "-o", "jsonpath={.data}"];
  const before = await cluster.kubectl(issuer);
  const applied = await cluster.apply(await cluster.bowline(["upgrade", "--set", "enablePodDisruptionBudget=true"]));
  expect(applied).toContain("poddisruptionbudget.policy/linkerd-destination created");
  expect(await cluster.kubectl(issuer)).toBe(before);
  const left = await cluster.bowline(["prune", "--set", "enablePodDisruptionBudget=false"]);
  expect(left.match(/kind: PodDisruptionBudget/g)).toHaveLength(3);
}, 60_000);

test("uninstall leaves nothing", async () => {
  await cluster.kubectl(["delete", "-f", "-"], { input: await cluster.bowline(["uninstall"]), timeoutMs: 90_000 });
  const kinds = "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings,mutatingwebhookconfigurations";
  expect(await cluster.kubectl(["get", kinds, "-o", "name", "-l", "linkerd.io/control-plane-ns"])).toBe("");
  const nothing = await cluster.tryBowline(["uninstall"]);
  expect(nothing.stderr).toContain("there is no control plane");
}, 120_000);
