import { describe, expect, test } from "bun:test";
import { SchemaRegistry } from "./registry.ts";
import {
  cronTab,
  cronTabDefinition,
  faultsOf,
  named,
  registryWithCronTab,
  typeOf,
  workload,
} from "./testing/objects.ts";

describe("types", () => {
  const registry = registryWithCronTab();

  test("are found by plural and by kind", () => {
    expect(registry.find("", "pods")?.kind).toBe("Pod");
    expect(registry.find("apps", "deployments")?.shortNames).toEqual(["deploy"]);
    expect(registry.findKind("discovery.k8s.io/v1", "EndpointSlice")?.plural).toBe("endpointslices");
    expect(registry.find("stable.example.com", "crontabs")?.storedAs).toBe("crontabs.stable.example.com");
    expect(registry.find("extensions", "deployments")).toBeUndefined();
    expect(registry.findKind("apps/v1beta1", "Deployment")).toBeUndefined();
  });

  test("have every plural once in a group", () => {
    const keys = registry.types().map(({ group, plural }) => `${group}/${plural}`);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.length).toBeGreaterThan(34);
  });

  test("of both groups of events share what is stored, each in its own words", () => {
    const [older, newer] = [registry.find("", "events"), registry.find("events.k8s.io", "events")];
    expect([older?.storedAs, newer?.storedAs]).toEqual(["events", "events"]);
    const event = named("events.k8s.io/v1", "Event", { note: "hello", regarding: { kind: "Pod" }, deprecatedCount: 2 });
    const stored = newer?.toStored(event);
    expect(stored).toMatchObject({ apiVersion: "v1", message: "hello", involvedObject: { kind: "Pod" }, count: 2 });
    expect(stored === undefined ? undefined : newer?.fromStored(stored, "v1")).toEqual(event);
  });
});

describe("definitions", () => {
  test("come, change and go, and whoever listens is told", () => {
    const registry = new SchemaRegistry();
    let told = 0;
    const stop = registry.onChange(() => told++);
    registry.addCrd(cronTabDefinition());
    expect(registry.findKind("stable.example.com/v1beta1", "CronTab")?.versions).toEqual(["v1", "v1beta1"]);
    registry.addCrd(cronTabDefinition({ names: { plural: "crontabs", kind: "CronTab", shortNames: ["cron"] } }));
    expect(registry.find("stable.example.com", "crontabs")?.shortNames).toEqual(["cron"]);
    registry.removeCrd("crontabs.stable.example.com");
    expect(registry.find("stable.example.com", "crontabs")).toBeUndefined();
    expect(told).toBe(3);
    stop();
    registry.addCrd(cronTabDefinition());
    expect(told).toBe(3);
  });

  test("of several versions prefer the most stable", () => {
    const registry = new SchemaRegistry();
    const version = (name: string) => ({
      name,
      served: true,
      storage: name === "v1",
      schema: { openAPIV3Schema: { type: "object" } },
    });
    registry.addCrd(cronTabDefinition({ versions: ["v1alpha1", "v2beta1", "v1", "v10", "v2", "foo"].map(version) }));
    expect(registry.find("stable.example.com", "crontabs")?.versions).toEqual([
      "v10",
      "v2",
      "v1",
      "v2beta1",
      "v1alpha1",
      "foo",
    ]);
  });
});

describe("decode", () => {
  const registry = registryWithCronTab();

  test.each<[string, object, string]>([
    ["an unknown field", workload("Deployment", { foo: 1 }), 'unknown field "spec.foo"'],
    [
      "a field that every object of JavaScript has",
      workload("Deployment", { constructor: 1 }),
      'unknown field "spec.constructor"',
    ],
    [
      "an unknown field of a list's item",
      workload("Deployment", {}, { containers: [{ name: "a", imagee: "x" }] }),
      'unknown field "spec.template.spec.containers[0].imagee"',
    ],
    ["an unknown field of a custom kind", cronTab({ foo: 1 }), 'unknown field "spec.foo"'],
    [
      "an unknown field of metadata",
      { ...cronTab({}), metadata: { name: "x", foo: 1 } },
      'unknown field "metadata.foo"',
    ],
  ])("%s is warned of, refused or dropped, as is asked for", (_, object, said) => {
    const copy = () => structuredClone(object) as ReturnType<typeof cronTab>;
    const type = typeOf(registry, copy());
    expect(registry.decode(type, copy(), "Warn").warnings).toEqual([said]);
    expect(registry.decode(type, copy(), "Ignore").warnings).toEqual([]);
    expect(JSON.stringify(registry.decode(type, copy(), "Ignore").object)).not.toMatch(/foo|imagee|constructor/);
    expect(faultsOf(() => registry.decode(type, copy(), "Strict"))).toEqual([
      expect.stringContaining(`strict decoding error: ${said}`),
    ]);
  });

  test.each<[string, object, string]>([
    [
      "text for a number",
      workload("Deployment", { replicas: "2" }),
      "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    ],
    [
      "a fraction for a number",
      workload("Deployment", { replicas: 1.5 }),
      "cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas",
    ],
    [
      "a number for text",
      workload("Deployment", {}, { containers: [{ name: 1 }] }),
      "cannot unmarshal number into Go struct field Container.spec.template.spec.containers.name of type string",
    ],
    [
      "an object for a list",
      workload("Deployment", {}, { containers: {} }),
      "cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []",
    ],
    [
      "a number among labels",
      named("v1", "ConfigMap", { data: { a: 1 } }),
      "cannot unmarshal number into Go struct field ConfigMap.data.a of type string",
    ],
  ])("%s is refused with the field's path", (_, object, said) => {
    const body = structuredClone(object) as ReturnType<typeof cronTab>;
    expect(faultsOf(() => registry.decode(typeOf(registry, body), body, "Ignore"))).toEqual([
      expect.stringContaining(said),
    ]);
  });

  test("null is as good as absent, a quantity may be a number, a port either", () => {
    const pod = named("v1", "Pod", {
      spec: {
        volumes: null,
        containers: [
          {
            name: "a",
            image: "x",
            resources: { limits: { cpu: 1, memory: "1Gi" } },
            livenessProbe: { tcpSocket: { port: "http" } },
          },
        ],
      },
    });
    const { object } = registry.decode(typeOf(registry, pod), pod, "Strict");
    expect(object["spec"]).toEqual({
      containers: [
        {
          name: "a",
          image: "x",
          resources: { limits: { cpu: "1", memory: "1Gi" } },
          livenessProbe: { tcpSocket: { port: "http" } },
        },
      ],
    });
  });

  test("what a schema leaves open stays", () => {
    const object = cronTab({ free: { a: { b: [1] } }, port: "http" });
    expect(registry.decode(typeOf(registry, object), structuredClone(object), "Strict").object).toEqual(object);
  });

  test.each<[unknown, RegExp]>([
    [[], /is not an object of kind Pod/],
    [{ apiVersion: "v1", kind: "Service", metadata: {} }, /must be of type Pod.*Kind=Service/],
    [{ apiVersion: "v2", kind: "Pod", metadata: {} }, /it is v2, Kind=Pod, expected v1/],
  ])("%j is no pod", (body, said) => {
    const pods = registry.find("", "pods");
    expect(() => pods && registry.decode(pods, body, "Ignore")).toThrow(said);
  });
});
