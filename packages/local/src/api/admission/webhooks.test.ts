import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { KubeObject } from "@bowline/kube";
import { HookServer } from "../testing/hook-server.ts";
import { LoopbackNetwork } from "../testing/loopback-network.ts";
import { type Answer, RunningApi } from "../testing/running-api.ts";

const GROUP = "admissionregistration.k8s.io";
const POD_IP = "10.244.0.9";

let api: RunningApi;
let network: LoopbackNetwork;
let hooks: HookServer;

beforeAll(async () => {
  network = new LoopbackNetwork();
  api = await RunningApi.start({ network: () => network });
  hooks = await HookServer.start("hooks.default.svc");
  network.ports.set(`${POD_IP}:8443`, hooks.port);
  const { api: cluster } = api.server;
  await cluster.create("serviceaccounts", {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace: "default" },
  });
  await cluster.create("services", {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "hooks", namespace: "default" },
    spec: { selector: { app: "hooks" }, ports: [{ name: "https", port: 443, targetPort: 8443 }] },
  });
  await cluster.create("endpointslices.discovery.k8s.io", {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "hooks-1", namespace: "default", labels: { "kubernetes.io/service-name": "hooks" } },
    addressType: "IPv4",
    endpoints: [{ addresses: [POD_IP], conditions: { ready: true } }],
    ports: [{ name: "https", port: 8443, protocol: "TCP" }],
  });
});

afterEach(async () => {
  hooks.asked.length = 0;
  hooks.hook = () => ({ allowed: true });
  for (const type of ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"]) {
    await api.ask("DELETE", `/apis/${GROUP}/v1/${type}`);
  }
  await api.ask("DELETE", "/api/v1/namespaces/default/configmaps");
});

afterAll(async () => {
  await api.stop();
  await hooks.stop();
  network.stop();
});

async function configure(kind: "Mutating" | "Validating", ...webhooks: object[]): Promise<void> {
  const name = `${kind.toLowerCase()}-${Math.random().toString(36).slice(2)}`;
  await api.server.api.create(`${kind.toLowerCase()}webhookconfigurations.${GROUP}`, {
    apiVersion: `${GROUP}/v1`,
    kind: `${kind}WebhookConfiguration`,
    metadata: { name },
    webhooks: webhooks.map((each, i) => ({
      name: `w${i}.example.com`,
      admissionReviewVersions: ["v1"],
      sideEffects: "None",
      clientConfig: { caBundle: hooks.caBundle, service: { name: "hooks", namespace: "default", path: `/w${i}` } },
      rules: [{ operations: ["*"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }],
      ...each,
    })),
  });
}

const MAPS = "/api/v1/namespaces/default/configmaps";

function make(name: string, data: Record<string, string> = {}, labels: Record<string, string> = {}): Promise<Answer> {
  return api.ask("POST", MAPS, { body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels }, data } });
}

function patchOf(...operations: object[]): object {
  const patch = Buffer.from(JSON.stringify(operations)).toString("base64");
  return { allowed: true, patchType: "JSONPatch", patch };
}

describe("a mutating webhook", () => {
  test("is told all about the request, and its patch is stored", async () => {
    await configure("Mutating", {});
    hooks.hook = () => patchOf({ op: "add", path: "/data/by", value: "hook" });
    const { body } = await make("patched", { a: "b" });
    expect(body["data"]).toEqual({ a: "b", by: "hook" });
    expect(hooks.asked).toHaveLength(1);
    expect(hooks.asked[0]).toMatchObject({
      operation: "CREATE",
      name: "patched",
      namespace: "default",
      resource: { group: "", version: "v1", resource: "configmaps" },
      userInfo: { username: "bowline-admin" },
      object: { kind: "ConfigMap", data: { a: "b" } },
      oldObject: null,
      dryRun: false,
    });
    await api.ask("PATCH", `${MAPS}/patched`, {
      body: { data: { a: "c" } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect(hooks.asked[1]).toMatchObject({
      operation: "UPDATE",
      object: { data: { a: "c" } },
      oldObject: { data: { a: "b" } },
    });
    await api.ask("DELETE", `${MAPS}/patched`);
    expect(hooks.asked[2]).toMatchObject({ operation: "DELETE", object: null, oldObject: { data: { a: "c" } } });
  });

  test("sees what those before it did, and once more what those after it did, if it wishes", async () => {
    await configure("Mutating", { reinvocationPolicy: "IfNeeded" }, {});
    const seen: string[] = [];
    hooks.hook = ({ object }, path) => {
      const { data = {} } = object as { data?: Record<string, string> };
      seen.push(`${path} ${Object.keys(data).join()}`);
      return path === "/w0" && "second" in data
        ? { allowed: true }
        : patchOf({ op: "add", path: path === "/w0" ? "/data/first" : "/data/second", value: "1" });
    };
    const { body } = await make("twice", { own: "1" });
    expect(seen).toEqual(["/w0 own", "/w1 own,first", "/w0 own,first,second"]);
    expect(body["data"]).toEqual({ own: "1", first: "1", second: "1" });
  });

  test("changes pods made by controllers, and its containers get their token", async () => {
    const rules = [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] }];
    await configure("Mutating", { rules });
    hooks.hook = () => patchOf({ op: "add", path: "/spec/containers/-", value: { name: "sidecar", image: "i" } });
    const metadata = { name: "", generateName: "made-", namespace: "default" };
    const pod = await api.server.api.create<KubeObject>("pods", {
      apiVersion: "v1",
      kind: "Pod",
      metadata,
      spec: { containers: [{ name: "c", image: "i" }] },
    });
    const { containers } = pod["spec"] as {
      containers: { name: string; volumeMounts: { mountPath: string }[]; imagePullPolicy: string }[];
    };
    expect(containers.map(({ name, volumeMounts }) => [name, volumeMounts.map(({ mountPath }) => mountPath)])).toEqual([
      ["c", ["/var/run/secrets/kubernetes.io/serviceaccount"]],
      ["sidecar", ["/var/run/secrets/kubernetes.io/serviceaccount"]],
    ]);
    expect(containers[1]?.imagePullPolicy).toBe("Always");
    expect(hooks.asked[0]?.name).toBeUndefined();
    expect(hooks.asked[0]?.object).toMatchObject({ metadata: { generateName: "made-" } });
    expect(pod.metadata.name).toMatch(/^made-.{5}$/);
  });

  test("whose patch makes the object bad is not obeyed", async () => {
    await configure("Mutating", {});
    hooks.hook = () => patchOf({ op: "replace", path: "/metadata/name", value: "Not A Name" });
    expect((await make("good")).code).toBe(422);
    hooks.hook = () => patchOf({ op: "remove", path: "/data/absent" });
    const { code, body } = await make("good");
    expect([code, body.message.includes("does not apply")]).toEqual([500, true]);
  });
});

describe("a validating webhook", () => {
  const refusals: [name: string, response: object, code: number, says: string][] = [
    [
      "a message and a code",
      { allowed: false, status: { message: "no such thing", code: 403 } },
      403,
      'admission webhook "w0.example.com" denied the request: no such thing',
    ],
    [
      "a reason",
      { allowed: false, status: { reason: "Because" } },
      400,
      'admission webhook "w0.example.com" denied the request: Because',
    ],
    [
      "a code that HTTP does not have",
      { allowed: false, status: { message: "no", code: 100_000 } },
      400,
      'admission webhook "w0.example.com" denied the request: no',
    ],
    ["nothing", { allowed: false }, 400, 'admission webhook "w0.example.com" denied the request without explanation'],
  ];
  for (const [name, response, code, says] of refusals) {
    test(`refuses with ${name}`, async () => {
      await configure("Validating", {});
      hooks.hook = () => response;
      const answer = await make("refused");
      expect([answer.code, answer.body.message]).toEqual([code, says]);
      expect(api.server.api.get("configmaps", "default", "refused")).toBeUndefined();
    });
  }

  test("warns", async () => {
    await configure("Validating", {});
    hooks.hook = () => ({ allowed: true, warnings: ["mind the gap"] });
    expect((await make("warned")).headers.get("warning")).toBe('299 - "mind the gap"');
  });

  test("refuses deletions", async () => {
    await configure("Validating", {
      rules: [{ operations: ["DELETE"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*"] }],
    });
    await make("kept");
    hooks.hook = () => ({ allowed: false });
    expect((await api.ask("DELETE", `${MAPS}/kept`)).code).toBe(400);
    expect(api.server.api.get("configmaps", "default", "kept")).toBeDefined();
  });
});

describe("webhooks are asked", () => {
  const rule = { operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] };
  const rows: [name: string, webhook: object, asked: boolean][] = [
    ["by operation", { rules: [{ ...rule, operations: ["UPDATE"] }] }, false],
    ["by group", { rules: [{ ...rule, apiGroups: ["apps"] }] }, false],
    ["by any group", { rules: [{ ...rule, apiGroups: ["*"] }] }, true],
    ["by resource", { rules: [{ ...rule, resources: ["pods", "configmaps/*"] }] }, true],
    ["by subresource", { rules: [{ ...rule, resources: ["configmaps/status"] }] }, false],
    ["by all resources", { rules: [{ ...rule, resources: ["*"] }] }, true],
    ["by scope", { rules: [{ ...rule, scope: "Cluster" }] }, false],
    [
      "by the namespace's labels",
      { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "default" } } },
      true,
    ],
    [
      "by the namespace's lack of labels",
      { namespaceSelector: { matchExpressions: [{ key: "off", operator: "Exists" }] } },
      false,
    ],
    ["by the object's labels", { objectSelector: { matchLabels: { app: "x" } } }, true],
    ["by other labels of the object", { objectSelector: { matchLabels: { app: "y" } } }, false],
  ];
  for (const [name, webhook, asked] of rows) {
    test(name, async () => {
      await configure("Validating", { rules: [rule], ...webhook });
      expect((await make("one", {}, { app: "x" })).code).toBe(201);
      expect(hooks.asked.length).toBe(asked ? 1 : 0);
    });
  }

  test("but never about webhooks", async () => {
    await configure("Validating", {
      rules: [{ operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"] }],
    });
    hooks.hook = () => ({ allowed: false });
    expect((await api.ask("DELETE", `/apis/${GROUP}/v1/validatingwebhookconfigurations`)).code).toBe(200);
    expect(hooks.asked).toEqual([]);
  });

  test("on dry runs only if they have no side effects", async () => {
    await configure("Validating", { sideEffects: "None" });
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "dry" } };
    expect((await api.ask("POST", `${MAPS}?dryRun=All`, { body })).code).toBe(201);
    expect(hooks.asked[0]?.dryRun).toBe(true);
  });
});

describe("a webhook that cannot be asked", () => {
  const broken: [
    name: string,
    webhook: () => object,
    hook: () => object | Response | Promise<object>,
    says: string | RegExp,
  ][] = [
    [
      "has no server",
      () => ({ clientConfig: { caBundle: hooks.caBundle, service: { name: "absent", namespace: "default" } } }),
      () => ({}),
      '": service "absent" not found',
    ],
    [
      "has another certificate",
      () => ({
        clientConfig: {
          url: `https://127.0.0.1:${hooks.port}/x`,
          caBundle: Buffer.from(api.server.caPem).toString("base64"),
        },
      }),
      () => ({}),
      /Post "https:\/\/127.0.0.1:\d+\/x\?timeout=10s": .*(certificate|CERT|altnames)/i,
    ],
    ["answers an error", () => ({}), () => new Response("oops", { status: 500 }), "the server answered 500: oops"],
    ["answers no review", () => ({}), () => new Response("{}"), "expected response.kind=AdmissionReview"],
    [
      "answers without end",
      () => ({}),
      () => new Response(new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(1 << 20)) })),
      "the answer is too large",
    ],
    ["answers another's review", () => ({}), () => ({ uid: "x", allowed: true }), "expected response.uid="],
    [
      "takes too long",
      () => ({ timeoutSeconds: 1 }),
      () => Bun.sleep(5000).then(() => ({ allowed: true })),
      "context deadline exceeded",
    ],
  ];
  for (const [name, webhook, hook, says] of broken) {
    test(`because it ${name} refuses, unless that is to be ignored`, async () => {
      await configure("Mutating", webhook());
      hooks.hook = hook;
      const { code, body } = await make("failing");
      expect(body.message).toStartWith('Internal error occurred: failed calling webhook "w0.example.com": ');
      if (typeof says === "string") expect(body.message).toContain(says);
      else expect(body.message).toMatch(says);
      expect(code).toBe(500);
      await api.ask("DELETE", `/apis/${GROUP}/v1/mutatingwebhookconfigurations`);
      await configure("Mutating", { ...webhook(), failurePolicy: "Ignore" });
      expect((await make("failing")).code).toBe(201);
      expect(api.warnings.splice(0)).toEqual([expect.stringContaining("ignored, as its failurePolicy says")]);
    });
  }

  test("because nothing listens there refuses", async () => {
    network.ports.delete(`${POD_IP}:8443`);
    await configure("Mutating", {});
    const { code, body } = await make("failing");
    network.ports.set(`${POD_IP}:8443`, hooks.port);
    expect(code).toBe(500);
    expect(body.message).toContain('Post "https://hooks.default.svc:443/w0?timeout=10s": ');
  });
});

test("a namespace that begins to go while a webhook thinks takes nothing any more", async () => {
  const namespace: KubeObject = { apiVersion: "v1", kind: "Namespace", metadata: { name: "racing" } };
  await api.server.api.create("namespaces", namespace);
  await configure("Validating", {});
  hooks.hook = async () => {
    await api.server.api.delete("namespaces", "", "racing");
    return { allowed: true };
  };
  const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "late" } };
  expect((await api.ask("POST", "/api/v1/namespaces/racing/configmaps", { body })).code).toBe(403);
});
