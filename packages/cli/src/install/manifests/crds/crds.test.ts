import { describe, expect, test } from "bun:test";
import { DEFAULT_VALUES } from "@bowline/control-plane";
import { RESOURCES, type ResourceRef } from "@bowline/kube";
import { renderCrds } from "./crds.ts";
import type { Schema } from "./schema.ts";

const CRDS = renderCrds(DEFAULT_VALUES);
const VERSIONS = CRDS.flatMap(({ spec }) =>
  spec.versions.map((version) => [`${spec.names.kind} ${version.name}`, version] as const),
);

test("the kinds of Linkerd, with their names and versions", () => {
  const summary = CRDS.map(({ spec }) => {
    const versions = spec.versions.map(({ name, storage }) => (storage ? `*${name}` : name));
    return `${spec.names.kind} ${spec.names.shortNames?.join(",") ?? "-"} ${versions.join(" ")}`;
  });
  expect(summary).toEqual([
    "AuthorizationPolicy authzpolicy *v1alpha1",
    "EgressNetwork - *v1alpha1",
    "HTTPLocalRateLimitPolicy - *v1alpha1",
    "HTTPRoute - v1alpha1 v1beta1 v1beta2 *v1beta3",
    "MeshTLSAuthentication meshtlsauthn *v1alpha1",
    "NetworkAuthentication netauthn,networkauthn *v1alpha1",
    "ServerAuthorization saz,serverauthz,srvauthz v1alpha1 *v1beta1",
    "Server srv v1alpha1 v1beta1 v1beta2 *v1beta3",
    "ServiceProfile sp v1alpha1 *v1alpha2",
    "ExternalWorkload - *v1beta1",
  ]);
});

test("they are where the rest of Bowline looks for them", () => {
  for (const { metadata, spec } of CRDS) {
    expect(metadata.name).toBe(`${spec.names.plural}.${spec.group}`);
    const { group, version, kind, namespaced } = RESOURCES[spec.names.plural as keyof typeof RESOURCES] as ResourceRef;
    const stored = spec.versions.find(({ storage }) => storage)?.name;
    expect({ group, version, kind, namespaced }).toEqual({
      group: spec.group,
      version: stored ?? "",
      kind: spec.names.kind,
      namespaced: true,
    });
  }
});

describe("schemas are structural", () => {
  test.each(VERSIONS)("%s", (_name, { schema, subresources }) => {
    const root = schema?.openAPIV3Schema as Schema;
    expect(faultsOf(root, "")).toEqual([]);
    expect(root.properties?.["spec"]).toBeDefined();
    expect(subresources?.status !== undefined).toBe(root.properties?.["status"] !== undefined);
  });
});

describe("what is good and what is not", () => {
  const spec = (kind: string): Schema => {
    const stored = CRDS.find(({ spec: { names } }) => names.kind === kind)?.spec.versions.find(
      ({ storage }) => storage,
    );
    return stored?.schema?.openAPIV3Schema?.properties?.["spec"] as Schema;
  };
  const rows: [kind: string, object: unknown, fault: string | null][] = [
    ["Server", { podSelector: { matchLabels: { app: "web" } }, port: 8080 }, null],
    ["Server", { podSelector: {}, port: "http", proxyProtocol: "HTTP/2", accessPolicy: "audit" }, null],
    ["Server", { podSelector: {} }, "port"],
    ["Server", { podSelector: {}, port: 1, proxyProtocol: "SMTP" }, ".proxyProtocol"],
    ["ServerAuthorization", { server: { name: "x" }, client: { meshTLS: { identities: ["*"] } } }, null],
    [
      "ServerAuthorization",
      { server: { name: "x" }, client: { meshTLS: { identities: ["Not ok"] } } },
      ".client.meshTLS.identities[0]",
    ],
    ["AuthorizationPolicy", { targetRef: { kind: "Server", name: "x" }, requiredAuthenticationRefs: [] }, null],
    ["AuthorizationPolicy", { targetRef: { kind: "Server" }, requiredAuthenticationRefs: [] }, ".targetRef.name"],
    [
      "MeshTLSAuthentication",
      { identities: ["web.shop.serviceaccount.identity.linkerd.cluster.local", "*.shop.example"] },
      null,
    ],
    ["MeshTLSAuthentication", { identities: ["spiffe://example.org/web"] }, null],
    ["MeshTLSAuthentication", { identities: [] }, ".identities"],
    ["NetworkAuthentication", { networks: [{ cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] }] }, null],
    ["NetworkAuthentication", { networks: [{}] }, ".networks[0].cidr"],
    [
      "HTTPLocalRateLimitPolicy",
      { targetRef: { kind: "Server", name: "x" }, total: { requestsPerSecond: 0 } },
      ".total.requestsPerSecond",
    ],
    ["EgressNetwork", { trafficPolicy: "Allow" }, null],
    ["EgressNetwork", { trafficPolicy: "Perhaps" }, ".trafficPolicy"],
    [
      "HTTPRoute",
      { parentRefs: [{ name: "web", kind: "Service", port: 80 }], rules: [{ timeouts: { request: "10s" } }] },
      null,
    ],
    ["HTTPRoute", { rules: [{ timeouts: { request: "10 s" } }] }, ".rules[0].timeouts.request"],
    ["HTTPRoute", { rules: [{ backendRefs: [{ name: "a", weight: -1 }] }] }, ".rules[0].backendRefs[0].weight"],
    ["HTTPRoute", { rules: [{ matches: [{ method: "BREW" }] }] }, ".rules[0].matches[0].method"],
    [
      "ServiceProfile",
      { routes: [{ name: "GET /", condition: { method: "GET", pathRegex: "/" }, timeout: "300ms" }] },
      null,
    ],
    ["ServiceProfile", { routes: [{ name: "x", condition: { all: [{ not: { any: [{ method: "GET" }] } }] } }] }, null],
    ["ServiceProfile", { routes: [{ condition: { method: "GET" } }] }, ".routes[0].name"],
    [
      "ServiceProfile",
      { retryBudget: { retryRatio: -1, minRetriesPerSecond: 1, ttl: "10s" } },
      ".retryBudget.retryRatio",
    ],
    [
      "ExternalWorkload",
      { meshTLS: { identity: "a.b", serverName: "a.b" }, workloadIPs: [{ ip: "192.0.2.1" }], ports: [{ port: 80 }] },
      null,
    ],
    ["ExternalWorkload", { meshTLS: { identity: "a.b" } }, ".meshTLS.serverName"],
  ];
  test.each(rows)("%s %j", (kind, object, fault) => {
    const faults = violations(spec(kind), object, "");
    if (fault === null) expect(faults).toEqual([]);
    else expect(faults.join("\n")).toContain(fault);
  });
});

/** What Kubernetes demands of a structural schema, as far as these use it. */
function faultsOf(schema: Schema, path: string): string[] {
  const faults: string[] = [];
  if (schema.type === undefined && schema["x-kubernetes-int-or-string"] !== true) faults.push(`${path}: no type`);
  if (schema.type === "array" && schema.items === undefined) faults.push(`${path}: no items`);
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(schema.properties ?? {}, name)) faults.push(`${path}: requires ${name}, which is no property`);
  }
  if (schema.pattern !== undefined) new RegExp(schema.pattern);
  if (schema.default !== undefined) {
    faults.push(...violations(schema, schema.default, path).map((fault) => `default: ${fault}`));
  }
  for (const [name, child] of Object.entries(schema.properties ?? {}))
    faults.push(...faultsOf(child, `${path}.${name}`));
  if (schema.items !== undefined) faults.push(...faultsOf(schema.items as Schema, `${path}[]`));
  return faults;
}

/** A validator for the keywords that these schemas use. */
function violations(schema: Schema, value: unknown, path: string): string[] {
  if (schema["x-kubernetes-int-or-string"] === true) {
    return typeof value === "number" || typeof value === "string" ? [] : [path];
  }
  const faults: string[] = [];
  if (schema.enum !== undefined && !(schema.enum as unknown[]).includes(value)) faults.push(path);
  if (typeof value === "string" && schema.pattern !== undefined && !new RegExp(schema.pattern, "u").test(value))
    faults.push(path);
  if (typeof value === "number" && (value < (schema.minimum ?? value) || value > (schema.maximum ?? value)))
    faults.push(path);
  if (typeof value === "string" && value.length < (schema.minLength ?? 0)) faults.push(path);
  if (Array.isArray(value)) {
    if (schema.type !== "array" || value.length < (schema.minItems ?? 0)) return [path];
    return value.flatMap((item, at) => violations(schema.items as Schema, item, `${path}[${at}]`));
  }
  if (typeof value !== "object" || value === null) {
    const type = schema.type === "integer" ? "number" : schema.type;
    return typeof value === type ? faults : [...faults, path];
  }
  if (schema.type !== "object") return [path];
  const missing = (schema.required ?? [])
    .filter((name) => !Object.hasOwn(value, name))
    .map((name) => `${path}.${name}`);
  const known = Object.entries(value).flatMap(([name, child]) => {
    const property = schema.properties?.[name] ?? (schema.additionalProperties as Schema | undefined);
    if (property !== undefined) return violations(property, child, `${path}.${name}`);
    return schema["x-kubernetes-preserve-unknown-fields"] === true ? [] : [`${path}.${name}: unknown`];
  });
  return [...missing, ...known];
}
