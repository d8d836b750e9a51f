import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadKubeConfig } from "@bowline/kube";
import { kubeconfigText } from "./kubeconfig.ts";
import { clusterPaths } from "./paths.ts";

test("a kubeconfig leads to the cluster as its administrator", () => {
  const dir = mkdtempSync(join(tmpdir(), "bowline-kubeconfig-"));
  try {
    const path = join(dir, "kubeconfig");
    const caPem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    writeFileSync(path, kubeconfigText({ name: "x", server: "https://127.0.0.1:6443", caPem, token: "t: #1" }));
    const config = loadKubeConfig({ path, env: {} });
    expect(config).toMatchObject({
      server: "https://127.0.0.1:6443",
      context: "bowline-x",
      user: "bowline-x-admin",
      namespace: "default",
      tls: { ca: caPem, insecure: false },
    });
    expect(config.authorization()).toBe("Bearer t: #1");
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test.each(["", "-a", "a-", "A", "a_b", "../x", "a/b", "a".repeat(41)])("%j is no name of a cluster", (name) => {
  expect(() => clusterPaths(name)).toThrow("a cluster's name is 1 to 40 lower case letters, digits and '-'");
});

test.each(["a", "1", "a-b", "a".repeat(40)])("%j is one", (name) => {
  expect(clusterPaths(name).stateDir).toBe(`/var/lib/bowline/${name}`);
  expect(clusterPaths(name, "relative").kubeconfig).toBe(join(process.cwd(), "relative/kubeconfig"));
});
