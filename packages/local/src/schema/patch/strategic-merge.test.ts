import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { JsonObject, Schema } from "../schema.ts";
import { orderAsAsked } from "./element-order.ts";
import { mergePatch } from "./merge-patch.ts";
import { strategicMerge } from "./strategic-merge.ts";

const POD_SPEC: Schema = { $ref: "core/v1.PodSpec" };
const DEPLOYMENT_SPEC: Schema = { $ref: "apps/v1.DeploymentSpec" };
const METADATA: Schema = { $ref: "meta/v1.ObjectMeta" };

const [a, b, c] = ["a", "b", "c"].map((name) => ({ name, image: `${name}:1` }));

describe("strategic merge", () => {
  test.each<[string, Schema, JsonObject, JsonObject, JsonObject]>([
    [
      "items by their key",
      POD_SPEC,
      { containers: [a, b] },
      { containers: [{ name: "b", image: "b:2" }, c] },
      { containers: [a, { name: "b", image: "b:2" }, c] },
    ],
    [
      "deep in an item",
      POD_SPEC,
      { containers: [{ ...a, env: [{ name: "X", value: "1" }] }] },
      { containers: [{ name: "a", env: [{ name: "Y", value: "2" }] }] },
      {
        containers: [
          {
            ...a,
            env: [
              { name: "X", value: "1" },
              { name: "Y", value: "2" },
            ],
          },
        ],
      },
    ],
    [
      "deletes an item",
      POD_SPEC,
      { containers: [a, b] },
      { containers: [{ name: "a", $patch: "delete" }] },
      { containers: [b] },
    ],
    [
      "replaces a list",
      POD_SPEC,
      { containers: [a, b] },
      { containers: [c ?? {}, { $patch: "replace" }] },
      { containers: [c] },
    ],
    [
      "replaces an object",
      POD_SPEC,
      { securityContext: { runAsUser: 1 } },
      { securityContext: { $patch: "replace", runAsGroup: 2 } },
      { securityContext: { runAsGroup: 2 } },
    ],
    [
      "empties an object",
      POD_SPEC,
      { securityContext: { runAsUser: 1 } },
      { securityContext: { $patch: "delete" } },
      { securityContext: {} },
    ],
    [
      "removes by null",
      POD_SPEC,
      { hostname: "h", containers: [{ ...a, command: ["x"] }] },
      { hostname: null, containers: [{ name: "a", command: null }] },
      { containers: [a] },
    ],
    [
      "lists without a key as a whole",
      POD_SPEC,
      { tolerations: [{ key: "a" }] },
      { tolerations: [{ key: "b" }] },
      { tolerations: [{ key: "b" }] },
    ],
    [
      "primitive lists into one",
      METADATA,
      { finalizers: ["a", "b"] },
      { finalizers: ["b", "c"] },
      { finalizers: ["a", "b", "c"] },
    ],
    [
      "values out of a primitive list",
      METADATA,
      { finalizers: ["a", "b"] },
      { "$deleteFromPrimitiveList/finalizers": ["a"] },
      { finalizers: ["b"] },
    ],
    [
      "only the keys retained",
      DEPLOYMENT_SPEC,
      { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } },
      { strategy: { $retainKeys: ["type"], type: "Recreate" } },
      { strategy: { type: "Recreate" } },
    ],
    [
      "a volume of another kind",
      POD_SPEC,
      { volumes: [{ name: "v", emptyDir: {} }] },
      { volumes: [{ name: "v", $retainKeys: ["name", "configMap"], configMap: { name: "c" } }] },
      { volumes: [{ name: "v", configMap: { name: "c" } }] },
    ],
    [
      "in the order asked for",
      POD_SPEC,
      { containers: [a, b] },
      { "$setElementOrder/containers": [{ name: "c" }, { name: "b" }, { name: "a" }], containers: [c] },
      { containers: [c, b, a] },
    ],
  ])("%s", (_, schema, original, patch, expected) => {
    expect(strategicMerge(schema, structuredClone(original), structuredClone(patch))).toEqual(expected);
  });

  test("leaves nothing of its directives in what it adds", () => {
    const ports = [
      { containerPort: 1, $patch: "delete" },
      { containerPort: 2, $patch: "merge" },
    ];
    const result = strategicMerge(POD_SPEC, {}, { containers: [{ name: "a", $patch: "merge", ports }] });
    expect(result).toEqual({ containers: [{ name: "a", ports: [{ containerPort: 2 }] }] });
  });

  test.each<[string, JsonObject, RegExp]>([
    ["a directive that is none", { containers: [{ name: "a", $patch: "explode" }] }, /unknown patch type "explode"/],
    ["an item without its key", { containers: [{ image: "x" }] }, /does not contain declared merge key: name/],
  ])("refuses %s", (_, patch, said) => {
    expect(() => strategicMerge(POD_SPEC, { containers: [a] }, patch)).toThrow(said);
  });
});

describe("order", () => {
  test.each<[string, string, string]>([
    ["abc", "cba", "cba"],
    ["xabc", "ba", "xbac"],
    ["axbyc", "cba", "xycba"],
    ["abc", "", "abc"],
  ])("%s asked for as %s", (list, order, expected) => {
    expect(orderAsAsked(list.split(""), order.split(""), undefined).join("")).toBe(expected);
  });

  test("keeps what is there, whatever is asked for", () => {
    const names = fc.uniqueArray(fc.constantFrom<string>("a", "b", "c", "d", "e", "f"));
    fc.assert(
      fc.property(names, names, (list, order) => {
        const items = list.map((name) => ({ name }));
        const result = orderAsAsked(
          items,
          order.map((name) => ({ name })),
          "name",
        ) as { name: string }[];
        expect(result.map(({ name }) => name).sort()).toEqual([...list].sort());
        const asked = order.filter((name) => list.includes(name));
        expect(result.map(({ name }) => name).filter((name) => order.includes(name))).toEqual(asked);
        expect(result.map(({ name }) => name).filter((name) => !order.includes(name))).toEqual(
          list.filter((name) => !order.includes(name)),
        );
      }),
    );
  });
});

// The examples of RFC 7386, appendix A.
test.each<[unknown, unknown, unknown]>([
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [
    ["a", "b"],
    ["c", "d"],
    ["c", "d"],
  ],
  [{ a: "b" }, ["c"], ["c"]],
  [{ a: "foo" }, null, null],
  [{ a: "foo" }, "bar", "bar"],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
])("merge patch of %j by %j", (target, patch, result) => {
  expect(mergePatch(structuredClone(target), patch)).toEqual(result);
});
