import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:tls";
import type { KubeObject } from "@bowline/kube";
import { RunningApi } from "../testing/running-api.ts";

let api: RunningApi;

beforeAll(async () => {
  api = await RunningApi.start();
});

afterAll(async () => {
  await api.stop();
  expect(api.warnings).toEqual([]);
});

const MAPS = "/api/v1/namespaces/default/configmaps";

function configMap(name: string, data: Record<string, string> = {}, metadata: object = {}): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...metadata }, data };
}

describe("creating", () => {
  test("answers the object with what the server decides", async () => {
    const { code, body } = await api.ask("POST", MAPS, { body: configMap("made", { a: "b" }) });
    expect(code).toBe(201);
    expect(body.metadata.namespace).toBe("default");
    expect(body.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(body.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Number(body.metadata.resourceVersion)).toBeGreaterThan(0);
    expect((await api.ask("GET", `${MAPS}/made`)).body).toEqual(body);
  });

  test("names what has only the beginning of a name", async () => {
    const made = await Promise.all(
      [1, 2, 3].map(() => api.ask("POST", MAPS, { body: { ...configMap(""), metadata: { generateName: "gen-" } } })),
    );
    const names = made.map(({ body }) => body.metadata.name);
    for (const name of names) expect(name).toMatch(/^gen-[b-z2-9]{5}$/);
    expect(new Set(names).size).toBe(3);
  });

  const refused: {
    name: string;
    path?: string;
    body: unknown;
    headers?: Record<string, string>;
    code: number;
    says: string;
  }[] = [
    {
      name: "a name that is taken",
      body: configMap("default-taken"),
      code: 409,
      says: 'configmaps "default-taken" already exists',
    },
    { name: "no name", body: { ...configMap(""), metadata: {} }, code: 422, says: "name or generateName is required" },
    { name: "a bad name", body: configMap("Not_A_Name"), code: 422, says: "metadata.name" },
    {
      name: "a version",
      body: configMap("v", {}, { resourceVersion: "1" }),
      code: 400,
      says: "resourceVersion should not be set on objects to be created",
    },
    {
      name: "another namespace",
      body: configMap("n", {}, { namespace: "kube-system" }),
      code: 400,
      says: "the namespace of the provided object does not match the namespace sent on the request",
    },
    {
      name: "a namespace that is not",
      path: "/api/v1/namespaces/nowhere/configmaps",
      body: configMap("x"),
      code: 404,
      says: 'namespaces "nowhere" not found',
    },
    {
      name: "another kind",
      body: { apiVersion: "v1", kind: "Secret", metadata: { name: "x" } },
      code: 400,
      says: "Secret",
    },
    { name: "text that is no JSON", body: "{", code: 400, says: "json parse error" },
    { name: "nothing", body: "", code: 400, says: "the body of the request is empty" },
    {
      name: "an unknown type of content",
      body: "x",
      headers: { "content-type": "text/csv" },
      code: 415,
      says: "unknown format",
    },
    { name: "a wrong type of field", body: { ...configMap("x"), data: { a: 1 } }, code: 400, says: "data" },
    {
      name: "an unknown field, if strict",
      path: `${MAPS}?fieldValidation=Strict`,
      body: { ...configMap("x"), foo: 1 },
      code: 400,
      says: 'unknown field "foo"',
    },
    {
      name: "an unknown path",
      path: "/api/v1/namespaces/default/nothings",
      body: configMap("x"),
      code: 404,
      says: "404 page not found",
    },
  ];
  for (const { name, path = MAPS, body, headers = {}, code, says } of refused) {
    test(`refuses ${name}`, async () => {
      if (code === 409) await api.ask("POST", path, { body, headers });
      const answer = await api.ask("POST", path, { body, headers });
      expect(answer.body.message).toContain(says);
      expect(answer.code).toBe(code);
    });
  }

  test("warns of unknown fields and leaves them out", async () => {
    const { code, headers, body } = await api.ask("POST", MAPS, { body: { ...configMap("warned"), foo: 1 } });
    expect(code).toBe(201);
    expect(headers.get("warning")).toBe('299 - "unknown field \\"foo\\""');
    expect(body["foo"]).toBeUndefined();
  });

  test("takes YAML, and no more than three megabytes", async () => {
    const headers = { "content-type": "application/yaml" };
    const yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-yaml}\ndata: {a: b}\n";
    expect((await api.ask("POST", MAPS, { body: yaml, headers })).code).toBe(201);
    const large = await api.ask("POST", MAPS, { body: configMap("large", { a: "x".repeat(3 << 20) }) });
    expect(large.code).toBe(413);
    expect((await api.ask("GET", `${MAPS}/from-yaml`)).code).toBe(200);
  });

  test("takes nothing that would reach JavaScript's own prototypes, or the end of its stack", async () => {
    const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
    const rows: [body: string, contentType: string, says: string | RegExp][] = [
      ['{"metadata":{"name":"x"},"data":{"__proto__":"a"}}', "application/json", "__proto__"],
      ['{"metadata":{"name":"x"},"data":{"\\u005f_proto__":{"a":"b"}}}', "application/json", "__proto__"],
      ["metadata: {name: x}\ndata: {__proto__: {a: b}}\n", "application/yaml", "__proto__"],
      [`{"metadata":{"name":"x"},"data":${deep}}`, "application/json", /nested deeper than|json parse error/],
      [`metadata: {name: x, labels: ${"[".repeat(1000)}${"]".repeat(1000)}}`, "application/yaml", "nested deeper than"],
    ];
    for (const [body, contentType, says] of rows) {
      const refused = await api.ask("POST", MAPS, { body, headers: { "content-type": contentType } });
      expect([contentType, refused.code]).toEqual([contentType, 400]);
      expect(refused.body.message).toMatch(says);
    }
    const patch = [{ op: "add", path: "/data/__proto__/a", value: "b" }];
    const headers = { "content-type": "application/json-patch+json" };
    expect((await api.ask("PATCH", `${MAPS}/from-yaml`, { body: patch, headers })).code).toBe(400);
    expect(({} as Record<string, unknown>)["a"]).toBeUndefined();
  });

  test("does nothing on a dry run", async () => {
    const { code, body } = await api.ask("POST", `${MAPS}?dryRun=All`, { body: configMap("dry") });
    expect(code).toBe(201);
    expect(body.metadata.uid).toBeDefined();
    expect((await api.ask("GET", `${MAPS}/dry`)).code).toBe(404);
  });
});

describe("updating", () => {
  test("of an old version is a conflict", async () => {
    const { body: made } = await api.ask("POST", MAPS, { body: configMap("versions", { n: "1" }) });
    const second = await api.ask("PUT", `${MAPS}/versions`, { body: { ...made, data: { n: "2" } } });
    expect(second.code).toBe(200);
    expect(second.body["data"]).toEqual({ n: "2" });
    const third = await api.ask("PUT", `${MAPS}/versions`, { body: { ...made, data: { n: "3" } } });
    expect(third.code).toBe(409);
    expect(third.body.message).toBe(
      'Operation cannot be fulfilled on configmaps "versions": the object has been modified; please apply your changes to the latest version and try again',
    );
    const without = await api.ask("PUT", `${MAPS}/versions`, { body: configMap("versions", { n: "4" }) });
    expect(without.code).toBe(200);
    expect(without.body.metadata.uid).toBe(made.metadata.uid!);
  });

  test("without a change keeps the version", async () => {
    const { body: made } = await api.ask("POST", MAPS, { body: configMap("same", { n: "1" }) });
    const { body } = await api.ask("PUT", `${MAPS}/same`, { body: made });
    expect(body.metadata.resourceVersion).toBe(made.metadata.resourceVersion!);
    const patched = await api.ask("PATCH", `${MAPS}/same`, {
      body: { data: { n: "1" } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect(patched.body.metadata.resourceVersion).toBe(made.metadata.resourceVersion!);
  });

  test("by fifty patches at a time loses none", async () => {
    await api.ask("POST", MAPS, { body: configMap("busy") });
    const headers = { "content-type": "application/merge-patch+json" };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        api.ask("PATCH", `${MAPS}/busy`, { body: { data: { [`k${i}`]: "v" } }, headers }),
      ),
    );
    expect(answers.map(({ code }) => code)).toEqual(Array.from({ length: 50 }, () => 200));
    const { body } = await api.ask("GET", `${MAPS}/busy`);
    expect(Object.keys(body["data"] as object)).toHaveLength(50);
  });

  test("through server-side apply creates what is missing", async () => {
    const headers = { "content-type": "application/apply-patch+yaml" };
    const path = `${MAPS}/applied?fieldManager=me`;
    const first = await api.ask("PATCH", path, { body: configMap("applied", { a: "1" }), headers });
    expect(first.code).toBe(201);
    const second = await api.ask("PATCH", path, { body: configMap("applied", { a: "2" }), headers });
    expect([second.code, second.body["data"]]).toEqual([200, { a: "2" }]);
    expect((await api.ask("PATCH", `${MAPS}/applied`, { body: configMap("applied"), headers })).code).toBe(400);
  });

  test("of what is not there is 404, and of another uid 409", async () => {
    expect((await api.ask("PUT", `${MAPS}/absent`, { body: configMap("absent") })).code).toBe(404);
    await api.ask("POST", MAPS, { body: configMap("mine") });
    const other = await api.ask("PUT", `${MAPS}/mine`, { body: configMap("mine", {}, { uid: "of-another" }) });
    expect(other.code).toBe(409);
    expect(other.body.message).toContain("Precondition failed: UID in precondition: of-another");
    expect((await api.ask("PUT", `${MAPS}/mine`, { body: configMap("yours") })).code).toBe(400);
  });
});

describe("listing", () => {
  const of = (items: KubeObject[]): string[] => items.map(({ metadata }) => metadata.name);

  test("in pages shows one moment", async () => {
    const path = "/api/v1/namespaces/paged/configmaps";
    await api.ask("POST", "/api/v1/namespaces", {
      body: { apiVersion: "v1", kind: "Namespace", metadata: { name: "paged" } },
    });
    for (const name of ["a", "b", "c", "d", "e"]) await api.ask("POST", path, { body: configMap(name) });
    const first = await api.ask("GET", `${path}?limit=2`);
    const meta = first.body.metadata as unknown as {
      continue: string;
      remainingItemCount: number;
      resourceVersion: string;
    };
    expect([of(first.body.items), meta.remainingItemCount]).toEqual([["a", "b"], 3]);
    await api.ask("POST", path, { body: configMap("bb") });
    await api.ask("DELETE", `${path}/d`);
    const second = await api.ask("GET", `${path}?limit=2&continue=${meta.continue}`);
    const { continue: next, resourceVersion } = second.body.metadata as unknown as typeof meta;
    expect([of(second.body.items), resourceVersion]).toEqual([["c", "d"], meta.resourceVersion]);
    const third = await api.ask("GET", `${path}?limit=2&continue=${next}`);
    expect(of(third.body.items)).toEqual(["e"]);
    expect(Object.keys(third.body.metadata)).toEqual(["resourceVersion"]);
    const lost = await api.ask("GET", `${path}?limit=2&continue=nonsense`);
    expect([lost.code, lost.body.reason]).toEqual([410, "Expired"]);
  });

  test("selects by labels and fields", async () => {
    const path = "/api/v1/namespaces/kube-public/configmaps";
    await api.ask("POST", path, { body: configMap("one", {}, { labels: { app: "x", tier: "1" } }) });
    await api.ask("POST", path, { body: configMap("two", {}, { labels: { app: "x", tier: "2" } }) });
    await api.ask("POST", path, { body: configMap("three", {}, { labels: { app: "y" } }) });
    const rows: [query: string, names: string[]][] = [
      ["labelSelector=app%3Dx", ["one", "two"]],
      ["labelSelector=app%20in%20(x,y),tier!%3D1", ["three", "two"]],
      ["labelSelector=!tier", ["three"]],
      ["fieldSelector=metadata.name%3Dtwo", ["two"]],
      ["fieldSelector=metadata.name!%3Dtwo", ["one", "three"]],
      ["fieldSelector=metadata.namespace%3Dother", []],
    ];
    for (const [query, names] of rows) {
      expect([query, of((await api.ask("GET", `${path}?${query}`)).body.items)]).toEqual([query, names]);
    }
    const bad = await api.ask("GET", `${path}?fieldSelector=data.a%3Db`);
    expect([bad.code, bad.body.message]).toEqual([400, "field label not supported: data.a"]);
  });

  test("of a version that is yet to come is 504, and of an exact old one 410", async () => {
    const later = await api.ask("GET", `${MAPS}?resourceVersion=999999&resourceVersionMatch=NotOlderThan`);
    expect([later.code, later.body.message.split(",")[0]]).toEqual([504, "Too large resource version: 999999"]);
    expect((await api.ask("GET", `${MAPS}?resourceVersion=1&resourceVersionMatch=Exact`)).code).toBe(410);
    expect((await api.ask("GET", `${MAPS}?resourceVersion=0`)).code).toBe(200);
  });

  test("shows tables and metadata alone to those who ask for them", async () => {
    const table = await api.ask("GET", MAPS, {
      headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" },
    });
    expect(table.body.kind).toBe("Table");
    expect((table.body["columnDefinitions"] as { name: string }[])[0]?.name).toBe("Name");
    const partial = await api.ask("GET", MAPS, {
      headers: { accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io" },
    });
    expect(partial.body.kind).toBe("PartialObjectMetadataList");
    expect(Object.keys(partial.body.items[0] ?? {}).sort()).toEqual(["apiVersion", "kind", "metadata"]);
    const yaml = await api.raw("GET", `${MAPS}/made`, { headers: { accept: "application/yaml" } });
    expect(await yaml.text()).toContain("kind: ConfigMap\n");
    expect((await api.ask("GET", MAPS, { headers: { accept: "text/html" } })).code).toBe(406);
  });
});

describe("a client that goes away", () => {
  test("in the middle of a body or an answer does no harm", async () => {
    for (const head of [`POST ${MAPS}`, "GET /openapi/v2"]) {
      const socket = connect({ host: "127.0.0.1", port: api.server.port, ca: api.server.caPem });
      await new Promise<void>((resolve) => socket.once("secureConnect", () => resolve()));
      const lines = [
        `${head} HTTP/1.1`,
        "Host: x",
        `Authorization: Bearer ${api.server.adminToken}`,
        "Content-Length: 1000",
      ];
      socket.write(`${lines.join("\r\n")}\r\n\r\n{"kind":`);
      if (head.startsWith("GET")) await new Promise<void>((resolve) => socket.once("data", () => resolve()));
      socket.destroy();
    }
    expect((await api.ask("GET", "/readyz")).code).toBe(200);
  });
});
