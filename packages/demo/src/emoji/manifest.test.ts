import { describe, expect, test } from "bun:test";
import { EMOJI_PROGRAMS } from "./index.ts";

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: {
    readonly selector: Readonly<Record<string, string>>;
    readonly ports: readonly { readonly port: number; readonly targetPort: string }[];
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: { readonly serviceAccountName?: string; readonly containers: readonly Container[] };
    };
  };
}

interface Container {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe?: { readonly httpGet: { readonly port: string } };
}

const text = await Bun.file(`${import.meta.dir}/../../../../examples/emojivoto.yaml`).text();
const manifests = Bun.YAML.parse(text) as Manifest[];
const ofKind = (kind: string): Manifest[] => manifests.filter((manifest) => manifest.kind === kind);
const deployments = ofKind("Deployment").map(({ metadata, spec }) => {
  const [container] = spec.template.spec.containers;
  if (container === undefined) throw new Error(`${metadata.name} has no container`);
  return { name: metadata.name, container, template: spec.template };
});

describe("examples/emojivoto.yaml", () => {
  test("runs each program once, in the namespace it makes", () => {
    expect(new Set(deployments.map(({ container }) => container.args[0]))).toEqual(new Set(EMOJI_PROGRAMS));
    for (const { kind, metadata } of manifests) {
      if (kind !== "Namespace") expect(metadata.namespace).toBe("emojivoto");
    }
  });

  test("names accounts, labels and ports that are there", () => {
    const accounts = ofKind("ServiceAccount").map(({ metadata }) => metadata.name);
    for (const { container, template } of deployments) {
      const { serviceAccountName } = template.spec;
      if (serviceAccountName !== undefined) expect(accounts).toContain(serviceAccountName);
      const probed = container.readinessProbe?.httpGet.port;
      if (probed !== undefined) expect(container.ports?.map(({ name }) => name)).toContain(probed);
    }
    for (const { spec } of ofKind("Service")) {
      const behind = deployments.find(({ template }) => template.metadata.labels["app"] === spec.selector["app"]);
      const names = behind?.container.ports?.map(({ name }) => name) ?? [];
      for (const { targetPort } of spec.ports) expect(names).toContain(targetPort);
    }
  });

  test("tells programs to listen where their ports are, and to call services that are there", () => {
    const services = ofKind("Service").flatMap(({ metadata, spec }) =>
      spec.ports.map(({ port }) => `${metadata.name}.emojivoto:${port}`),
    );
    for (const { container } of deployments) {
      const ports = container.ports?.map(({ containerPort }) => String(containerPort)) ?? [];
      for (const { name, value } of container.env) {
        if (name.endsWith("_PORT")) expect(ports).toContain(value);
        if (name.endsWith("_HOST")) expect(services).toContain(value);
      }
    }
  });
});
