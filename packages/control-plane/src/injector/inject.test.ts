import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "@bowline/contracts";
import fc from "fast-check";
import { applyPatch, type Operation } from "fast-json-patch";
import { stringify } from "yaml";
import { DEFAULT_VALUES, type Values } from "../values.ts";
import { type InjectionInput, inject } from "./inject.ts";
import type { JsonObject } from "./json-object.ts";
import { skipReasons } from "./report.ts";
import { uninject } from "./uninject.ts";

const INJECT = "linkerd.io/inject";

function pod(annotations: Record<string, string> = {}, spec: Record<string, unknown> = {}): JsonObject {
  const metadata = { name: "web", ...(Object.keys(annotations).length === 0 ? {} : { annotations }) };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: { containers: [{ name: "web", image: "web" }], ...spec } };
}

function run(
  object: JsonObject,
  changes: Partial<InjectionInput> = {},
): ReturnType<typeof inject> & { after: JsonObject } {
  const injection = inject({
    object,
    namespaceAnnotations: {},
    values: DEFAULT_VALUES,
    origin: "cli",
    createdBy: "linkerd/test",
    owner: null,
    namespace: null,
    ...changes,
  });
  return { ...injection, after: patched(object, injection.patch) };
}

function patched(object: JsonObject, patch: readonly unknown[]): JsonObject {
  return applyPatch(structuredClone(object), structuredClone(patch) as Operation[], true).newDocument;
}

describe("whether a pod is injected", () => {
  const YES = null;
  const ROWS: readonly [origin: "cli" | "webhook", namespace: string, pod: string, want: string | null, at: string][] =
    [
      ["webhook", "enabled", "enabled", YES, "namespace"],
      ["webhook", "enabled", "", YES, "namespace"],
      ["webhook", "ingress", "", YES, "namespace"],
      ["webhook", "enabled", "disabled", "injection_disable_annotation_present", "workload"],
      ["webhook", "disabled", "enabled", YES, "workload"],
      ["webhook", "", "enabled", YES, "workload"],
      ["webhook", "", "ingress", YES, "workload"],
      ["webhook", "disabled", "disabled", "injection_enable_annotation_absent", ""],
      ["webhook", "", "disabled", "injection_enable_annotation_absent", ""],
      ["webhook", "disabled", "", "injection_enable_annotation_absent", ""],
      ["webhook", "", "", "injection_enable_annotation_absent", ""],
      ["webhook", "maybe", "enabled", "invalid_inject_annotation_at_ns", ""],
      ["webhook", "enabled", "maybe", "invalid_inject_annotation_at_workload", ""],
      ["cli", "", "", YES, ""],
      ["cli", "", "enabled", YES, ""],
      ["cli", "", "maybe", YES, ""],
      ["cli", "", "disabled", "injection_disable_annotation_present", ""],
    ];
  for (const [origin, namespace, own, want, at] of ROWS) {
    test(`${origin}: namespace ${namespace || "silent"}, pod ${own || "silent"}`, () => {
      const { report, patch } = run(pod(own === "" ? {} : { [INJECT]: own }), {
        origin,
        namespaceAnnotations: namespace === "" ? {} : { [INJECT]: namespace },
      });
      expect([report.injectDisabled, report.injectAnnotationAt]).toEqual([want, at] as never);
      expect(patch.length > 0).toBe(want === YES);
    });
  }

  const TOKEN = {
    ...DEFAULT_VALUES,
    identity: { ...DEFAULT_VALUES.identity, enabled: true, serviceAccountTokenProjection: false },
  };
  const mounted = {
    containers: [
      { name: "web", volumeMounts: [{ name: "t", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }] },
    ],
  };
  const SPECS: readonly { name: string; spec: Record<string, unknown>; values?: Values; want: readonly string[] }[] = [
    { name: "on the host's network", spec: { hostNetwork: true }, want: ["host_network_enabled"] },
    { name: "with a proxy", spec: { containers: [{ name: "linkerd-proxy" }] }, want: ["sidecar_already_exists"] },
    {
      name: "with a native sidecar",
      spec: { initContainers: [{ name: "linkerd-proxy" }] },
      want: ["sidecar_already_exists"],
    },
    {
      name: "with an init container of Istio",
      spec: { initContainers: [{ name: "istio-init" }] },
      want: ["sidecar_already_exists"],
    },
    {
      name: "with an image of Linkerd",
      spec: { containers: [{ name: "a", image: "example.com/linkerd/proxy:v1" }] },
      want: ["sidecar_already_exists"],
    },
    {
      name: "with an image called like one",
      spec: { containers: [{ name: "a", image: "example.com/my-linkerd/proxy-tool:v1" }] },
      want: [],
    },
    {
      name: "with both",
      spec: { hostNetwork: true, containers: [{ name: "istio-proxy" }] },
      want: ["host_network_enabled", "sidecar_already_exists"],
    },
    { name: "without a token, of which none is needed", spec: { automountServiceAccountToken: false }, want: [] },
    {
      name: "without the token that identity needs",
      spec: { automountServiceAccountToken: false, ...mounted },
      values: TOKEN,
      want: ["disabled_automount_service_account_token_account"],
    },
    {
      name: "without the mount that identity needs",
      spec: {},
      values: TOKEN,
      want: ["disabled_automount_service_account_token_account"],
    },
    { name: "with the mount that identity needs", spec: mounted, values: TOKEN, want: [] },
  ];
  for (const { name, spec, values = DEFAULT_VALUES, want } of SPECS) {
    test(`a pod ${name}`, () => {
      const { report } = run(pod({}, spec), {
        values,
        origin: "webhook",
        namespaceAnnotations: { [INJECT]: "enabled" },
      });
      expect(skipReasons(report)).toEqual(want as never);
    });
  }

  test("kinds without pods are not supported, but namespaces and services are no mistake", () => {
    const reasons = ["ConfigMap", "Service", "Namespace", ""].map((kind) => skipReasons(run({ kind }).report));
    expect(reasons).toEqual([["unsupported_resource"], [], [], ["unsupported_resource"]]);
  });
});

describe("annotations", () => {
  test("of the namespace hold unless the pod has its own, and are written into the pod", () => {
    const { after } = run(pod({ "config.linkerd.io/proxy-log-level": "debug" }), {
      origin: "webhook",
      namespaceAnnotations: {
        [INJECT]: "enabled",
        "config.linkerd.io/proxy-log-level": "warn",
        "config.linkerd.io/proxy-cpu-request": "1",
        "resource.opentelemetry.io/team": "a",
        "unrelated.example/x": "y",
      },
    });
    expect(after["metadata"]).toMatchObject({
      annotations: {
        "config.linkerd.io/proxy-log-level": "debug",
        "config.linkerd.io/proxy-cpu-request": "1",
        "resource.opentelemetry.io/team": "a",
        [INJECT]: "enabled",
      },
    });
    expect(JSON.stringify(after)).not.toContain("unrelated");
    expect(envOf(after)["LINKERD2_PROXY_LOG"]).toStartWith("debug");
    expect(envOf(after)["LINKERD2_PROXY_CORES_MIN"]).toBe("1");
  });

  test("additional environment is merged by name: values, then namespace, then pod", () => {
    const env = (...pairs: [string, string][]): string =>
      JSON.stringify(pairs.map(([name, value]) => ({ name, value })));
    const additionalEnv = [
      { name: "A", value: "values" },
      { name: "B", value: "values" },
      { name: "C", value: "values" },
    ];
    const { after } = run(pod({ "config.linkerd.io/proxy-additional-env": env(["C", "pod"], ["D", "pod"]) }), {
      values: { ...DEFAULT_VALUES, proxy: { ...DEFAULT_VALUES.proxy, additionalEnv } },
      namespaceAnnotations: { "config.linkerd.io/proxy-additional-env": env(["B", "namespace"], ["C", "namespace"]) },
    });
    const { A, B, C, D } = envOf(after);
    expect([A, B, C, D]).toEqual(["values", "namespace", "pod", "pod"]);
    expect(Object.keys(envOf(after)).slice(-4)).toEqual(["A", "B", "C", "D"]);
  });

  test("with a bad network among the control plane's, nothing is injected", () => {
    const values = { ...DEFAULT_VALUES, clusterNetworks: "10.0.0.0/8,10.0.0.0/33" };
    expect(() => run(pod(), { values })).toThrow("clusterNetworks: not a network such as 10.0.0.0/8: 10.0.0.0/33");
  });

  test("a workload whose name is too long for a label has none", () => {
    const owner = { kind: "Deployment", name: "x".repeat(64) };
    const labels = JSON.stringify(run(pod(), { owner }).patch);
    expect(labels).not.toContain("proxy-deployment");
    expect(JSON.stringify(run(pod(), { owner: { ...owner, name: "x".repeat(63) } }).patch)).toContain(
      "proxy-deployment",
    );
  });
});

// UPDATE_GOLDEN=1 writes these anew; the default rendering is among the command line's.
describe("what is rendered", () => {
  const identity = { ...DEFAULT_VALUES.identity, enabled: true };
  const policyController = { ...DEFAULT_VALUES.policyController, enabled: true };
  const anchored = {
    identity,
    identityTrustAnchorsPEM: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
  };
  const component = (name: string): JsonObject => ({
    ...pod(),
    metadata: { labels: { "linkerd.io/control-plane-component": name } },
  });
  const VARIANTS: Readonly<Record<string, { values: Partial<Values>; object?: JsonObject }>> = {
    identity: { values: anchored },
    "identity-and-policy": { values: { ...anchored, policyController } },
    "identity-default-token": {
      values: { ...anchored, identity: { ...identity, serviceAccountTokenProjection: false } },
      object: pod(
        {},
        {
          containers: [
            { name: "web", volumeMounts: [{ name: "t", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }] },
          ],
        },
      ),
    },
    cni: { values: { cniEnabled: true } },
    "cni-ipv6": { values: { cniEnabled: true, disableIPv6: false } },
    ipv6: { values: { disableIPv6: false } },
    "component-destination": { values: { ...anchored, policyController }, object: component("destination") },
    "component-identity": { values: { ...anchored, policyController }, object: component("identity") },
    "run-as-root": { values: { proxyInit: { ...DEFAULT_VALUES.proxyInit, runAsRoot: true, iptablesMode: "plain" } } },
  };
  for (const [name, { values, object = pod() }] of Object.entries(VARIANTS)) {
    test(name, () => {
      const { patch } = run(object, { values: { ...DEFAULT_VALUES, ...values }, namespace: "emojivoto" });
      const text = stringify(patch, { aliasDuplicateObjects: false, lineWidth: 0 }).replaceAll(
        VERSION,
        (match, at: number, all: string) => (/[0-9.]/.test(all[at - 1] ?? "") ? match : "VERSION"),
      );
      const file = join(import.meta.dir, "testdata", `${name}.patch`);
      if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(file, text);
      expect(text).toBe(existsSync(file) ? readFileSync(file, "utf8") : "");
    });
  }
});

describe("inject and uninject", () => {
  const names = fc.constantFrom("a", "b", "app", "x/y", "~");
  const texts = fc.dictionary(names, fc.constantFrom("", "1", "v"), { minKeys: 1, maxKeys: 3, noNullPrototype: true });
  const maybe = <T>(key: string, value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
    fc.oneof(
      fc.constant({}),
      value.map((inner) => ({ [key]: inner })),
    );
  const item = fc.record({ name: names });
  const items = fc.array(item, { minLength: 1, maxLength: 3 });
  const template = fc
    .tuple(
      maybe("labels", texts),
      maybe("annotations", texts),
      maybe("volumes", items),
      maybe("initContainers", items),
      items,
    )
    .map(([labels, annotations, volumes, initContainers, containers]) => ({
      metadata: { name: "t", ...labels, ...annotations },
      spec: { ...volumes, ...initContainers, containers },
    }));
  const object: fc.Arbitrary<JsonObject> = fc.oneof(
    template.map((inner) => ({ kind: "Pod", ...inner })),
    template.map((inner) => ({ kind: "StatefulSet", metadata: { name: "s" }, spec: { template: inner } })),
    template.map((inner) => ({
      kind: "CronJob",
      metadata: { name: "c" },
      spec: { jobTemplate: { spec: { template: inner } } },
    })),
  );
  const values = fc.record({ native: fc.boolean(), wait: fc.boolean(), identity: fc.boolean(), cni: fc.boolean() }).map(
    ({ native, wait, identity, cni }): Values => ({
      ...DEFAULT_VALUES,
      cniEnabled: cni,
      identity: { ...DEFAULT_VALUES.identity, enabled: identity },
      proxy: { ...DEFAULT_VALUES.proxy, nativeSidecar: native, await: wait },
    }),
  );

  test("are each other's inverse, and patches are made of what is there", () => {
    fc.assert(
      fc.property(object, values, (before, chosen) => {
        const { after, patch } = run(before, { values: chosen });
        expect(patch.length).toBeGreaterThan(0);
        expect(run(before, { values: chosen }).patch).toEqual(patch);
        expect(skipReasons(run(after, { values: chosen }).report)).toContain("sidecar_already_exists");
        const undone = uninject(after);
        expect(undone.uninjected).toBe(true);
        expect(patched(after, undone.patch)).toEqual(before);
      }),
      { numRuns: 200 },
    );
  });

  test("uninject keeps config annotations and inject: disabled, and says when there was nothing", () => {
    const kept = { "config.linkerd.io/proxy-log-level": "debug", [INJECT]: "disabled" };
    const object = pod({ ...kept, "linkerd.io/created-by": "x", "linkerd.io/anything": "y" });
    expect(patched(object, uninject(object).patch)["metadata"]).toEqual({ name: "web", annotations: kept });
    expect(uninject(pod(kept)).uninjected).toBe(false);
    expect(
      uninject({ kind: "Namespace", metadata: { name: "n", annotations: { [INJECT]: "enabled" } } }).uninjected,
    ).toBe(true);
    expect(uninject({ kind: "ConfigMap", metadata: { annotations: { [INJECT]: "enabled" } } }).uninjected).toBe(false);
  });
});

function envOf(object: JsonObject): Record<string, string | undefined> {
  const spec = object["spec"] as { initContainers: { name: string; env: { name: string; value?: string }[] }[] };
  const proxy = spec.initContainers.find(({ name }) => name === "linkerd-proxy");
  return Object.fromEntries(proxy?.env.map(({ name, value }) => [name, value]) ?? []);
}
