import { describe, expect, test } from "bun:test";
import { SchemaRegistry } from "../registry.ts";
import { type JsonObject, objectAt } from "../schema.ts";
import { cronTabDefinition, registryWithCronTab } from "../testing/objects.ts";

const registry = registryWithCronTab();
const DEPLOYMENT = "io.k8s.api.apps.v1.Deployment";
const CRON_TAB = "com.example.stable.v1.CronTab";

describe("version 2", () => {
  const document = registry.openApiV2Json() as JsonObject;
  const definitions = objectAt(document, "definitions");

  test("names every kind by group, version and kind", () => {
    expect(objectAt(definitions, DEPLOYMENT)["x-kubernetes-group-version-kind"]).toEqual([
      { group: "apps", kind: "Deployment", version: "v1" },
    ]);
    expect(objectAt(definitions, CRON_TAB)["x-kubernetes-group-version-kind"]).toEqual([
      { group: "stable.example.com", kind: "CronTab", version: "v1" },
    ]);
    expect(definitions["com.example.stable.v1beta1.CronTabList"]).toBeDefined();
  });

  test("tells kubectl how lists are merged", () => {
    expect(objectAt(definitions, "io.k8s.api.core.v1.PodSpec", "properties", "containers")).toMatchObject({
      type: "array",
      items: { $ref: "#/definitions/io.k8s.api.core.v1.Container" },
      "x-kubernetes-patch-merge-key": "name",
      "x-kubernetes-patch-strategy": "merge",
    });
  });

  test("leaves open what old clients would refuse", () => {
    const properties = objectAt(definitions, CRON_TAB, "properties", "spec", "properties");
    expect(properties["port"]).toEqual({ "x-kubernetes-int-or-string": true });
    expect(properties["note"]).toEqual({});
    expect(properties["cronSpec"]).toEqual({ description: "When it runs.", type: "string" });
  });

  test("refers to nothing that is not there", () => {
    const missing = referencesIn(document).filter(
      (name) => definitions[name.replace("#/definitions/", "")] === undefined,
    );
    expect(missing).toEqual([]);
  });
});

describe("version 2 as protobuf", () => {
  const bytes = registry.openApiV2();

  test("holds the same", () => {
    const document = readMessage(bytes);
    expect(text(document.get(1)?.[0])).toBe("2.0");
    const definitions = readMessage(document.get(9)?.[0]).get(1) ?? [];
    const named = new Map(
      definitions.map((entry) => [text(readMessage(entry).get(1)?.[0]), readMessage(entry).get(2)?.[0]]),
    );
    expect([...named.keys()].sort()).toEqual(Object.keys(objectAt(registry.openApiV2Json(), "definitions")).sort());

    const deployment = readMessage(named.get(DEPLOYMENT));
    expect(text(deployment.get(4)?.[0])).toBe("Deployment enables declarative updates for Pods and ReplicaSets.");
    expect(text(readMessage(deployment.get(22)?.[0]).get(1)?.[0])).toBe("object");
    const extension = readMessage(deployment.get(31)?.[0]);
    expect(text(extension.get(1)?.[0])).toBe("x-kubernetes-group-version-kind");
    expect(JSON.parse(text(readMessage(extension.get(2)?.[0]).get(2)?.[0]))).toEqual([
      { group: "apps", kind: "Deployment", version: "v1" },
    ]);

    const required = readMessage(named.get("io.k8s.api.apps.v1.DeploymentSpec")).get(19)?.map(text);
    expect(required).toEqual(["selector", "template"]);
  });

  test("is made once until a definition changes", () => {
    const own = new SchemaRegistry();
    const before = own.openApiV2();
    expect(own.openApiV2()).toBe(before);
    own.addCrd(cronTabDefinition());
    expect(own.openApiV2().length).toBeGreaterThan(before.length);
  });
});

describe("version 3", () => {
  test("has a document for each group version, at an address that changes with it", () => {
    const own = registryWithCronTab();
    const before = own.openApiV3Index().paths;
    expect(before["apis/apps/v1"]?.serverRelativeURL).toMatch(/^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]{32}$/);
    for (const path of Object.keys(before)) expect(own.openApiV3(path)).toBeDefined();
    expect(own.openApiV3("apis/nowhere/v1")).toBeUndefined();
    own.addCrd(
      cronTabDefinition({
        names: { plural: "crontabs", kind: "CronTab" },
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
      }),
    );
    const after = own.openApiV3Index().paths;
    expect(after["apis/stable.example.com/v1"]).not.toEqual(before["apis/stable.example.com/v1"]);
    expect(after["apis/stable.example.com/v1beta1"]).toBeUndefined();
    expect(after["apis/apps/v1"]).toEqual(before["apis/apps/v1"] ?? { serverRelativeURL: "" });
  });

  test("says what kubectl looks for before it sends: kinds and parameters of patches", () => {
    const document = registry.openApiV3("apis/apps/v1") as JsonObject;
    const patch = objectAt(document, "paths", "/apis/apps/v1/namespaces/{namespace}/deployments/{name}", "patch");
    expect(patch["x-kubernetes-group-version-kind"]).toEqual({ group: "apps", version: "v1", kind: "Deployment" });
    const parameters = patch["parameters"] as { name: string }[];
    expect(parameters.map(({ name }) => name)).toEqual(["dryRun", "fieldManager", "fieldValidation", "force"]);
  });

  test("wraps references that have something beside them", () => {
    const document = registry.openApiV3("apis/apps/v1");
    const strategy = objectAt(
      document,
      "components",
      "schemas",
      "io.k8s.api.apps.v1.DeploymentSpec",
      "properties",
      "strategy",
    );
    expect(strategy).toMatchObject({
      allOf: [{ $ref: "#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy" }],
      "x-kubernetes-patch-strategy": "retainKeys",
    });
  });

  test.each(Object.keys(registry.openApiV3Index().paths))("%s refers to nothing that is not there", (path) => {
    const document = registry.openApiV3(path);
    const schemas = objectAt(document, "components", "schemas");
    const missing = referencesIn(document).filter(
      (name) => schemas[name.replace("#/components/schemas/", "")] === undefined,
    );
    expect(missing).toEqual([]);
  });
});

function referencesIn(document: unknown): string[] {
  return [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] ?? "");
}

/** The fields of a protobuf message that are texts or messages, by their numbers. */
function readMessage(bytes: Uint8Array | undefined): Map<number, Uint8Array[]> {
  const fields = new Map<number, Uint8Array[]>();
  let at = 0;
  const varint = (): number => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = bytes?.[at++] ?? 0;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  };
  while (bytes !== undefined && at < bytes.length) {
    const tag = varint();
    expect(tag & 7).toBe(2);
    const length = varint();
    const content = bytes.subarray(at, at + length);
    expect(content.length).toBe(length);
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), content]);
    at += length;
  }
  return fields;
}

function text(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}
