import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mustRun, waitFor } from "@bowline/testkit";
import { TestCluster } from "./test-cluster.ts";

/** Marks what it is asked about, and refuses what has the label "bad". */
const WEBHOOK = `
  const tls = { key: Bun.file("/tls/tls.key"), cert: Bun.file("/tls/tls.crt") };
  const patches = [
    { op: "add", path: "/metadata/annotations", value: { seen: "yes" } },
  ];
  async function answer(request) {
    const { request: { uid, object, oldObject, userInfo, operation, dryRun } } = await request.json();
    const { metadata } = object ?? oldObject;
    console.log(operation, metadata.name ?? metadata.generateName, userInfo.username, dryRun === true);
    const mutates = new URL(request.url).pathname === "/mutate" && metadata.annotations === undefined;
    const bad = metadata.labels?.bad !== undefined;
    const response = {
      uid,
      allowed: !bad,
      ...(bad ? { status: { code: 422, message: metadata.name + " is bad" } } : {}),
      ...(mutates ? { patchType: "JSONPatch", patch: btoa(JSON.stringify(patches)) } : {}),
      ...(metadata.labels?.odd === undefined ? {} : { warnings: ["this is odd"] }),
    };
    return Response.json({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response });
  }
  Bun.serve({ port: 8443, tls, fetch: answer });
  process.on("SIGTERM", () => process.exit(0));
`;

let cluster: TestCluster;
let caBundle: string;

beforeAll(async () => {
  const [up, pair] = await Promise.all([TestCluster.up(), certificate("hook.hooks.svc")]);
  cluster = up;
  caBundle = pair.cert;
  const labels = { app: "hook" };
  const container = {
    name: "main",
    image: "hook",
    command: [process.execPath, "-e", WEBHOOK],
    readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
    volumeMounts: [{ name: "tls", mountPath: "/tls" }],
  };
  await cluster.apply([
    namespace("hooks", {}),
    namespace("watched", { hooked: "yes" }),
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "tls", namespace: "hooks" },
      type: "kubernetes.io/tls",
      data: { "tls.key": pair.key, "tls.crt": pair.cert },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "hook", namespace: "hooks" },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [container],
            volumes: [{ name: "tls", secret: { secretName: "tls" } }],
          },
        },
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "hook", namespace: "hooks" },
      spec: { selector: labels, ports: [{ port: 443, targetPort: 8443 }] },
    },
  ]);
  await cluster.run("rollout status deploy/hook -n hooks --timeout=30s");
  await cluster.apply([
    configuration("Mutating", "/mutate", ["pods", "configmaps"]),
    configuration("Validating", "/validate", ["configmaps"]),
  ]);
}, 120_000);

afterAll(async () => {
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
}, 120_000);

/** Waits until the webhook's log has a whole line of that pattern: a log may lag behind an answer. */
async function hasHeard(line: string): Promise<void> {
  const pattern = new RegExp(`^${line}$`, "m");
  await waitFor(async () => pattern.test(await cluster.run("logs -n hooks deploy/hook")), {
    what: `"${line}" in the webhook's log`,
    timeoutMs: 10_000,
    intervalMs: 100,
  });
}

test("a mutating webhook in a pod changes objects and the pods of controllers, in the namespaces it is for", async () => {
  await cluster.run("create cm plain -n watched");
  expect(await annotation("cm/plain -n watched")).toBe("yes");
  await cluster.run("create cm plain -n default");
  expect(await annotation("cm/plain -n default")).toBe("");
  await cluster.run("create deploy web --image=web -n watched");
  await waitFor(
    async () =>
      (await cluster.run("get pods -n watched -l app=web -o jsonpath={.items[*].metadata.annotations.seen}")) === "yes",
    { what: "the Deployment's pod", timeoutMs: 20_000 },
  );
  await hasHeard("CREATE plain bowline-admin false");
  await hasHeard("CREATE web-\\w+- system:apiserver false");
}, 60_000);

test("a validating webhook refuses in its own words, and warns", async () => {
  const labelled = (name: string, labels: object) =>
    JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "watched", labels } });
  const bad = await cluster.tryKubectl(["apply", "-f", "-"], { input: labelled("worst", { bad: "yes" }) });
  expect(bad.code).toBe(1);
  expect(bad.stderr).toContain("denied the request: worst is bad");
  const odd = await cluster.tryKubectl(["apply", "-f", "-"], { input: labelled("strange", { odd: "yes" }) });
  expect([odd.code, odd.stderr]).toEqual([0, expect.stringContaining("Warning: this is odd")]);
  await cluster.kubectl(["apply", "--dry-run=server", "-f", "-"], { input: labelled("dry", {}) });
  await hasHeard("CREATE dry bowline-admin true");
  expect((await cluster.tryKubectl(["label", "cm", "strange", "-n", "watched", "bad=yes"])).stderr).toContain(
    "strange is bad",
  );
}, 60_000);

test("a webhook that does not answer refuses what it must see, and is passed over where that is allowed", async () => {
  await cluster.run("scale deploy/hook -n hooks --replicas=0");
  await waitFor(async () => (await cluster.run("get pods -n hooks -o name")) === "", {
    what: "no webhook",
    timeoutMs: 20_000,
  });
  const refused = await cluster.tryKubectl(["create", "cm", "unseen", "-n", "watched"]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(
    'failed calling webhook "mutating.example.com": failed to call webhook: Post "https://hook.hooks.svc:443/mutate?timeout=5s": no endpoints available for service "hook"',
  );
  for (const kind of ["mutating", "validating"]) {
    await cluster.kubectl([
      "patch",
      `${kind}webhookconfigurations`,
      "hook",
      "--type=json",
      "-p",
      '[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]',
    ]);
  }
  await cluster.run("create cm unseen -n watched");
  expect(await annotation("cm/unseen -n watched")).toBe("");
}, 60_000);

test("a webhook whose certificate is not the one that was told of is not believed", async () => {
  await cluster.run("scale deploy/hook -n hooks --replicas=1");
  await cluster.run("rollout status deploy/hook -n hooks --timeout=30s");
  const { cert } = await certificate("hook.hooks.svc");
  const wrong = JSON.stringify([
    { op: "replace", path: "/webhooks/0/clientConfig/caBundle", value: cert },
    { op: "replace", path: "/webhooks/0/failurePolicy", value: "Fail" },
  ]);
  await cluster.kubectl(["patch", "validatingwebhookconfigurations", "hook", "--type=json", "-p", wrong]);
  const refused = await cluster.tryKubectl(["create", "cm", "doubted", "-n", "watched"]);
  expect(refused.stderr).toMatch(/failed calling webhook "validating\.example\.com": .*(certificate|self.signed)/);
  await cluster.run("delete mutatingwebhookconfigurations,validatingwebhookconfigurations hook");
  await cluster.run("create cm doubted -n watched");
}, 60_000);

async function annotation(of: string): Promise<string> {
  return await cluster.run(`get ${of} -o jsonpath={.metadata.annotations.seen}`);
}

function configuration(kind: "Mutating" | "Validating", path: string, resources: readonly string[]): object {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: `${kind}WebhookConfiguration`,
    metadata: { name: "hook" },
    webhooks: [
      {
        name: `${kind.toLowerCase()}.example.com`,
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        timeoutSeconds: 5,
        clientConfig: { service: { name: "hook", namespace: "hooks", path }, caBundle },
        namespaceSelector: { matchLabels: { hooked: "yes" } },
        rules: [{ operations: ["CREATE", "UPDATE"], apiGroups: [""], apiVersions: ["v1"], resources }],
      },
    ],
  };
}

function namespace(name: string, labels: object): object {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

/** A self-signed certificate and its key, PEM in base64. */
async function certificate(host: string): Promise<{ readonly key: string; readonly cert: string }> {
  const dir = mkdtempSync(join(tmpdir(), "bowline-hook-"));
  try {
    const [key, cert] = [join(dir, "key"), join(dir, "cert")];
    await mustRun([
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "2",
      "-subj",
      `/CN=${host}`,
      "-addext",
      `subjectAltName=DNS:${host}`,
      "-keyout",
      key,
      "-out",
      cert,
    ]);
    const read = (path: string) => readFileSync(path).toString("base64");
    return { key: read(key), cert: read(cert) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
