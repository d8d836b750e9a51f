import { describe, expect, test } from "bun:test";
import type { Container, Pod, Service } from "@bowline/kube";
import fc from "fast-check";
import { ContainerConfigError } from "./config-error.ts";
import { containerEnvironment, type EnvironmentSources } from "./environment.ts";
import { expandVariables } from "./expand.ts";
import { type PodPlace, podField, resourceField } from "./pod-field.ts";
import { serviceVariables } from "./service-variables.ts";

const POD: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "web-1",
    namespace: "shop",
    uid: "u-1",
    labels: { app: "web", "a.b/c": 'say "hi"' },
    annotations: { note: "two\nlines" },
  },
  spec: { serviceAccountName: "seller", containers: [{ name: "main" }] },
};

const PLACE: PodPlace = {
  nodeName: "bowline",
  hostIps: ["10.244.0.1", "fd00::1"],
  podIps: ["10.244.0.7", "fd00::7"],
  capacity: { cpus: 2, memoryBytes: 4 * 2 ** 30 },
};

const object = (kind: string, name: string, data: Record<string, string>) => ({
  apiVersion: "v1" as const,
  kind,
  metadata: { name, namespace: "shop" },
  data,
});

function environment(container: Partial<Container>, more: Partial<EnvironmentSources> = {}): Record<string, string> {
  const map = containerEnvironment({
    pod: POD,
    container: { name: "main", ...container },
    image: {},
    place: PLACE,
    hostname: "web-1",
    home: "/root",
    configMap: (name) =>
      name === "cm" ? (object("ConfigMap", name, { a: "1", "b.c": "2", "x=y": "3" }) as never) : undefined,
    secret: (name) => (name === "s" ? (object("Secret", name, { k: btoa("hush") }) as never) : undefined),
    services: [],
    apiService: undefined,
    ...more,
  });
  return Object.fromEntries(map);
}

const service = (name: string, clusterIP: string, ports: object[]): Service =>
  ({ apiVersion: "v1", kind: "Service", metadata: { name }, spec: { clusterIP, ports } }) as Service;

describe("podField", () => {
  const rows: [path: string, want: string][] = [
    ["metadata.name", "web-1"],
    ["metadata.namespace", "shop"],
    ["metadata.uid", "u-1"],
    ["metadata.labels['app']", "web"],
    ["metadata.labels['none']", ""],
    ["metadata.annotations['note']", "two\nlines"],
    ["metadata.labels", 'a.b/c="say \\"hi\\""\napp="web"'],
    ["metadata.annotations", 'note="two\\nlines"'],
    ["spec.nodeName", "bowline"],
    ["spec.serviceAccountName", "seller"],
    ["status.hostIP", "10.244.0.1"],
    ["status.hostIPs", "10.244.0.1,fd00::1"],
    ["status.podIP", "10.244.0.7"],
    ["status.podIPs", "10.244.0.7,fd00::7"],
  ];
  test.each(rows)("%s", (path, want) => {
    expect(podField(POD, path, PLACE)).toBe(want);
  });

  test("an unknown path is the container's mistake", () => {
    expect(() => podField(POD, "status.phase", PLACE)).toThrow(ContainerConfigError);
  });
});

describe("resourceField", () => {
  const resources = { limits: { cpu: "1500m", memory: "64Mi" }, requests: { cpu: "250m" } };
  const rows: [resource: string, divisor: string | undefined, want: string][] = [
    ["limits.cpu", undefined, "2"],
    ["limits.cpu", "1m", "1500"],
    ["requests.cpu", "1m", "250"],
    ["limits.memory", "1Mi", "64"],
    ["limits.memory", undefined, String(64 * 2 ** 20)],
    ["requests.memory", "1Mi", "64"],
    ["limits.ephemeral-storage", undefined, "0"],
  ];
  test.each(rows)("%s by %s", (resource, divisor, want) => {
    expect(resourceField({ name: "main", resources }, resource, divisor, PLACE)).toBe(want);
  });

  test("no limit is all that the node has", () => {
    expect(resourceField({ name: "main" }, "limits.cpu", undefined, PLACE)).toBe("2");
    expect(resourceField({ name: "main" }, "limits.memory", "1Gi", PLACE)).toBe("4");
    expect(resourceField({ name: "main" }, "requests.cpu", undefined, PLACE)).toBe("0");
  });
});

describe("expandVariables", () => {
  const variables = new Map([
    ["A", "1"],
    ["B", "$(A)"],
  ]);
  const rows: [text: string, want: string][] = [
    ["$(A)", "1"],
    ["x$(A)y$(A)", "x1y1"],
    ["$(NONE)", "$(NONE)"],
    ["$$(A)", "$(A)"],
    ["$$$(A)", "$1"],
    ["$$", "$"],
    ["$(B)", "$(A)"],
    ["$A $(A", "$A $(A"],
    ["$()", "$()"],
  ];
  test.each(rows)("%s", (text, want) => {
    expect(expandVariables(text, variables)).toBe(want);
  });

  test("text without $ stays as it is", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!text.includes("$"));
        expect(expandVariables(text, variables)).toBe(text);
      }),
    );
  });
});

describe("containerEnvironment", () => {
  test("later sources win over earlier ones: image, services, envFrom, env", () => {
    const env = [{ name: "a", value: "env" }];
    const image = { env: { a: "image", I: "image", HOME: "/srv" } };
    const got = environment({ env, envFrom: [{ configMapRef: { name: "cm" } }] }, { image });
    expect(got).toMatchObject({ a: "env", "b.c": "2", I: "image", HOME: "/srv", HOSTNAME: "web-1" });
    expect(got["x=y"]).toBeUndefined();
  });

  test("a value sees the variables before it, and those of services", () => {
    const env = [
      { name: "X", value: "x" },
      { name: "Y", value: "$(X)-$(DB_SERVICE_HOST)-$(Z)" },
      { name: "Z", value: "z" },
    ];
    const services = [service("db", "10.96.0.9", [{ port: 5432 }])];
    expect(environment({ env }, { services })["Y"]).toBe("x-10.96.0.9-$(Z)");
  });

  test("keys of ConfigMaps and Secrets, with prefixes and options", () => {
    const env = [
      { name: "C", valueFrom: { configMapKeyRef: { name: "cm", key: "a" } } },
      { name: "S", valueFrom: { secretKeyRef: { name: "s", key: "k" } } },
      { name: "N", valueFrom: { configMapKeyRef: { name: "none", key: "a", optional: true } } },
      { name: "K", valueFrom: { secretKeyRef: { name: "s", key: "none", optional: true } } },
    ];
    const envFrom = [{ prefix: "P_", secretRef: { name: "s" } }, { configMapRef: { name: "none", optional: true } }];
    const got = environment({ env, envFrom });
    expect(got).toMatchObject({ C: "1", S: "hush", P_k: "hush" });
    expect(Object.keys(got)).not.toContain("N");
    expect(Object.keys(got)).not.toContain("K");
  });

  const faults: [name: string, container: Partial<Container>, message: string][] = [
    ["ConfigMap", { envFrom: [{ configMapRef: { name: "none" } }] }, 'configmap "none" not found'],
    ["Secret", { envFrom: [{ secretRef: { name: "none" } }] }, 'secret "none" not found'],
    [
      "key of a ConfigMap",
      { env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "cm", key: "none" } } }] },
      "couldn't find key none in ConfigMap shop/cm",
    ],
    [
      "key of a Secret",
      { env: [{ name: "A", valueFrom: { secretKeyRef: { name: "s", key: "none" } } }] },
      "couldn't find key none in Secret shop/s",
    ],
  ];
  test.each(faults)("a missing %s is told", (_, container, message) => {
    expect(() => environment(container)).toThrow(new ContainerConfigError(message));
  });

  test("services of the namespace unless they are not wanted, the API's always", () => {
    const services = [service("db", "10.96.0.9", [{ port: 5432 }])];
    const apiService = service("kubernetes", "10.96.0.1", [{ name: "https", port: 443 }]);
    const pod = { ...POD, spec: { containers: [], enableServiceLinks: false } };
    const got = environment({}, { services, apiService, pod });
    expect(got["DB_SERVICE_HOST"]).toBeUndefined();
    expect(got).toMatchObject({ KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT_HTTPS: "443" });
  });
});

describe("serviceVariables", () => {
  test("as Docker links had them", () => {
    const ports = [
      { name: "http-api", port: 80 },
      { name: "dns", port: 53, protocol: "UDP" },
    ];
    expect(Object.fromEntries(serviceVariables(service("my-db", "10.96.0.9", ports)))).toEqual({
      MY_DB_SERVICE_HOST: "10.96.0.9",
      MY_DB_SERVICE_PORT: "80",
      MY_DB_SERVICE_PORT_HTTP_API: "80",
      MY_DB_SERVICE_PORT_DNS: "53",
      MY_DB_PORT: "tcp://10.96.0.9:80",
      MY_DB_PORT_80_TCP: "tcp://10.96.0.9:80",
      MY_DB_PORT_80_TCP_PROTO: "tcp",
      MY_DB_PORT_80_TCP_PORT: "80",
      MY_DB_PORT_80_TCP_ADDR: "10.96.0.9",
      MY_DB_PORT_53_UDP: "udp://10.96.0.9:53",
      MY_DB_PORT_53_UDP_PROTO: "udp",
      MY_DB_PORT_53_UDP_PORT: "53",
      MY_DB_PORT_53_UDP_ADDR: "10.96.0.9",
    });
  });

  test("none for a service without an address", () => {
    expect(serviceVariables(service("db", "None", [{ port: 80 }]))).toEqual([]);
    expect(serviceVariables(service("db", "10.96.0.9", []))).toEqual([]);
  });
});
