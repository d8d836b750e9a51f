import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { applyPatch, type Operation } from "fast-json-patch";
import { DEFAULT_VALUES } from "../values.ts";
import { stringifyValues } from "../values-text.ts";
import { type RunningInjector, startInjector } from "./run-injector.ts";

/** As much of an API server as the injector needs. */
class FakeApi {
  readonly events: Record<string, unknown>[] = [];
  readonly gets: string[] = [];
  readonly namespaces: Record<string, Record<string, string>> = {
    plain: {},
    meshed: { "linkerd.io/inject": "enabled", "config.linkerd.io/proxy-cpu-limit": "1500m", other: "x" },
    opaque: { "config.linkerd.io/opaque-ports": "7000" },
  };
  readonly #server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: (request) => this.#answer(request),
  });

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  async close(): Promise<void> {
    await this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const { pathname } = url;
    if (pathname === "/api/v1/namespaces") {
      if (url.searchParams.has("watch"))
        return new Response(new ReadableStream({}), { headers: { "content-type": "application/json" } });
      const items = Object.entries(this.namespaces).map(([name, annotations]) => namespaceOf(name, annotations));
      return Response.json({ apiVersion: "v1", kind: "NamespaceList", metadata: { resourceVersion: "5" }, items });
    }
    this.gets.push(`${request.method} ${pathname}`);
    if (pathname === "/api/v1/namespaces/late")
      return Response.json(namespaceOf("late", { "linkerd.io/inject": "enabled" }));
    if (pathname === "/apis/apps/v1/namespaces/meshed/replicasets/web-1") {
      const ownerReferences = [
        { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "d-1", controller: true },
      ];
      const metadata = { name: "web-1", uid: "r-1", ownerReferences };
      return Response.json({ apiVersion: "apps/v1", kind: "ReplicaSet", metadata });
    }
    if (request.method === "POST" && pathname.endsWith("/events")) {
      const event = (await request.json()) as Record<string, unknown>;
      this.events.push(event);
      return Response.json(event, { status: 201 });
    }
    if (request.method === "PATCH" && pathname.includes("/events/")) {
      const event = this.events.find(({ metadata }) => pathname.endsWith((metadata as { name: string }).name));
      if (event !== undefined) return Response.json(Object.assign(event, await request.json()));
    }
    const message = `${pathname} not found`;
    return Response.json(
      { kind: "Status", status: "Failure", reason: "NotFound", message, code: 404 },
      { status: 404 },
    );
  }
}

function namespaceOf(name: string, annotations: Record<string, string>): Record<string, unknown> {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, uid: `n-${name}`, resourceVersion: "5", annotations },
  };
}

const directory = mkdtempSync(join(tmpdir(), "bowline-injector-"));
const api = new FakeApi();
let injector: RunningInjector;

function makeKeyPair(commonName: string): void {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const subject = ["-subj", `/CN=${commonName}`, "-addext", "subjectAltName=DNS:injector.test"];
  const files = ["-keyout", join(directory, "tls.key"), "-out", join(directory, "tls.crt")];
  execFileSync("openssl", ["req", "-x509", ...curve, ...subject, ...files], { stdio: "pipe" });
}

beforeAll(async () => {
  makeKeyPair("first");
  writeFileSync(join(directory, "values"), stringifyValues(DEFAULT_VALUES));
  const kubeconfig = {
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    clusters: [{ name: "c", cluster: { server: api.url } }],
    users: [{ name: "u", user: {} }],
  };
  writeFileSync(join(directory, "kubeconfig"), JSON.stringify(kubeconfig));
  injector = await startInjector(
    {
      listen: { host: "127.0.0.1", port: 0 },
      admin: { host: "127.0.0.1", port: 0 },
      valuesPath: join(directory, "values"),
      anchorsPath: join(directory, "absent"),
      tlsDirectory: directory,
      tlsReloadMs: 20,
      kubeconfig: join(directory, "kubeconfig"),
      logLevel: "error",
      logFormat: "plain",
    },
    {},
  );
  await injector.ready;
});

afterAll(async () => {
  await injector.stop();
  await api.close();
  rmSync(directory, { recursive: true });
});

async function post(body: string, method = "POST"): Promise<{ status: number; text: string }> {
  const response = await fetch(`https://127.0.0.1:${injector.port}/`, {
    method,
    ...(method === "POST" ? { body } : {}),
    tls: { ca: readFileSync(join(directory, "tls.crt"), "utf8"), serverName: "injector.test" },
  } as RequestInit);
  return { status: response.status, text: await response.text() };
}

interface Reviewed {
  readonly apiVersion: string;
  readonly allowed: boolean;
  readonly patchType?: string;
  readonly message?: string;
  /** The object as it is after the patch. */
  readonly object: Record<string, never> & {
    metadata: { annotations?: Record<string, string>; labels?: Record<string, string> };
    spec: PodSpec;
  };
  readonly isPatched: boolean;
}

interface PodSpec {
  readonly initContainers?: { name: string; env?: { name: string; value?: string }[] }[];
}

async function review(
  namespace: string,
  object: Record<string, unknown>,
  extra: Record<string, unknown> = {},
  apiVersion = "admission.k8s.io/v1",
): Promise<Reviewed> {
  const kind = { group: "", version: "v1", kind: object["kind"] };
  const request = { uid: "u-1", kind, namespace, operation: "CREATE", object, ...extra };
  const { status, text } = await post(JSON.stringify({ apiVersion, kind: "AdmissionReview", request }));
  expect(status).toBe(200);
  const answer = JSON.parse(text) as {
    apiVersion: string;
    response: { uid: string; allowed: boolean; patchType?: string; patch?: string; status?: { message: string } };
  };
  expect(answer.response.uid).toBe("u-1");
  const patch = JSON.parse(Buffer.from(answer.response.patch ?? "W10=", "base64").toString()) as Operation[];
  return {
    apiVersion: answer.apiVersion,
    allowed: answer.response.allowed,
    ...(answer.response.patchType === undefined ? {} : { patchType: answer.response.patchType }),
    ...(answer.response.status === undefined ? {} : { message: answer.response.status.message }),
    object: applyPatch(structuredClone(object), patch).newDocument as Reviewed["object"],
    isPatched: patch.length > 0,
  };
}

function pod(metadata: Record<string, unknown> = {}, spec: Record<string, unknown> = {}): Record<string, unknown> {
  const containers = [{ name: "web", image: "web", ports: [{ containerPort: 3306 }, { containerPort: 8080 }] }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { generateName: "web-1-", ...metadata },
    spec: { containers, ...spec },
  };
}

const OWNED = {
  ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-1", uid: "r-1", controller: true }],
};

async function metrics(): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${injector.adminPort}/metrics`)).text();
}

async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("it did not come true within 5 s");
    await Bun.sleep(5);
  }
}

describe("the proxy injector", () => {
  test("says how it is", async () => {
    for (const [path, status, text] of [
      ["/ping", 200, "pong\n"],
      ["/ready", 200, "ok\n"],
      ["/x", 404, "404 page not found\n"],
    ] as const) {
      const response = await fetch(`http://127.0.0.1:${injector.adminPort}${path}`);
      expect([response.status, await response.text()]).toEqual([status, text]);
    }
  });

  test("injects pods of a namespace that asks for it, and tells their Deployment", async () => {
    const { object, allowed, patchType } = await review("meshed", pod(OWNED));
    expect([allowed, patchType]).toEqual([true, "JSONPatch"]);
    expect(object.spec.initContainers?.map(({ name }) => name)).toEqual(["linkerd-init", "linkerd-proxy"]);
    const cores = object.spec.initContainers?.[1]?.env?.find(({ name }) => name === "LINKERD2_PROXY_CORES_MAX");
    expect(cores?.value).toBe("2");
    expect(object.metadata.labels).toEqual({
      "linkerd.io/control-plane-ns": "linkerd",
      "linkerd.io/workload-ns": "meshed",
      "linkerd.io/proxy-deployment": "web",
    });
    expect(object.metadata.annotations).toMatchObject({
      "linkerd.io/inject": "enabled",
      "config.linkerd.io/proxy-cpu-limit": "1500m",
      "config.linkerd.io/opaque-ports": "3306",
    });
    expect(object.metadata.annotations).not.toHaveProperty("other");
    await review("meshed", pod(OWNED));
    await eventually(() => api.events.some((event) => event["count"] === 2));
    expect(api.events).toHaveLength(1);
    expect(api.events[0]).toMatchObject({
      involvedObject: { kind: "Deployment", name: "web", namespace: "meshed", uid: "d-1" },
      reason: "Injected",
      type: "Normal",
    });
    expect(api.gets.filter((line) => line.endsWith("/replicasets/web-1"))).toHaveLength(1);
    expect(await metrics()).toContain(
      'proxy_inject_admission_responses_total{owner_kind="deployment",namespace="meshed",annotation_at="namespace",skip="false",skip_reason="",config_linkerd_io_proxy_cpu_limit="1500m"} 2',
    );
  });

  test("believes no reference to an owner whose uid is another's", async () => {
    const ownerReferences = OWNED.ownerReferences.map((reference) => ({ ...reference, uid: "r-2" }));
    const { object } = await review("meshed", pod({ ownerReferences }));
    expect(object.metadata.labels).toMatchObject({ "linkerd.io/proxy-replicaset": "web-1" });
    expect(object.metadata.labels).not.toHaveProperty("linkerd.io/proxy-deployment");
  });

  test("skips pods, telling why in an event and a metric", async () => {
    const { object, isPatched, allowed } = await review(
      "plain",
      pod(OWNED, { hostNetwork: true, containers: [{ name: "a" }] }),
    );
    expect([allowed, isPatched]).toEqual([true, false]);
    expect(object.spec.initContainers).toBeUndefined();
    await eventually(() => api.events.some((event) => event["reason"] === "InjectionSkipped"));
    const event = api.events.find(({ reason }) => reason === "InjectionSkipped");
    expect(String(event?.["message"])).toMatch(
      /^Linkerd sidecar proxy injection skipped: hostNetwork is enabled, neither the namespace/,
    );
    expect(await metrics()).toContain(
      'skip="true",skip_reason="host_network_enabled,injection_enable_annotation_absent"',
    );
  });

  test("annotates services and unmeshed pods with opaque ports", async () => {
    const service = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "db" },
      spec: { ports: [{ port: 80, targetPort: 3306 }, { port: 8080 }] },
    };
    expect((await review("plain", service)).object.metadata.annotations).toEqual({
      "config.linkerd.io/opaque-ports": "80",
    });
    expect((await review("opaque", service)).object.metadata.annotations).toEqual({
      "config.linkerd.io/opaque-ports": "7000",
    });
    expect((await review("plain", pod())).object.metadata.annotations).toEqual({
      "config.linkerd.io/opaque-ports": "3306",
    });
  });

  test("asks for a namespace that it has not heard of, and denies when there is none", async () => {
    expect((await review("late", pod())).object.spec.initContainers).toHaveLength(2);
    expect(await review("absent", pod())).toMatchObject({ allowed: false, message: expect.stringContaining("absent") });
  });

  test("writes no event for a dry run, and leaves updates and subresources alone", async () => {
    const before = api.events.length;
    expect(
      (await review("plain", pod({ ...OWNED, annotations: { "linkerd.io/inject": "disabled" } }), { dryRun: true }))
        .allowed,
    ).toBe(true);
    expect((await review("meshed", pod(OWNED), { operation: "UPDATE" })).isPatched).toBe(false);
    expect((await review("meshed", pod(OWNED), { subResource: "ephemeralcontainers" })).isPatched).toBe(false);
    expect(api.events).toHaveLength(before);
  });

  test("answers v1beta1 in kind, and denies what it cannot read", async () => {
    expect((await review("meshed", pod(), {}, "admission.k8s.io/v1beta1")).apiVersion).toBe("admission.k8s.io/v1beta1");
    const broken = await review("meshed", pod({ annotations: { a: 1 } }));
    expect(broken).toMatchObject({
      allowed: false,
      message: "/metadata/annotations/a is not a string: put it in quotes",
    });
  });

  test("takes new values without a restart", async () => {
    const values = { ...DEFAULT_VALUES, proxy: { ...DEFAULT_VALUES.proxy, nativeSidecar: false } };
    writeFileSync(join(directory, "values"), stringifyValues(values));
    expect((await review("meshed", pod())).object.spec.initContainers?.map(({ name }) => name)).toEqual([
      "linkerd-init",
    ]);
    writeFileSync(join(directory, "values"), "proxy: [\n");
    expect(await review("meshed", pod())).toMatchObject({
      allowed: false,
      message: expect.stringContaining("values are no YAML"),
    });
    writeFileSync(join(directory, "values"), stringifyValues(DEFAULT_VALUES));
  });

  const MALFORMED = [
    { name: "no JSON", body: "{" },
    { name: "another object", body: '{"kind":"Pod"}' },
    {
      name: "an unknown version",
      body: '{"kind":"AdmissionReview","apiVersion":"v9","request":{"uid":"a","kind":{}}}',
    },
    { name: "no request", body: '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}' },
    { name: "no uid", body: '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"kind":{}}}' },
  ];
  for (const { name, body } of MALFORMED) {
    test(`refuses ${name} with 400`, async () => {
      expect((await post(body)).status).toBe(400);
    });
  }

  test("refuses other methods, and reviews of more than 10 MB", async () => {
    expect((await post("", "GET")).status).toBe(405);
    expect((await post("x".repeat(10 * 1024 * 1024 + 1))).status).toBe(413);
  });

  test("speaks TLS 1.3 only, with the newest certificate", async () => {
    expect(await handshake("-tls1_3")).toContain("CN = first");
    expect(await handshake("-tls1_2")).toContain("Cipher is (NONE)");
    makeKeyPair("second");
    await eventually(async () => (await peerName()) === "second");
    expect((await review("meshed", pod())).isPatched).toBe(true);
  });
});

async function handshake(version: string): Promise<string> {
  const args = ["s_client", "-connect", `127.0.0.1:${injector.port}`, version];
  return await new Response(Bun.spawn(["openssl", ...args], { stdin: "ignore", stderr: "ignore" }).stdout).text();
}

function peerName(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: injector.port, rejectUnauthorized: false }, () => {
      const { subject } = socket.getPeerCertificate();
      socket.destroy();
      resolve(String(subject.CN));
    });
    socket.once("error", reject);
  });
}
