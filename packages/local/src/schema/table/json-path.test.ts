import { expect, test } from "bun:test";
import { parseJsonPath } from "./json-path.ts";

test("descents that multiply end with nothing", () => {
  const items = Array.from({ length: 20 }, (_, i) => ({ a: { b: { c: i } } }));
  expect(parseJsonPath("..c")({ items })).toHaveLength(20);
  expect(parseJsonPath("..a..b".repeat(100) + "..*".repeat(100))({ items })).toEqual([]);
  expect(parseJsonPath("..*".repeat(100))({ items })).toEqual([]);
});

const OBJECT = {
  metadata: { name: "x", annotations: { "a.b/c": "dotted" } },
  spec: {
    replicas: 3,
    hosts: ["a", "b", "c"],
    rules: [
      { name: "one", port: 1 },
      { name: "two", port: 2 },
    ],
  },
  status: {
    conditions: [
      { type: "Ready", status: "True" },
      { type: "Old", status: "False" },
    ],
  },
};

test.each<[string, unknown[]]>([
  [".spec.replicas", [3]],
  ["{.spec.replicas}", [3]],
  ["$.spec.replicas", [3]],
  [".metadata.annotations.a\\.b/c", ["dotted"]],
  [".metadata.annotations['a.b/c']", ["dotted"]],
  ['.metadata.annotations["a.b/c"]', ["dotted"]],
  [".spec.hosts[0]", ["a"]],
  [".spec.hosts[-1]", ["c"]],
  [".spec.hosts[1:]", ["b", "c"]],
  [".spec.hosts[0:2]", ["a", "b"]],
  [".spec.hosts[0,2]", ["a", "c"]],
  [".spec.hosts[*]", ["a", "b", "c"]],
  [".spec.rules[*].name", ["one", "two"]],
  [".spec.rules.*.port", [1, 2]],
  ['.status.conditions[?(@.type=="Ready")].status', ["True"]],
  [".status.conditions[?(@.type!='Ready')].status", ["False"]],
  [".spec.rules[?(@.port > 1)].name", ["two"]],
  [".spec.rules[?(@.port)].name", ["one", "two"]],
  ["..port", [1, 2]],
  [".spec.nothing.below", []],
  [".spec.hosts[9]", []],
  [".spec.replicas.x", []],
])("%s", (path, found) => {
  expect(parseJsonPath(path)(OBJECT)).toEqual(found);
});

test.each([".spec[", ".spec[?(@.a ==)]", ".a[b]", ".a b]["])("%s cannot be read", (path) => {
  expect(() => parseJsonPath(path)).toThrow(SyntaxError);
});
