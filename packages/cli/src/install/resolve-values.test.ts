import { describe, expect, test } from "bun:test";
import { DEFAULT_VALUES, type Values } from "@bowline/control-plane";
import { CommandFailure } from "../io.ts";
import {
  overridesOf,
  parseOverrides,
  type ResolvedValues,
  resolveValues,
  type ValueSources,
} from "./resolve-values.ts";

const FILES: Readonly<Record<string, string>> = {
  "base.yaml": "controllerReplicas: 2\nproxy: {logLevel: debug, uid: 1}\n",
  "more.yaml": "proxy: {uid: 2, resources: {cpu: {limit: 1}}}\n",
  "linkerd.yaml": "heartbeatSchedule: '0 0 * * *'\nproxy: {defaultInboundPolicy: deny, unknown: {x: 1}}\n",
  "list.yaml": "[]",
  "bad.yaml": "a: [",
  "empty.yaml": "",
};

function resolve(sources: Partial<ValueSources>): ResolvedValues {
  const none = { ha: false, files: [], flags: {}, set: [], setString: [], setFile: [] };
  return resolveValues({ ...none, ...sources }, (path) => FILES[path] ?? `text of ${path}`);
}

function failureOf(sources: Partial<ValueSources>): string {
  try {
    resolve(sources);
  } catch (error) {
    if (error instanceof CommandFailure) return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("without anything, the defaults", () => {
  expect(resolve({ files: ["empty.yaml"] })).toEqual({ values: DEFAULT_VALUES, ignored: [] });
});

test("later sources win: stored, --ha, files in order, flags, --set", () => {
  const { values } = resolve({
    stored: { controllerReplicas: 9, controllerLogLevel: "debug" },
    ha: true,
    files: ["base.yaml", "more.yaml"],
    flags: { proxy: { uid: 3, gid: 30 } },
    set: ["proxy.uid=4"],
  });
  expect(values.controllerLogLevel).toBe("debug");
  expect(values.highAvailability).toBe(true);
  expect(values.controllerReplicas).toBe(2);
  expect(values.proxy).toMatchObject({ logLevel: "debug", uid: 4, gid: 30 });
  expect(values.proxy.resources.cpu).toEqual({ request: "100m", limit: "1" });
});

test("--ha is as in Linkerd", () => {
  const { values } = resolve({ ha: true });
  expect(values).toMatchObject({
    controllerReplicas: 3,
    enablePodAntiAffinity: true,
    enablePodDisruptionBudget: true,
    webhookFailurePolicy: "Fail",
    destinationResources: { cpu: { request: "100m" }, memory: { request: "50Mi", limit: "250Mi" } },
    identityResources: { memory: { request: "10Mi" } },
    proxy: { resources: { cpu: { request: "100m" }, memory: { request: "20Mi", limit: "250Mi" } } },
  });
  expect(resolve({ ha: true, set: ["controllerReplicas=5"] }).values.controllerReplicas).toBe(5);
});

test("names of Linkerd's that mean nothing here are told, not refused", () => {
  const { values, ignored } = resolve({ files: ["linkerd.yaml"] });
  expect(ignored).toEqual(["heartbeatSchedule", "proxy.unknown"]);
  expect(values.proxy.defaultInboundPolicy).toBe("deny");
});

describe("what is refused, and how it is said", () => {
  const rows: [sources: Partial<ValueSources>, message: RegExp][] = [
    [{ set: ["proxy.logLevle=x"] }, /no value "proxy\.logLevle"; is proxy\.logLevel meant\?/],
    [{ set: ["logFormat=json"] }, /no value "logFormat"; is proxy\.logFormat meant\?/],
    [{ set: ["nonsense=1"] }, /no value "nonsense"$/],
    [{ set: ["a"] }, /--set: "a" has no "="/],
    [{ set: ["proxy=1"] }, /proxy: 1 is not a map/],
    [{ set: ["proxy.uid=x"] }, /proxy\.uid: "x" is not a number/],
    [{ setString: ["controllerReplicas=3"] }, /controllerReplicas: "3" is not a number/],
    [{ set: ["controllerReplicas=0"] }, /controllerReplicas: 0 is not a whole number of 1 to 100/],
    [{ set: ["proxy.ports.inbound=70000"] }, /proxy\.ports\.inbound/],
    [{ set: ["imagePullPolicy=Sometimes"] }, /none of Always, IfNotPresent, Never/],
    [{ set: ["proxy.defaultInboundPolicy=all"] }, /defaultInboundPolicy: "all" is none of/],
    [{ set: ["clusterNetworks=10.0.0.0"] }, /a list of networks/],
    [{ set: ["clusterDomain=Bad_Name"] }, /clusterDomain: "Bad_Name" is not a DNS name/],
    [{ set: ["proxy.resources.cpu.limit=many"] }, /a quantity/],
    [{ set: ["proxy.opaquePorts=http"] }, /a list of ports/],
    [{ set: ["identity.issuer.issuanceLifetime=24"] }, /a duration/],
    [{ set: ["identity.enabled=true"] }, /no identity service/],
    [{ set: ["policyController.enabled=true"] }, /no policy controller/],
    [{ flags: { namespace: "Kube!" } }, /namespace: "Kube!"/],
    [{ files: ["list.yaml"] }, /list\.yaml: values are a map/],
    [{ files: ["bad.yaml"] }, /bad\.yaml is not YAML/],
  ];
  test.each(rows)("%j", (sources, message) => {
    expect(failureOf(sources)).toMatch(message);
  });

  test("every fault at once", () => {
    expect(failureOf({ set: ["controllerReplicas=0,proxy.uid=-5"] })).toMatch(/controllerReplicas.*\n.*proxy\.uid/);
  });
});

describe("overrides", () => {
  const rows: [name: string, sources: Partial<ValueSources>][] = [
    ["nothing", {}],
    ["high availability", { ha: true }],
    [
      "files and flags",
      { files: ["base.yaml", "more.yaml"], set: ["proxy.accessLog=json,proxyInit.skipSubnets=10.0.0.0/8"] },
    ],
    [
      "maps and lists of the user's",
      { set: ["nodeSelector.disk=ssd,tolerations[0].key=a,podLabels.x=y,podLabels.z=1"] },
    ],
    ["a map that loses what it had", { files: [], flags: { deploymentStrategy: { type: "Recreate" } } }],
  ];
  test.each(rows)("%s: upgrading gives the same values", (_name, sources) => {
    const { values } = resolve(sources);
    const stored = parseOverrides(overridesOf(values));
    expect(resolve({ stored }).values).toEqual(values);
  });

  test("only differences are stored, and neither keys nor certificates", () => {
    expect(overridesOf(DEFAULT_VALUES)).toBe("{}\n");
    const { identity } = DEFAULT_VALUES;
    const values: Values = {
      ...DEFAULT_VALUES,
      controllerReplicas: 2,
      identityTrustAnchorsPEM: "ANCHORS",
      identity: { ...identity, issuer: { ...identity.issuer, tls: { crtPEM: "CRT", keyPEM: "KEY" } } },
    };
    expect(parseOverrides(overridesOf(values))).toEqual({ controllerReplicas: 2, identityTrustAnchorsPEM: "ANCHORS" });
  });
});
