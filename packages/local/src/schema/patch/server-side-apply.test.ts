import { describe, expect, test } from "bun:test";
import { ApiError, type KubeObject } from "@bowline/kube";
import { objectAt, objectsAt } from "../schema.ts";
import { created, cronTab, named, podSpec, registryWithCronTab, typeOf, workload } from "../testing/objects.ts";
import { applyPatch } from "./apply-patch.ts";
import { recordUpdate } from "./managed-fields.ts";

const registry = registryWithCronTab();
const NOW = "2026-01-01T00:00:00Z";

/** The object as the API server would store it after an apply. */
function apply(live: KubeObject | undefined, config: object, manager: string, force = false): KubeObject {
  const type = typeOf(registry, config as KubeObject);
  const result = applyPatch(type, live, config, "application/apply-patch+yaml", {
    fieldManager: manager,
    force,
    now: NOW,
  });
  Object.assign(result.metadata, { namespace: "default", uid: "uid-1", creationTimestamp: NOW });
  type.prepare(result, live === undefined ? "create" : "update", live === undefined ? {} : { old: live });
  return result;
}

function edit(live: KubeObject, manager: string, change: (draft: KubeObject) => void): KubeObject {
  const draft = structuredClone(live);
  change(draft);
  recordUpdate(typeOf(registry, live), live, draft, manager, NOW);
  return draft;
}

function conflictOf(run: () => unknown): ApiError {
  try {
    run();
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error("there was no conflict");
}

function configMap(data: Record<string, string>): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" }, data };
}

function deployment(spec: object, containers: object[] = [{ name: "app", image: "web:1" }]): object {
  const { metadata, ...rest } = workload("Deployment", spec, { containers });
  return { ...rest, metadata: { name: metadata.name } };
}

describe("one manager", () => {
  test("adds what it newly says and removes what it no longer says", () => {
    const first = apply(undefined, configMap({ a: "1", b: "2" }), "me");
    expect(first["data"]).toEqual({ a: "1", b: "2" });
    const second = apply(first, configMap({ b: "3", c: "4" }), "me");
    expect(second["data"]).toEqual({ b: "3", c: "4" });
  });

  test("owns what it says, and is noted with it", () => {
    const { metadata } = apply(undefined, configMap({ a: "1" }), "me");
    expect(metadata.managedFields).toEqual([
      {
        manager: "me",
        operation: "Apply",
        apiVersion: "v1",
        time: NOW,
        fieldsType: "FieldsV1",
        fieldsV1: { "f:data": { "f:a": {} } },
      },
    ]);
  });

  test("removes items of lists by their keys, and leaves defaults alone", () => {
    const sidecar = {
      name: "log",
      image: "log:1",
      env: [
        { name: "A", value: "1" },
        { name: "B", value: "2" },
      ],
    };
    const first = apply(undefined, deployment({}, [{ name: "app", image: "web:1" }, sidecar]), "me");
    const second = apply(
      first,
      deployment({}, [
        { name: "app", image: "web:2" },
        { ...sidecar, env: [{ name: "B", value: "2" }] },
      ]),
      "me",
    );
    const containers = objectsAt(second, "spec", "template", "spec", "containers");
    expect(containers).toMatchObject([
      { image: "web:2", terminationMessagePolicy: "File" },
      { env: [{ name: "B", value: "2" }] },
    ]);
    const third = apply(second, deployment({}), "me");
    expect(objectsAt(third, "spec", "template", "spec", "containers")).toHaveLength(1);
    expect(objectAt(third, "spec")["replicas"]).toBe(1);
  });

  test("applying the same again changes nothing", () => {
    const config = deployment({ replicas: 2 }, [{ name: "app", image: "web:1", ports: [{ containerPort: 80 }] }]);
    const first = apply(undefined, config, "me");
    expect(apply(first, config, "me")).toEqual(first);
  });

  test("ports are told apart by their protocol too, which may be left out", () => {
    const ports = (list: object[]) => deployment({}, [{ name: "app", image: "x", ports: list }]);
    const first = apply(undefined, ports([{ containerPort: 53 }, { containerPort: 53, protocol: "UDP" }]), "me");
    const second = apply(
      first,
      ports([
        { containerPort: 53, name: "dns" },
        { containerPort: 53, protocol: "UDP" },
      ]),
      "me",
    );
    expect(objectsAt(second, "spec", "template", "spec", "containers")[0]?.["ports"]).toEqual([
      { containerPort: 53, protocol: "TCP", name: "dns" },
      { containerPort: 53, protocol: "UDP" },
    ]);
  });

  test("of a custom kind merges the lists that are maps", () => {
    const first = apply(undefined, cronTab({ jobs: [{ name: "a" }, { name: "b" }] }), "me");
    const second = apply(first, cronTab({ jobs: [{ name: "c" }] }), "other");
    expect(objectsAt(second, "spec", "jobs").map((job) => job["name"])).toEqual(["a", "b", "c"]);
    const third = apply(second, cronTab({ jobs: [{ name: "b" }] }), "me");
    expect(objectsAt(third, "spec", "jobs").map((job) => job["name"])).toEqual(["b", "c"]);
  });
});

describe("several managers", () => {
  test("share a field as long as they agree, and the last one removes it", () => {
    let object = apply(undefined, configMap({ a: "1" }), "one");
    object = apply(object, configMap({ a: "1" }), "two");
    object = apply(object, configMap({}), "one");
    expect(object["data"]).toEqual({ a: "1" });
    object = apply(object, configMap({}), "two");
    expect(object["data"] ?? {}).toEqual({});
  });

  test("conflict where they differ, with the field and the other's name", () => {
    const first = apply(undefined, deployment({ replicas: 2 }), "one");
    const conflict = conflictOf(() =>
      apply(first, deployment({ replicas: 3 }, [{ name: "app", image: "web:2" }]), "two"),
    );
    expect(conflict.code).toBe(409);
    expect(conflict.message).toBe(
      'Apply failed with 2 conflicts: conflicts with "one" using apps/v1:\n- .spec.template.spec.containers[name="app"].image\n- .spec.replicas',
    );
    expect(conflict.details?.causes).toContainEqual({
      reason: "FieldManagerConflict",
      message: 'conflict with "one" using apps/v1',
      field: ".spec.replicas",
    });
  });

  test("take a field over by force, and the other no longer has it", () => {
    const first = apply(undefined, configMap({ a: "1", b: "1" }), "one");
    const second = apply(first, configMap({ a: "2" }), "two", true);
    expect(second["data"]).toEqual({ a: "2", b: "1" });
    const third = apply(second, configMap({ b: "1" }), "one");
    expect(third["data"]).toEqual({ a: "2", b: "1" });
  });

  test("a plain update takes fields from who applied them", () => {
    const first = apply(undefined, deployment({ replicas: 2 }), "one");
    const scaled = edit(first, "scaler", (draft) => Object.assign(objectAt(draft, "spec"), { replicas: 5 }));
    expect(conflictOf(() => apply(scaled, deployment({ replicas: 2 }), "one")).message).toBe(
      'Apply failed with 1 conflict: conflict with "scaler" using apps/v1: .spec.replicas',
    );
    expect(objectAt(apply(scaled, deployment({}), "one"), "spec")["replicas"]).toBe(5);
  });

  test("what was made by a program that keeps no record belongs to somebody", () => {
    const live = created(registry, named("v1", "ConfigMap", { data: { a: "1" } }));
    expect(conflictOf(() => apply(live, configMap({ a: "2" }), "me")).message).toContain('"before-first-apply"');
    expect(apply(live, configMap({ a: "1", b: "2" }), "me")["data"]).toEqual({ a: "1", b: "2" });
  });

  test("values owned as a whole may leave out their defaults", () => {
    const env = [{ name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }];
    const config = deployment({}, [{ name: "app", image: "x", env }]);
    const live = created(
      registry,
      workload("Deployment", {}, podSpec({ containers: [{ name: "app", image: "x", env }] })),
    );
    expect(() => apply(structuredClone(live), config, "me")).not.toThrow();
  });
});

describe("refused", () => {
  test.each<[string, object, string, RegExp]>([
    [
      "a field that is not known",
      { ...configMap({}), foo: 1 },
      "me",
      /failed to create typed patch object \(\/x; v1, Kind=ConfigMap\): \.foo: field not declared in schema/,
    ],
    ["nobody", configMap({}), "", /fieldManager is required/],
    [
      "fields that are already managed",
      { ...configMap({}), metadata: { name: "x", managedFields: [{}] } },
      "me",
      /managedFields must be nil/,
    ],
  ])("%s", (_, config, manager, said) => {
    expect(() => apply(undefined, config, manager)).toThrow(said);
  });
});

describe("updates", () => {
  const first = apply(undefined, configMap({ a: "1", b: "1" }), "one");
  const managersOf = (object: KubeObject) =>
    Object.fromEntries(
      (object.metadata.managedFields ?? []).map((entry) => [`${entry.manager} ${entry.operation}`, entry.fieldsV1]),
    );

  test("are noted by what they change", () => {
    const second = edit(first, "two", (draft) => Object.assign(draft, { data: { a: "2", b: "1" } }));
    expect(managersOf(second)).toEqual({
      "one Apply": { "f:data": { "f:b": {} } },
      "two Update": { "f:data": { "f:a": {} } },
    });
  });

  test("take what they remove from everybody", () => {
    const second = edit(first, "two", (draft) => Object.assign(draft, { data: { b: "1" } }));
    expect(managersOf(second)).toEqual({ "one Apply": { "f:data": { "f:b": {} } } });
  });

  test("that change nothing are not noted", () => {
    expect(edit(first, "two", (draft) => draft.metadata.name).metadata.managedFields).toEqual(
      first.metadata.managedFields,
    );
  });

  test("of the status are noted apart", () => {
    const live = created(registry, workload("Deployment"));
    const draft = structuredClone(live);
    draft["status"] = { replicas: 3 };
    recordUpdate(typeOf(registry, live), live, draft, "ctl", NOW, "status");
    expect(draft.metadata.managedFields).toEqual([
      {
        manager: "ctl",
        operation: "Update",
        apiVersion: "apps/v1",
        subresource: "status",
        time: NOW,
        fieldsType: "FieldsV1",
        fieldsV1: { "f:status": { "f:replicas": {} } },
      },
    ] as unknown as NonNullable<typeof draft.metadata.managedFields>);
  });
});
