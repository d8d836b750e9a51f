import { expect, test } from "bun:test";
import { CATALOG } from "../kinds/catalog.ts";
import type { Schema } from "../schema.ts";
import { definitionOf, openApiNameOf, resolveDefinition } from "./definitions.ts";
import { DeclarationModule } from "./parse-declarations.ts";
import { SOURCES } from "./sources.ts";

test("every kind, its list and all that they refer to are declared", () => {
  const seen = new Set<string>();
  const visit = (schema: Schema): void => {
    if (schema.$ref !== undefined) {
      if (seen.has(schema.$ref)) return;
      seen.add(schema.$ref);
    }
    const { properties = {}, items, additionalProperties } = resolveDefinition(schema);
    Object.values(properties).forEach(visit);
    if (items !== undefined) visit(items);
    if (typeof additionalProperties === "object") visit(additionalProperties);
  };
  for (const { definition } of CATALOG) {
    visit({ $ref: definition });
    visit({ $ref: `${definition}List` });
  }
  expect(seen.size).toBeGreaterThan(180);
  expect(seen).toContain("core/v1.ResourceFieldSelector");
});

test("no field of a published type is lost", () => {
  for (const [module, text] of Object.entries(SOURCES)) {
    const declarations = new DeclarationModule(module, text);
    const parsed = [...declarations.names()].flatMap((name) =>
      Object.keys(declarations.schema(name)?.properties ?? {}),
    );
    const written = text
      .split("\n")
      .filter((line) => /^ {4}(readonly )?["$\w]/.test(line) && !line.startsWith("    [name"));
    expect([module, parsed.length]).toEqual([module, written.length]);
  }
});

test.each<[string, string, Partial<Schema>]>([
  [
    "core/v1.PodSpec",
    "containers",
    { type: "array", items: { $ref: "core/v1.Container" }, "x-kubernetes-patch-merge-key": "name" },
  ],
  ["core/v1.PodSpec", "nodeSelector", { type: "object", additionalProperties: { type: "string" } }],
  [
    "core/v1.PodSpec",
    "dnsPolicy",
    { type: "string", enum: ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"] },
  ],
  ["core/v1.ServicePort", "targetPort", { "x-kubernetes-int-or-string": true }],
  ["meta/v1.ObjectMeta", "creationTimestamp", { type: "string", format: "date-time" }],
  ["core/v1.ResourceRequirements", "limits", { additionalProperties: { $ref: "api/resource.Quantity" } }],
  ["apps/v1.DeploymentSpec", "template", { $ref: "core/v1.PodTemplateSpec" }],
  [
    "apps/v1.DeploymentSpec",
    "strategy",
    { $ref: "apps/v1.DeploymentStrategy", "x-kubernetes-patch-strategy": "retainKeys" },
  ],
  [
    "apiextensions/v1.JSONSchemaProps",
    "properties",
    { additionalProperties: { $ref: "apiextensions/v1.JSONSchemaProps" } },
  ],
  ["apiextensions/v1.JSONSchemaProps", "x-kubernetes-list-map-keys", { type: "array", items: { type: "string" } }],
  ["apiextensions/v1.JSONSchemaProps", "minimum", { type: "number" }],
])("%s.%s", (definition, field, expected) => {
  expect(definitionOf(definition).properties?.[field]).toMatchObject(expected);
});

test("descriptions lose the marks of their comments", () => {
  const { description = "", properties = {} } = definitionOf("core/v1.Container");
  expect(description).toBe("A single application container that you want to run within a pod.");
  for (const { description: text = "" } of Object.values(properties)) expect(text).not.toMatch(/^\s*\*|\*\/|\/\*/m);
});

test.each([
  ["core/v1.Pod", "io.k8s.api.core.v1.Pod"],
  ["meta/v1.ObjectMeta", "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"],
  ["api/resource.Quantity", "io.k8s.apimachinery.pkg.api.resource.Quantity"],
  ["apiregistration/v1.APIService", "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService"],
])("%s is %s in OpenAPI", (definition, name) => {
  expect(openApiNameOf(definition)).toBe(name);
});

test("a definition that is not declared is our mistake", () => {
  expect(() => definitionOf("core/v1.Nothing")).toThrow("no declaration of core/v1.Nothing");
});
