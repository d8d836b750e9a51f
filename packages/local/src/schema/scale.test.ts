import { expect, test } from "bun:test";
import type { ResourceType } from "./resource-type.ts";
import { scaleOf, withScale } from "./scale.ts";
import { created, cronTab, faultsOf, named, registryWithCronTab, typeOf, workload } from "./testing/objects.ts";

const registry = registryWithCronTab();
const deployment = created(registry, workload("Deployment", { replicas: 3 }));

test("a Deployment's scale", () => {
  const object = { ...deployment, status: { replicas: 2 } };
  expect(scaleOf(typeOf(registry, object), object)).toEqual({
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name: "web", namespace: "default", uid: "uid-1", creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { replicas: 3 },
    status: { replicas: 2, selector: "app=web" },
  });
});

test("a custom object's scale is where its definition says", () => {
  const object = { ...created(registry, cronTab({})), status: { replicas: 1, labelSelector: "a=b" } };
  const scale = scaleOf(typeOf(registry, object), object);
  expect(scale).toMatchObject({ spec: { replicas: 1 }, status: { replicas: 1, selector: "a=b" } });
});

test("scaling makes a copy with other replicas, of the version that was seen", () => {
  const scale = named("autoscaling/v1", "Scale", { spec: { replicas: 7 } }, "web");
  scale.metadata.resourceVersion = "12";
  const scaled = withScale(typeOf(registry, deployment), deployment, scale);
  expect(scaled["spec"]).toEqual({ ...(deployment["spec"] as object), replicas: 7 });
  expect(scaled.metadata.resourceVersion).toBe("12");
  expect(deployment.metadata.resourceVersion).toBeUndefined();
});

test.each([-1, 1.5, "2"])("%j replicas are refused", (replicas) => {
  const scale = named("autoscaling/v1", "Scale", { spec: { replicas } }, "web");
  expect(faultsOf(() => withScale(typeOf(registry, deployment), deployment, scale))).toEqual([
    `spec.replicas: Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`,
  ]);
});

test("what cannot be scaled has no scale", () => {
  const object = named("v1", "ConfigMap");
  expect(() => scaleOf(typeOf(registry, object), object)).toThrow("not found");
});

test("scaling reaches nothing that all objects share, whatever the definition says", () => {
  const object = created(registry, cronTab({}));
  const type = typeOf(registry, object);
  const paths = { specReplicas: ".__proto__.polluted", statusReplicas: ".status.replicas" };
  const scaled: ResourceType = Object.create(type, { subresources: { value: { status: true, scale: paths } } });
  withScale(scaled, object, named("autoscaling/v1", "Scale", { spec: { replicas: 7 } }));
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});
