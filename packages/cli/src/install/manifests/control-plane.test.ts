import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { VERSION } from "@bowline/contracts";
import { DEFAULT_VALUES, mergeValues, parseValues, type Values } from "@bowline/control-plane";
import type { ConfigMap, Deployment, KubeObject, PodSpec, ServicePort } from "@bowline/kube";
import { type Credentials, issueRoot, issueServer } from "../../certificates/issue.ts";
import { HIGH_AVAILABILITY } from "../high-availability.ts";
import { printObjects } from "../print-objects.ts";
import { controlPlaneObjects, renderControlPlane } from "./control-plane.ts";

let issuer: Credentials;
let server: Credentials;
beforeAll(async () => {
  issuer = await issueRoot("identity.linkerd.cluster.local");
  server = await issueServer("linkerd-proxy-injector.linkerd.svc");
});

function secrets(): Parameters<typeof renderControlPlane>[1] {
  return { issuer, proxyInjector: { ...server, caBundle: server.crtPEM } };
}

function render(changes: object = {}): KubeObject[] {
  return renderControlPlane(mergeValues(DEFAULT_VALUES, changes), secrets());
}

function deployments(objects: readonly KubeObject[]): Deployment[] {
  return objects.filter(({ kind }) => kind === "Deployment") as unknown as Deployment[];
}

function podSpecs(objects: readonly KubeObject[]): PodSpec[] {
  return deployments(objects).map(({ spec }) => spec?.template.spec as PodSpec);
}

/** Golden files hold what a person should look at when it changes; UPDATE_GOLDEN=1 writes them anew. */
function expectGolden(name: string, text: string): void {
  const path = new URL(`../testdata/${name}`, import.meta.url).pathname;
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, text);
  expect(text).toBe(readFileSync(path, "utf8"));
}

/** Keys, certificates and what follows from them are other ones each time; stored values have a test of their own. */
function masked(text: string): string {
  return text
    .replace(/( {2}values: )\|\n(?: {4}.*\n|\n)+/, "$1VALUES\n")
    .replace(/-----BEGIN [\s\S]*?-----END [A-Z ]+-----/g, "PEM")
    .replace(/(: )[A-Za-z0-9+/]{200,}={0,2}$/gm, "$1BASE64")
    .replace(/(checksum\/config: )[0-9a-f]{64}/g, "$1SHA256")
    .replace(/(issuer-expiry: ).*/g, "$1TIME")
    .replaceAll(VERSION, "VERSION");
}

describe("golden manifests, before proxies are added", () => {
  const rows: [name: string, changes: object][] = [
    ["install-default.yaml", {}],
    ["install-ha.yaml", HIGH_AVAILABILITY],
    [
      "install-options.yaml",
      {
        namespace: "mesh",
        clusterDomain: "example.org",
        prometheusUrl: "http://prometheus.monitoring:9090",
        controllerGID: 77,
        controllerLogFormat: "json",
        commonLabels: { team: "mesh" },
        podLabels: { pod: "label" },
        podAnnotations: { pod: "annotation" },
        imagePullSecrets: [{ name: "registry" }],
        tolerations: [{ key: "infra", operator: "Exists" }],
        priorityClassName: "system-cluster-critical",
        proxyInjector: { injectCaFrom: "mesh/injector" },
        cniEnabled: true,
      },
    ],
  ];
  test.each(rows)("%s", (name, changes) => {
    const values: Values = mergeValues(DEFAULT_VALUES, changes);
    expectGolden(name, masked(printObjects(controlPlaneObjects(values, secrets()), "yaml")));
  });
});

test("objects have a name, what they are, and labels by which they are found again", () => {
  const seen = new Set<string>();
  for (const { apiVersion, kind, metadata } of render({ namespace: "mesh" })) {
    expect(metadata.labels).toMatchObject({ "linkerd.io/control-plane-ns": "mesh" });
    const key = `${apiVersion} ${kind} ${metadata.namespace} ${metadata.name}`;
    expect(seen.has(key)).toBe(false);
    seen.add(key);
    expect([undefined, "mesh"]).toContain(metadata.namespace);
  }
});

test("everything that is referred to is there, and comes first", () => {
  const objects = render();
  const at = (kind: string, name: string | undefined): number =>
    objects.findIndex((object) => object.kind === kind && object.metadata.name === name);
  for (const deployment of deployments(objects)) {
    const own = at("Deployment", deployment.metadata.name);
    const spec = deployment.spec?.template.spec as PodSpec;
    const needed = [
      at("ServiceAccount", spec.serviceAccountName),
      ...(spec.volumes ?? []).flatMap(({ configMap, secret }) => [
        ...(configMap === undefined ? [] : [at("ConfigMap", configMap.name)]),
        ...(secret === undefined ? [] : [at("Secret", secret.secretName)]),
      ]),
    ];
    for (const position of needed) {
      expect(position).toBeGreaterThanOrEqual(0);
      expect(position).toBeLessThan(own);
    }
    expect(spec.containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name))).toEqual(
      (spec.volumes ?? []).map(({ name }) => name).filter((name) => !name.startsWith("linkerd-proxy-init")),
    );
  }
});

test("services select pods that listen where they lead", () => {
  const objects = render();
  const templates = deployments(objects).map(({ spec }) => spec?.template);
  for (const service of objects.filter(({ kind }) => kind === "Service")) {
    const { selector, ports } = service["spec"] as { selector: Record<string, string>; ports: ServicePort[] };
    const selected = templates.filter((template) =>
      Object.entries(selector).every(([key, value]) => template?.metadata?.labels?.[key] === value),
    );
    expect(selected).toHaveLength(1);
    const open = selected[0]?.spec?.containers.flatMap(({ ports: containerPorts = [] }) => containerPorts) ?? [];
    for (const { targetPort } of ports) {
      expect(open.some(({ name, containerPort }) => name === targetPort || containerPort === targetPort)).toBe(true);
    }
  }
});

test("deployments select their own pods", () => {
  for (const { spec } of deployments(render({ podLabels: { extra: "x" } }))) {
    expect(spec?.template.metadata?.labels).toMatchObject(spec?.selector.matchLabels ?? { none: "" });
  }
});

describe("the control plane's own proxies", () => {
  test("every program has one, and the init container lets it reach the API server", () => {
    for (const { initContainers = [] } of podSpecs(render())) {
      expect(initContainers.map(({ name }) => name)).toEqual(["linkerd-init", "linkerd-proxy"]);
      const args = initContainers[0]?.args ?? [];
      expect(args[args.indexOf("--outbound-ports-to-ignore") + 1]).toBe("4567,4568,443,6443");
    }
  });

  test("that of destination asks the program beside it, the others the service", () => {
    const address = ({ initContainers = [] }: PodSpec): string | undefined =>
      initContainers[1]?.env?.find(({ name }) => name === "LINKERD2_PROXY_DESTINATION_SVC_ADDR")?.value;
    const byName = Object.fromEntries(
      deployments(render()).map(({ metadata, spec }) => [metadata.name, address(spec?.template.spec as PodSpec)]),
    );
    expect(byName).toEqual({
      "linkerd-destination": "localhost.:8086",
      "linkerd-proxy-injector": "linkerd-dst-headless.linkerd.svc.cluster.local.:8086",
      "metrics-api": "linkerd-dst-headless.linkerd.svc.cluster.local.:8086",
    });
  });
});

test("programs run without any privilege", () => {
  for (const { containers } of podSpecs(render())) {
    for (const { securityContext, livenessProbe, readinessProbe, ports = [] } of containers) {
      expect(securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        runAsUser: 2103,
        capabilities: { drop: ["ALL"] },
      });
      expect(livenessProbe?.httpGet?.path).toBe("/ping");
      expect(readinessProbe?.httpGet?.path).toBe("/ready");
      const names = ports.map(({ name }) => name);
      expect(names).toContain(String(livenessProbe?.httpGet?.port));
      expect(names).toContain(String(readinessProbe?.httpGet?.port));
    }
  }
});

test("what is stored is read back as the same values, without keys", () => {
  const values = mergeValues(DEFAULT_VALUES, {
    controllerReplicas: 2,
    identity: { issuer: { tls: { crtPEM: "CRT", keyPEM: "KEY" } } },
  });
  const [config] = renderControlPlane(values, secrets()).filter(({ metadata }) => metadata.name === "linkerd-config");
  const stored = parseValues((config as unknown as ConfigMap).data?.["values"] ?? "");
  expect(stored.controllerReplicas).toBe(2);
  expect(stored.identity.issuer.tls).toEqual({ crtPEM: "CRT", keyPEM: "" });
});

test("rules of access name what they are for, and nobody may do everything", () => {
  const roles = render().filter(({ kind }) => kind === "ClusterRole");
  expect(roles).toHaveLength(3);
  for (const role of roles) {
    const rules = role["rules"] as { verbs: string[]; resources: string[]; apiGroups: string[] }[];
    expect(rules.length).toBeGreaterThan(0);
    for (const { verbs, resources, apiGroups } of rules) {
      expect([...verbs, ...resources, ...apiGroups]).not.toContain("*");
      expect(resources).not.toContain("secrets");
    }
  }
});

test("a disruption budget for each program, when asked for", () => {
  const budgets = (changes: object): number =>
    render(changes).filter(({ kind }) => kind === "PodDisruptionBudget").length;
  expect([budgets({}), budgets({ enablePodDisruptionBudget: true })]).toEqual([0, 3]);
});
