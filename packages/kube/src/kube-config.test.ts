import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadKubeConfig } from "./kube-config.ts";
import { KubeConfigError } from "./kube-config-error.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "bowline-config-"));
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

const MAIN = `
apiVersion: v1
kind: Config
current-context: main
contexts:
- {name: main, context: {cluster: main, user: token, namespace: shop}}
- {name: certs, context: {cluster: named, user: certs}}
- {name: basic, context: {cluster: main, user: basic}}
- {name: nobody, context: {cluster: main, user: ""}}
- {name: file, context: {cluster: main, user: file}}
- {name: plugin, context: {cluster: main, user: plugin}}
- {name: no-user, context: {cluster: main, user: gone}}
- {name: no-cluster, context: {cluster: gone, user: token}}
clusters:
- {name: main, cluster: {server: "https://main:6443/", certificate-authority-data: ${btoa("CA")}}}
- {name: named, cluster: {server: "https://10.0.0.1", certificate-authority: pki/ca.pem, tls-server-name: kubernetes, insecure-skip-tls-verify: true}}
users:
- {name: token, user: {token: secret}}
- {name: certs, user: {client-certificate-data: ${btoa("CERT")}, client-key: pki/key.pem}}
- {name: basic, user: {username: me, password: pass}}
- {name: file, user: {tokenFile: token.txt, token: old}}
- {name: plugin, user: {exec: {command: aws}}}
`;

function write(name: string, text: string): string {
  const path = join(home, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  return path;
}

describe("which configuration is taken", () => {
  const other = MAIN.replace("current-context: main", "current-context: basic").replace("secret", "another");

  test("--kubeconfig before KUBECONFIG before ~/.kube/config", () => {
    const path = write("a", MAIN);
    const listed = write("b", other);
    write(".kube/config", MAIN.replace("current-context: main", "current-context: certs"));
    write("pki/ca.pem", "");
    const env = { HOME: home, KUBECONFIG: listed };
    expect(loadKubeConfig({ path, env }).context).toBe("main");
    expect(loadKubeConfig({ env }).context).toBe("basic");
    expect(() => loadKubeConfig({ env: { HOME: home } })).toThrow(/\.kube\/pki\/ca\.pem/);
  });

  test("of the files of KUBECONFIG the first wins, entry by entry, and those that do not exist are skipped", () => {
    const first = write("first", "current-context: main\nusers:\n- {name: token, user: {token: mine}}\n");
    const second = write("second", MAIN);
    const config = loadKubeConfig({ env: { KUBECONFIG: `${join(home, "none")}:${first}:${second}` } });
    expect(config.authorization()).toBe("Bearer mine");
    expect(config.server).toBe("https://main:6443");
  });

  test("in a pod, its service account, whose token is read again", () => {
    write("account/token", "one\n");
    write("account/ca.crt", "POD CA");
    write("account/namespace", "emojivoto\n");
    write(".kube/config", MAIN);
    const env = { HOME: home, KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" };
    const config = loadKubeConfig({ env, serviceAccountDir: join(home, "account") });
    expect(config).toMatchObject({
      server: "https://[fd00::1]:6443",
      namespace: "emojivoto",
      tls: { ca: "POD CA", insecure: false },
    });
    expect(config.authorization()).toBe("Bearer one");
    const outside = loadKubeConfig({ env, serviceAccountDir: join(home, "none") });
    expect(outside.context).toBe("main");
  });

  test("none at all says where it was looked for", () => {
    expect(() => loadKubeConfig({ env: { HOME: home } })).toThrow(/\.kube\/config does not exist.*KUBECONFIG/);
    expect(() => loadKubeConfig({ path: join(home, "none"), env: {} })).toThrow(KubeConfigError);
  });
});

describe("what a context gives", () => {
  test("cluster, namespace and token", () => {
    const config = loadKubeConfig({ path: write("config", MAIN) });
    expect(config).toMatchObject({ server: "https://main:6443", namespace: "shop", cluster: "main", user: "token" });
    expect(config.tls).toEqual({ ca: "CA", insecure: false });
    expect(config.authorization()).toBe("Bearer secret");
  });

  test("certificates, from data and from files beside the configuration", () => {
    write("pki/ca.pem", "FILE CA");
    write("pki/key.pem", "KEY");
    const config = loadKubeConfig({ path: write("config", MAIN), context: "certs" });
    expect(config.tls).toEqual({ ca: "FILE CA", cert: "CERT", key: "KEY", serverName: "kubernetes", insecure: true });
    expect(config.authorization()).toBeUndefined();
    expect(config.namespace).toBe("default");
  });

  test("a password, a token file, nobody", () => {
    write("token.txt", "from-file\n");
    const path = write("config", MAIN);
    expect(loadKubeConfig({ path, context: "basic" }).authorization()).toBe(`Basic ${btoa("me:pass")}`);
    expect(loadKubeConfig({ path, context: "file" }).authorization()).toBe("Bearer from-file");
    expect(loadKubeConfig({ path, context: "nobody" }).authorization()).toBeUndefined();
  });

  test.each([
    ["gone", /no context "gone"; it has: main, certs/],
    ["no-user", /names user "gone"/],
    ["no-cluster", /names cluster "gone"/],
    ["plugin", /user "plugin" gets credentials from a plugin \(exec\)/],
  ])("context %s is refused with what is wrong", (context, message) => {
    expect(() => loadKubeConfig({ path: write("config", MAIN), context })).toThrow(message);
  });

  test.each([
    ["contexts: [", /is not YAML/],
    ["[]", /is not a kubeconfig/],
    ["", /no current-context/],
  ])("%j is refused", (text, message) => {
    expect(() => loadKubeConfig({ path: write("config", text) })).toThrow(message);
  });
});
