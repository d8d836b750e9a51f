import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rejectionOf } from "@bowline/testkit";
import { type ClientOptions, KubeClient } from "./client.ts";
import { RESOURCES } from "./resources.ts";
import { type KeyPair, selfSigned } from "./testing/certificates.ts";
import {
  plainConfig,
  type Received,
  type Script,
  type ScriptedServer,
  sendJson,
  startScriptedServer,
} from "./testing/scripted-server.ts";
import type { ConfigMap, Pod } from "./types.ts";

const MAP: ConfigMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "map", namespace: "shop" },
  data: { a: "1" },
};
const OK: Script = (_, response) => sendJson(response, 200, MAP);

async function served(
  script: Script,
  options?: ClientOptions,
): Promise<{ server: ScriptedServer; client: KubeClient }> {
  const server = await startScriptedServer(script);
  return { server, client: new KubeClient(plainConfig(server.url), options) };
}

describe("what a call asks for", () => {
  const rows: [name: string, call: (client: KubeClient) => Promise<unknown>, want: Partial<Received>][] = [
    [
      "get",
      (client) => client.get(RESOURCES.configmaps, "shop", "map"),
      { method: "GET", path: "/api/v1/namespaces/shop/configmaps/map", query: {} },
    ],
    [
      "get of a cluster-scoped kind",
      (client) => client.get(RESOURCES.clusterroles, "", "system:node"),
      { path: "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode" },
    ],
    [
      "create",
      (client) =>
        client.create(RESOURCES.configmaps, MAP, { dryRun: true, fieldManager: "me", fieldValidation: "Strict" }),
      {
        method: "POST",
        path: "/api/v1/namespaces/shop/configmaps",
        query: { dryRun: "All", fieldManager: "me", fieldValidation: "Strict" },
        body: JSON.stringify(MAP),
      },
    ],
    [
      "replace of a status",
      (client) => client.replace(RESOURCES.configmaps, MAP, { subresource: "status" }),
      { method: "PUT", path: "/api/v1/namespaces/shop/configmaps/map/status", body: JSON.stringify(MAP) },
    ],
    [
      "patch",
      (client) =>
        client.patch(RESOURCES.configmaps, "shop", "map", [{ op: "remove", path: "/data" }], { type: "json" }),
      { method: "PATCH", body: '[{"op":"remove","path":"/data"}]' },
    ],
    [
      "apply",
      (client) => client.apply(RESOURCES.configmaps, MAP, { force: true }),
      { method: "PATCH", query: { force: "true", fieldManager: "bowline" } },
    ],
    [
      "delete",
      (client) =>
        client.delete(RESOURCES.configmaps, "shop", "map", { gracePeriodSeconds: 0, preconditions: { uid: "u" } }),
      {
        method: "DELETE",
        body: '{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0,"preconditions":{"uid":"u"}}',
      },
    ],
    [
      "a pod's port",
      (client) => client.proxyPod("shop", "web-0", 4191, "/metrics?x=1"),
      { path: "/api/v1/namespaces/shop/pods/web-0%3A4191/proxy/metrics", query: { x: "1" } },
    ],
    [
      "a service's port",
      (client) => client.proxyService("shop", "web", "http", "/"),
      { path: "/api/v1/namespaces/shop/services/web%3Ahttp/proxy/" },
    ],
  ];
  test.each(rows)("%s", async (_name, call, want) => {
    const { server, client } = await served(OK);
    await using _ = server;
    await call(client);
    expect(server.received).toHaveLength(1);
    expect(server.received[0]).toMatchObject(want);
  });

  test.each([
    ["json", "application/json-patch+json"],
    ["merge", "application/merge-patch+json"],
    ["strategic", "application/strategic-merge-patch+json"],
  ] as const)("a %s patch has its type", async (type, contentType) => {
    const { server, client } = await served(OK);
    await using _ = server;
    await client.patch(RESOURCES.configmaps, "shop", "map", {}, { type });
    expect(server.received[0]?.headers["content-type"]).toBe(contentType);
  });

  test("credentials, impersonation and who we are", async () => {
    await using server = await startScriptedServer(OK);
    let token = "one";
    const config = plainConfig(server.url, {
      authorization: () => `Bearer ${token}`,
      impersonate: { user: "jane", group: "devs" },
    });
    const client = new KubeClient(config, { userAgent: "bowline/1" });
    await client.get(RESOURCES.configmaps, "shop", "map");
    token = "two";
    await client.get(RESOURCES.configmaps, "shop", "map");
    expect(server.received.map(({ headers }) => headers.authorization)).toEqual(["Bearer one", "Bearer two"]);
    expect(server.received[0]?.headers).toMatchObject({
      "impersonate-user": "jane",
      "impersonate-group": "devs",
      "user-agent": "bowline/1",
    });
  });
});

test("a list is fetched page by page, and its items say what they are", async () => {
  const { server, client } = await served(({ query }, response) => {
    const from = Number(query["continue"] ?? 0);
    const items = [from, from + 1].map((at) => ({ metadata: { name: `p${at}` } }));
    const metadata = {
      resourceVersion: "9",
      ...(from < 4 ? { continue: String(from + 2), remainingItemCount: 1 } : {}),
    };
    sendJson(response, 200, { kind: "PodList", apiVersion: "v1", metadata, items });
  });
  await using _ = server;
  const list = await client.list<Pod>(RESOURCES.pods, {
    namespace: "shop",
    labelSelector: { matchLabels: { app: "web" } },
    fieldSelector: "status.phase=Running",
    limit: 2,
  });
  expect(list.items.map(({ metadata }) => metadata.name)).toEqual(["p0", "p1", "p2", "p3", "p4", "p5"]);
  expect(list.items[5]).toMatchObject({ kind: "Pod", apiVersion: "v1" });
  expect(list.metadata).toEqual({ resourceVersion: "9" });
  expect(server.received.map(({ query }) => query)).toEqual([
    { labelSelector: "app=web", fieldSelector: "status.phase=Running", limit: "2" },
    { labelSelector: "app=web", fieldSelector: "status.phase=Running", limit: "2", continue: "2" },
    { labelSelector: "app=web", fieldSelector: "status.phase=Running", limit: "2", continue: "4" },
  ]);
});

describe("refusals", () => {
  const status = {
    kind: "Status",
    status: "Failure",
    reason: "Conflict",
    message: "changed",
    code: 409,
    details: { name: "map" },
  };
  const rows: [name: string, code: number, body: string, want: object][] = [
    [
      "a Status",
      409,
      JSON.stringify(status),
      { code: 409, reason: "Conflict", message: "changed", details: { name: "map" } },
    ],
    ["plain text", 502, "bad gateway", { code: 502, reason: "Unknown", message: "bad gateway" }],
    ["nothing", 403, "", { code: 403, reason: "Forbidden" }],
    ["JSON of another kind", 404, '{"error":"x"}', { code: 404, reason: "NotFound", message: '{"error":"x"}' }],
    ["a redirect", 302, "", { code: 302 }],
  ];
  test.each(rows)("%s", async (_name, code, body, want) => {
    const { server, client } = await served((_, response) => response.writeHead(code).end(body));
    await using _ = server;
    expect(await rejectionOf(client.get(RESOURCES.configmaps, "shop", "map"))).toMatchObject({
      name: "ApiError",
      ...want,
    });
  });

  test("a server that asks for patience gets it", async () => {
    let asked = 0;
    const { server, client } = await served((_, response) => {
      if (asked++ < 2) response.writeHead(429, { "retry-after": "0" }).end();
      else sendJson(response, 200, MAP);
    });
    await using _ = server;
    expect(await client.get<ConfigMap>(RESOURCES.configmaps, "shop", "map")).toEqual(MAP);
    expect(asked).toBe(3);
  });

  test("raw gives whatever was answered", async () => {
    const { server, client } = await served((_, response) => response.writeHead(418).end("teapot"));
    await using _ = server;
    const response = await client.raw("PUT", "/x", { body: "b", query: { a: 1, b: undefined } });
    expect([response.status, await response.text()]).toEqual([418, "teapot"]);
    expect(server.received[0]).toMatchObject({ method: "PUT", path: "/x", body: "b", query: { a: "1" } });
  });
});

describe("a server that can't be reached", () => {
  test("refused", async () => {
    const { server, client } = await served(OK);
    await server[Symbol.asyncDispose]();
    const call = client.get(RESOURCES.configmaps, "shop", "map");
    expect(await rejectionOf(call)).toMatchObject({ name: "UnreachableError", code: "ECONNREFUSED" });
    expect((await rejectionOf(call)).message).toMatch(
      /http:\/\/127\.0\.0\.1:\d+: connection refused; is the cluster of context "test"/,
    );
  });

  test("silent before the head, or within the body", async () => {
    for (const script of [() => undefined, (_: Received, response) => void response.write("{")] as Script[]) {
      const { server, client } = await served(script, { requestTimeoutMs: 50 });
      await using _ = server;
      expect(await rejectionOf(client.get(RESOURCES.configmaps, "shop", "map"))).toMatchObject({ code: "TIMEOUT" });
    }
  });

  test("gone in the middle of an answer", async () => {
    const { server, client } = await served((_, response) => {
      response.writeHead(200, { "content-length": "100" }).write("{");
      setImmediate(() => response.destroy());
    });
    await using _ = server;
    expect(await rejectionOf(client.get(RESOURCES.configmaps, "shop", "map"))).toMatchObject({
      name: "UnreachableError",
    });
  });

  test("a caller who loses patience gets their own reason", async () => {
    const { server, client } = await served(() => undefined);
    await using _ = server;
    const impatient = new AbortController();
    const call = client.get(RESOURCES.configmaps, "shop", "map", { signal: impatient.signal });
    impatient.abort(new Error("enough"));
    expect((await rejectionOf(call)).message).toMatch("enough");
  });
});

describe("TLS", () => {
  let server: ScriptedServer;
  let own: KeyPair;
  let strange: KeyPair;
  let user: KeyPair;
  beforeAll(async () => {
    own = selfSigned("server", "IP:127.0.0.1,DNS:kubernetes");
    strange = selfSigned("stranger", "IP:127.0.0.1");
    user = selfSigned("jane", "DNS:jane");
    server = await startScriptedServer(OK, own, user.cert);
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });
  const get = (tls: object): Promise<ConfigMap> => {
    const config = plainConfig(server.url, { tls: { insecure: false, ...tls } });
    return new KubeClient(config).get<ConfigMap>(RESOURCES.configmaps, "shop", "map");
  };

  test("the right authority, and our certificate", async () => {
    await get({ ca: own.cert, cert: user.cert, key: user.key });
    expect(server.received.at(-1)?.certified).toBe(true);
    await get({ ca: own.cert, serverName: "kubernetes" });
    expect(server.received.at(-1)?.certified).toBe(false);
  });

  test("without verification", async () => {
    expect(await get({ insecure: true })).toEqual(MAP);
  });

  test.each([
    ["another authority", () => ({ ca: strange.cert })],
    ["no authority", () => ({})],
    ["another name", () => ({ ca: own.cert, serverName: "elsewhere" })],
  ])("%s is refused, and the message says where to look", async (_name, tls) => {
    const seen = server.received.length;
    expect((await rejectionOf(get(tls()))).message).toMatch(
      /certificate is not trusted .*certificate-authority.*context "test"/,
    );
    expect(server.received).toHaveLength(seen);
  });
});

describe("watch", () => {
  const event = (type: string, version: number): string =>
    `${JSON.stringify({ type, object: { metadata: { name: "a", resourceVersion: String(version) } } })}\n`;

  test("events until the server ends it", async () => {
    const { server, client } = await served((_, response) => {
      response.write(event("ADDED", 5).slice(0, 20));
      response.write(event("ADDED", 5).slice(20) + event("BOOKMARK", 6));
      response.end(event("DELETED", 7));
    });
    await using _ = server;
    const events = await Array.fromAsync(
      client.watch<Pod>(RESOURCES.pods, { resourceVersion: "4", timeoutSeconds: 60 }),
    );
    expect(events.map(({ type, object }) => `${type} ${object.metadata.resourceVersion}`)).toEqual([
      "ADDED 5",
      "BOOKMARK 6",
      "DELETED 7",
    ]);
    expect(server.received[0]?.query).toEqual({
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: "4",
      timeoutSeconds: "60",
    });
  });

  test("410, as an answer and as an event", async () => {
    const expired = { kind: "Status", code: 410, reason: "Expired", message: "too old" };
    for (const script of [
      (_: Received, response) => sendJson(response, 410, expired),
      (_: Received, response) => response.end(`${JSON.stringify({ type: "ERROR", object: expired })}\n`),
    ] as Script[]) {
      const { server, client } = await served(script);
      await using _ = server;
      expect(await rejectionOf(client.watch(RESOURCES.pods).next())).toMatchObject({ code: 410, reason: "Expired" });
    }
  });

  test("a connection that breaks is told as such", async () => {
    const { server, client } = await served((_, response) => {
      response.write(event("ADDED", 1));
      setImmediate(() => response.destroy());
    });
    await using _ = server;
    const watching = Array.fromAsync(client.watch(RESOURCES.pods));
    expect(await rejectionOf(watching)).toMatchObject({ name: "UnreachableError", code: "ECONNRESET" });
  });

  test("leaving the loop closes the connection", async () => {
    const closed = Promise.withResolvers<void>();
    const { server, client } = await served((_, response) => {
      response.on("close", () => closed.resolve());
      response.write(event("ADDED", 1));
    });
    await using _ = server;
    for await (const _event of client.watch(RESOURCES.pods)) break;
    await closed.promise;
  });
});

test("reviews and tokens", async () => {
  const { server, client } = await served(({ path, body }, response) => {
    const status = path.endsWith("/token")
      ? { token: "t", expirationTimestamp: "2026-01-01T00:00:00Z" }
      : path.endsWith("tokenreviews")
        ? { authenticated: true, user: { username: "system:serviceaccount:a:b" } }
        : { allowed: path.endsWith("/selfsubjectaccessreviews"), reason: "because" };
    sendJson(response, 201, { ...(JSON.parse(body) as object), status });
  });
  await using _ = server;
  expect((await client.createToken("shop", "web", { audiences: ["x"] })).token).toBe("t");
  expect(server.received.at(-1)?.path).toBe("/api/v1/namespaces/shop/serviceaccounts/web/token");
  expect((await client.reviewToken("t", ["x"])).user?.username).toBe("system:serviceaccount:a:b");
  expect(JSON.parse(server.received.at(-1)?.body ?? "")).toMatchObject({
    kind: "TokenReview",
    spec: { token: "t", audiences: ["x"] },
  });
  expect(await client.reviewAccess({ verb: "get", resource: "pods" })).toEqual({ allowed: true, reason: "because" });
  expect(await client.reviewAccess({ verb: "get" }, { user: "jane" })).toEqual({ allowed: false, reason: "because" });
  expect(JSON.parse(server.received.at(-1)?.body ?? "")).toMatchObject({ spec: { user: "jane" } });
});

test("discovery: every version, the preferred first, without subresources and broken groups", async () => {
  const answers: Record<string, unknown> = {
    "/api": { versions: ["v1"] },
    "/apis": {
      groups: [
        {
          name: "policy.linkerd.io",
          versions: [{ groupVersion: "policy.linkerd.io/v1alpha1" }, { groupVersion: "policy.linkerd.io/v1beta3" }],
          preferredVersion: { groupVersion: "policy.linkerd.io/v1beta3" },
        },
        { name: "broken", versions: [{ groupVersion: "broken/v1" }] },
      ],
    },
    "/api/v1": {
      groupVersion: "v1",
      resources: [
        { name: "pods", singularName: "", kind: "Pod", namespaced: true, verbs: ["get"], shortNames: ["po"] },
        { name: "pods/status", kind: "Pod", namespaced: true, verbs: ["get"] },
      ],
    },
    "/apis/policy.linkerd.io/v1beta3": {
      groupVersion: "policy.linkerd.io/v1beta3",
      resources: [{ name: "servers", singularName: "server", kind: "Server", namespaced: true, verbs: [] }],
    },
    "/apis/policy.linkerd.io/v1alpha1": { groupVersion: "policy.linkerd.io/v1alpha1", resources: [] },
  };
  const { server, client } = await served(({ path }, response) =>
    path in answers ? sendJson(response, 200, answers[path]) : sendJson(response, 503, {}),
  );
  await using _ = server;
  const found = await client.discover();
  expect(
    found.map(({ group, version, plural, singular, preferred }) => [group, version, plural, singular, preferred]),
  ).toEqual([
    ["", "v1", "pods", "pod", true],
    ["policy.linkerd.io", "v1beta3", "servers", "server", true],
  ]);
});
