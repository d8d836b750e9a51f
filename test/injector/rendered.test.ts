import { describe, expect, test } from "bun:test";
import { PROXY_ENV_2018 } from "@bowline/contracts";
import { DEFAULT_VALUES, type EnvVarValue, inject, type Values } from "../../packages/control-plane/src/index.ts";
import { readConfig } from "../../packages/proxy/src/config.ts";
import { parseFlags } from "../../packages/proxy-init/src/flags.ts";

// What the injector writes must be what the proxy and proxy-init read.

interface Container {
  readonly name: string;
  readonly args?: readonly string[];
  readonly env?: readonly EnvVarValue[];
  readonly readinessProbe?: { readonly httpGet: { readonly port: number } };
}

const { proxy, proxyInit } = DEFAULT_VALUES;
const IDENTITY = {
  identity: { ...DEFAULT_VALUES.identity, enabled: true },
  policyController: { ...DEFAULT_VALUES.policyController, enabled: true },
  identityTrustAnchorsPEM: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
};

const VARIANTS: readonly {
  name: string;
  values: Partial<Values>;
  annotations?: Record<string, string>;
  labels?: Record<string, string>;
}[] = [
  { name: "defaults", values: {} },
  { name: "identity and policy", values: IDENTITY },
  {
    name: "the destination's own pod",
    values: IDENTITY,
    labels: { "linkerd.io/control-plane-component": "destination" },
  },
  { name: "the identity's own pod", values: IDENTITY, labels: { "linkerd.io/control-plane-component": "identity" } },
  { name: "both families", values: { disableIPv6: false } },
  { name: "ordinary sidecar", values: { proxy: { ...proxy, nativeSidecar: false, gid: 2103 } } },
  {
    name: "legacy iptables and subnets",
    values: {
      proxyInit: {
        ...proxyInit,
        iptablesMode: "legacy",
        skipSubnets: "10.0.0.0/8",
        closeWaitTimeoutSecs: 5,
        logLevel: "debug",
        logFormat: "json",
      },
    },
  },
  {
    name: "every annotation",
    values: IDENTITY,
    annotations: {
      "linkerd.io/inject": "ingress",
      "config.linkerd.io/opaque-ports": "1-5,http",
      "config.linkerd.io/skip-inbound-ports": "22,9000-9001,oops",
      "config.linkerd.io/skip-outbound-ports": "25",
      "config.linkerd.io/proxy-cpu-request": "100m",
      "config.linkerd.io/proxy-cpu-limit": "2500m",
      "config.linkerd.io/proxy-cpu-ratio-limit": "0.5",
      "config.linkerd.io/default-inbound-policy": "audit",
      "config.linkerd.io/proxy-outbound-connect-timeout": "1.5s",
      "config.linkerd.io/proxy-inbound-discovery-cache-unused-timeout": "1m",
      "config.linkerd.io/proxy-disable-inbound-protocol-detect-timeout": "true",
      "config.linkerd.io/proxy-disable-outbound-protocol-detect-timeout": "true",
      "config.linkerd.io/proxy-admin-shutdown": "enabled",
      "config.linkerd.io/shutdown-grace-period": "1m30s",
      "config.linkerd.io/access-log": "json",
      "config.linkerd.io/enable-external-profiles": "true",
      "config.linkerd.io/enable-gateway": "true",
      "config.linkerd.io/proxy-metrics-hostname-labels": "true",
      "config.linkerd.io/admin-port": "5191",
      "config.linkerd.io/proxy-log-level": "linkerd=debug,warn",
    },
  },
];

describe("what is rendered into a pod", () => {
  for (const { name, values, annotations = {}, labels = {} } of VARIANTS) {
    const containers = render({ ...DEFAULT_VALUES, ...values }, annotations, labels);
    const env = environmentOf(containers.find((container) => container.name === "linkerd-proxy"));

    test(`configures the proxy: ${name}`, () => {
      const result = readConfig(env, 8);
      expect("errors" in result ? result.errors : []).toEqual([]);
      expect(result.notes.filter(({ level }) => level === "warn")).toEqual([]);
      if (!("config" in result)) return;
      const { config } = result;
      const port = Number(annotations["config.linkerd.io/admin-port"] ?? 4191);
      expect(config.admin.listenAddr.port).toBe(port);
      expect(config.destination.contextToken).toBe('{"ns":"emojivoto", "nodeName":"node-1", "pod":"web-1"}\n');
      expect(config.inboundIps).toEqual(["10.244.0.7", "fd00::7"]);
      expect(config.destination.service?.port).toBe(8086);
      expect(config.policy.service === null).toBe(values.policyController === undefined);
      expect(config.identity.service === null).toBe(values.identity === undefined);
    });

    test(`says the same by 2018's names: ${name}`, () => {
      const [today, old] = [without(env, PROXY_ENV_2018), env].map((variables) => readConfig(variables, 8));
      if (today === undefined || old === undefined || !("config" in today) || !("config" in old))
        throw new Error("no config");
      expect({ ...old.config, podNamespace: null, legacy: null }).toEqual({
        ...today.config,
        podNamespace: null,
        legacy: null,
      });
      expect(old.config.podNamespace).toBe("emojivoto");
      const only2018 = Object.fromEntries(
        Object.values(PROXY_ENV_2018).flatMap((key) => (env[key] === undefined ? [] : [[key, env[key]]])),
      );
      const alone = readConfig(only2018, 8);
      if (!("config" in alone)) throw new Error("no config");
      for (const side of ["inbound", "outbound"] as const) {
        expect(alone.config[side].listenAddrs[0]).toEqual(old.config[side].listenAddrs[0]);
      }
      expect(alone.config.admin.listenAddr).toEqual(old.config.admin.listenAddr);
      expect(alone.config.control).toEqual(old.config.control);
      const { host, port } = alone.config.destination.service ?? {};
      expect([host, port]).toEqual([old.config.destination.service?.host, old.config.destination.service?.port]);
    });

    test(`configures proxy-init: ${name}`, () => {
      const init = containers.find((container) => container.name === "linkerd-init");
      const flags = parseFlags(init?.args ?? []);
      if (flags.kind !== "options") throw new Error(JSON.stringify(flags));
      const { rules, host } = flags.options;
      expect([rules?.incomingPort, rules?.outgoingPort, rules?.proxyUid]).toEqual([4143, 4140, 2102]);
      expect(host.mode).toBe(values.proxyInit?.iptablesMode ?? "nft");
      expect(host.ipv6).toBe(values.disableIPv6 === false ? "if-available" : "off");
    });
  }
});

function render(
  values: Values,
  annotations: Record<string, string>,
  labels: Record<string, string>,
): readonly Container[] {
  const containers = [{ name: "web", image: "web", ports: [{ containerPort: 8080, name: "http" }] }];
  const object = { kind: "Pod", metadata: { name: "web-1", annotations, labels }, spec: { containers } };
  const { patch } = inject({
    object,
    namespaceAnnotations: { "linkerd.io/inject": "enabled" },
    values,
    origin: "webhook",
    createdBy: "test",
    owner: null,
    namespace: "emojivoto",
  });
  return patch.flatMap(({ path, ...operation }) =>
    /^\/spec\/(?:initC|c)ontainers\/(?:\d+|-)$/.test(path) && "value" in operation
      ? [operation.value as Container]
      : [],
  );
}

const FIELDS: Readonly<Record<string, string>> = {
  "metadata.name": "web-1",
  "metadata.namespace": "emojivoto",
  "metadata.uid": "u-1",
  "status.podIP": "10.244.0.7",
  "status.podIPs": "10.244.0.7,fd00::7",
  "spec.nodeName": "node-1",
  "spec.serviceAccountName": "web",
};

/** As the kubelet makes a container's environment: fields filled in, and variables that stand before. */
function environmentOf(container: Container | undefined): Readonly<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const { name, value = "", valueFrom } of container?.env ?? []) {
    const field = (valueFrom?.["fieldRef"] as { fieldPath: string } | undefined)?.fieldPath;
    const text = field === undefined ? value : FIELDS[field];
    if (text === undefined) throw new Error(`the kubelet has no field ${field}`);
    const fromConfigMap = valueFrom?.["configMapKeyRef"] === undefined ? text : "PEM";
    env[name] = fromConfigMap.replaceAll(/\$\(([^)]+)\)/g, (reference, variable: string) => env[variable] ?? reference);
  }
  return env;
}

function without(
  env: Readonly<Record<string, string>>,
  names: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !Object.values(names).includes(name)));
}
