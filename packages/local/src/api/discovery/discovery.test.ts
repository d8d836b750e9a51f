import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { RunningApi } from "../testing/running-api.ts";
import { byPreference } from "./resources.ts";

let api: RunningApi;

beforeAll(async () => {
  api = await RunningApi.start();
});

afterAll(async () => {
  await api.stop();
});

const CRD = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "gadgets.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "gadgets", singular: "gadget", kind: "Gadget", listKind: "GadgetList", shortNames: ["gg"] },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: { spec: { type: "object", properties: { size: { type: "integer" } } } },
          },
        },
      },
    ],
  },
};

interface Named {
  readonly name: string;
  readonly kind: string;
  readonly verbs: string[];
}

async function resources(path: string): Promise<Named[]> {
  return ((await api.ask("GET", path)).body["resources"] ?? []) as Named[];
}

describe("discovery", () => {
  test("names groups, resources and subresources", async () => {
    expect((await api.ask("GET", "/api")).body["versions"]).toEqual(["v1"]);
    const groups = (await api.ask("GET", "/apis")).body["groups"] as {
      name: string;
      preferredVersion: { version: string };
    }[];
    expect(groups.find(({ name }) => name === "apps")?.preferredVersion.version).toBe("v1");
    expect((await api.ask("GET", "/apis/apps")).body).toMatchObject({ kind: "APIGroup", name: "apps" });
    const core = await resources("/api/v1");
    const names = core.map(({ name }) => name);
    for (const name of [
      "pods",
      "pods/log",
      "pods/exec",
      "pods/status",
      "pods/eviction",
      "services/proxy",
      "serviceaccounts/token",
      "namespaces/finalize",
    ]) {
      expect(names).toContain(name);
    }
    expect((await resources("/apis/apps/v1")).find(({ name }) => name === "deployments/scale")).toMatchObject({
      kind: "Scale",
    });
    expect((await resources("/apis/authorization.k8s.io/v1")).map(({ name }) => name)).toContain(
      "subjectaccessreviews",
    );
    for (const path of ["/apis/nothing", "/apis/apps/v9", "/api/v2", "/apis/apps/v1/x/y/z/w/v"]) {
      expect([path, (await api.ask("GET", path)).code]).toEqual([path, 404]);
    }
  });

  for (const version of ["v2", "v2beta1"]) {
    test(`is one answer to those who take ${version}`, async () => {
      const accept = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList,application/json`;
      const core = await api.ask("GET", "/api", { headers: { accept } });
      expect(core.headers.get("content-type")).toBe(
        `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
      );
      expect(core.body.apiVersion).toBe(`apidiscovery.k8s.io/${version}`);
      const [group] = core.body.items as unknown as {
        versions: { version: string; resources: { resource: string; subresources?: { subresource: string }[] }[] }[];
      }[];
      const pods = group?.versions[0]?.resources.find(({ resource }) => resource === "pods");
      expect(pods?.subresources?.map(({ subresource }) => subresource)).toContain("log");
      const rest = await api.ask("GET", "/apis", { headers: { accept } });
      expect(rest.body.items.map(({ metadata }) => metadata.name)).toContain("apps");
    });
  }

  test("follows custom resources, which are served at once and no longer than defined", async () => {
    const path = "/apis/example.com/v1/namespaces/default/gadgets";
    const gadget = { apiVersion: "example.com/v1", kind: "Gadget", metadata: { name: "g" }, spec: { size: 3 } };
    expect((await api.ask("POST", path, { body: gadget })).code).toBe(404);
    const made = await api.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", { body: CRD });
    expect(made.code).toBe(201);
    expect((await resources("/apis/example.com/v1")).map(({ name }) => name)).toEqual(["gadgets", "gadgets/status"]);
    expect((await api.ask("POST", path, { body: gadget })).code).toBe(201);
    const wrong = { ...gadget, metadata: { name: "h" }, spec: { size: "large" } };
    const refused = await api.ask("POST", path, { body: wrong });
    expect([refused.code, refused.body.message.includes("spec.size")]).toEqual([422, true]);
    const events = api.watch(`${path}?watch=1`);
    expect((await events.next()).value).toMatchObject({ type: "ADDED", object: { spec: { size: 3 } } });
    await events.return(undefined);
    api = await api.restart();
    expect((await api.ask("GET", `${path}/g`)).body.spec).toEqual({ size: 3 });
    const last = api.watch(`${path}?watch=1`);
    await last.next();
    await api.ask("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.example.com");
    expect((await api.ask("GET", path)).code).toBe(404);
    expect([(await last.next()).value?.type, (await last.next()).done]).toEqual(["DELETED", true]);
    await api.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", { body: CRD });
    expect((await api.ask("GET", path)).body.items).toEqual([]);
  });
});

describe("other paths", () => {
  test("tell health, version, keys and schemas", async () => {
    for (const path of ["/healthz", "/livez", "/readyz"]) expect((await api.ask("GET", path)).body.message).toBe("ok");
    expect((await api.ask("GET", "/version")).body).toMatchObject({
      major: "1",
      gitVersion: expect.stringContaining("bowline") as string,
    });
    const jwks = await api.ask("GET", "/openid/v1/jwks");
    expect(jwks.body["keys"]).toEqual([expect.objectContaining({ kty: "EC", crv: "P-256", alg: "ES256" })]);
    expect(JSON.stringify(jwks.body)).not.toContain('"d"');
    expect((await api.ask("GET", "/openapi/v2")).body["swagger"]).toBe("2.0");
    const index = (await api.ask("GET", "/openapi/v3")).body["paths"] as Record<string, { serverRelativeURL: string }>;
    const apps = index["apis/apps/v1"]?.serverRelativeURL ?? "";
    expect((await api.ask("GET", apps)).body["openapi"]).toStartWith("3.");
    const gnostic = await api.raw("GET", "/openapi/v2", {
      headers: { accept: "application/com.github.proto-openapi.spec.v2@v1.0+protobuf" },
    });
    expect(gnostic.headers.get("content-type")).toBe("application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
    expect((await gnostic.bytes()).length).toBeGreaterThan(1000);
    expect((await api.ask("POST", "/version")).code).toBe(405);
    expect((await api.ask("GET", "/nothing")).code).toBe(404);
  });
});

test("versions are preferred as Kubernetes does", () => {
  const versions = ["v1beta1", "foo", "v2", "v1alpha1", "v1", "v10", "v1beta2", "v2alpha1"];
  expect(versions.sort(byPreference)).toEqual(["v10", "v2", "v1", "v1beta2", "v1beta1", "v2alpha1", "v1alpha1", "foo"]);
});
