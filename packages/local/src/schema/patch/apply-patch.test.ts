import { describe, expect, test } from "bun:test";
import { ApiError, type KubeObject } from "@bowline/kube";
import { created, cronTab, named, registryWithCronTab, typeOf, workload } from "../testing/objects.ts";
import { applyPatch } from "./apply-patch.ts";

const registry = registryWithCronTab();
const JSON_PATCH = "application/json-patch+json";
const MERGE = "application/merge-patch+json; charset=utf-8";
const STRATEGIC = "application/strategic-merge-patch+json";

function patched(object: KubeObject, patch: unknown, contentType: string): KubeObject {
  return applyPatch(typeOf(registry, object), object, patch, contentType);
}

const deployment = created(registry, workload("Deployment"));

describe("each sort of patch", () => {
  test.each<[string, unknown]>([
    [
      JSON_PATCH,
      [
        { op: "test", path: "/spec/replicas", value: 1 },
        { op: "replace", path: "/spec/replicas", value: 3 },
      ],
    ],
    [MERGE, { spec: { replicas: 3 } }],
    [STRATEGIC, { spec: { replicas: 3 } }],
  ])("%s makes a new object and leaves the old", (contentType, patch) => {
    const before = structuredClone(deployment);
    const result = patched(deployment, patch, contentType);
    expect(result).toEqual({ ...before, spec: { ...(before["spec"] as object), replicas: 3 } });
    expect(deployment).toEqual(before);
    expect(result.metadata).not.toBe(deployment.metadata);
  });

  test("strategic ones know lists' keys, also in templates", () => {
    const patch = {
      spec: {
        template: {
          spec: {
            containers: [
              { name: "app", image: "web:2" },
              { name: "log", image: "log:1" },
            ],
          },
        },
      },
    };
    expect(patched(deployment, patch, STRATEGIC)["spec"]).toMatchObject({
      template: {
        spec: {
          containers: [
            { name: "app", image: "web:2", terminationMessagePolicy: "File" },
            { name: "log", image: "log:1" },
          ],
        },
      },
    });
  });
});

describe("refused", () => {
  test.each<[string, KubeObject, string, unknown, number, RegExp]>([
    [
      "a test that fails",
      deployment,
      JSON_PATCH,
      [{ op: "test", path: "/spec/replicas", value: 7 }],
      422,
      /operation 0, test of \/spec\/replicas/,
    ],
    [
      "a path that is not there",
      deployment,
      JSON_PATCH,
      [{ op: "remove", path: "/spec/nothing" }],
      422,
      /remove of \/spec\/nothing/,
    ],
    ["a list that is none", deployment, JSON_PATCH, { op: "remove" }, 400, /a list of operations/],
    ["a patch that is no object", deployment, MERGE, "x", 400, /expected an object/],
    ["a patch that removes metadata", deployment, MERGE, { metadata: null }, 400, /leaves no object/],
    ["an unknown sort", deployment, "text/plain", {}, 415, /accepted media types include: .*strategic-merge-patch/],
    ["a strategic patch of a custom kind", created(registry, cronTab({})), STRATEGIC, {}, 415, /apply-patch\+yaml$/],
  ])("%s", (_, object, contentType, patch, code, said) => {
    let refusal: unknown;
    try {
      patched(object, patch, contentType);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(ApiError);
    expect((refusal as ApiError).code).toBe(code);
    expect((refusal as ApiError).message).toMatch(said);
  });

  test("to make an object of anything but an applied configuration", () => {
    const type = typeOf(registry, named("v1", "ConfigMap"));
    expect(() => applyPatch(type, undefined, {}, MERGE)).toThrow("ConfigMap does not exist");
  });

  test.each([
    [JSON_PATCH, '[{ "op": "add", "path": "/__proto__/polluted", "value": true }]'],
    [MERGE, '{ "__proto__": { "polluted": true } }'],
    [MERGE, '{ "metadata": { "labels": { "__proto__": { "polluted": true } } } }'],
    [STRATEGIC, '{ "spec": { "__proto__": { "polluted": true } } }'],
  ])("%s to reach JavaScript's prototypes: %s", (contentType, patch) => {
    expect(() => patched(deployment, JSON.parse(patch), contentType)).toThrow();
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("nothing for its name: a label may be called as JavaScript's own fields are", () => {
    const labels = { constructor: "a", toString: "b" };
    expect(patched(deployment, { metadata: { labels } }, MERGE).metadata.labels).toEqual(labels);
  });
});
