import { afterAll, beforeAll, expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";
import { TestCluster } from "./test-cluster.ts";

const GROUP = "shop.example.com";

const DEFINITION = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `teapots.${GROUP}` },
  spec: {
    group: GROUP,
    scope: "Namespaced",
    names: { plural: "teapots", singular: "teapot", kind: "Teapot", shortNames: ["tp"], categories: ["all"] },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {}, scale: { specReplicasPath: ".spec.cups", statusReplicasPath: ".status.cups" } },
        additionalPrinterColumns: [
          { name: "Cups", type: "integer", jsonPath: ".spec.cups" },
          { name: "Colour", type: "string", jsonPath: ".spec.colour", priority: 1 },
        ],
        schema: {
          openAPIV3Schema: {
            type: "object",
            required: ["spec"],
            properties: {
              spec: {
                type: "object",
                description: "What the teapot shall be.",
                required: ["cups"],
                properties: {
                  cups: { type: "integer", minimum: 1, maximum: 12, description: "How many cups it fills." },
                  colour: { type: "string", enum: ["brown", "white"], default: "brown" },
                  lid: { type: "object", properties: { pattern: { type: "string", pattern: "^[a-z]+$" } } },
                  leaves: { type: "array", maxItems: 2, items: { type: "string", minLength: 1 } },
                  price: { "x-kubernetes-int-or-string": true },
                  notes: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
                },
              },
              status: { type: "object", properties: { cups: { type: "integer" }, phase: { type: "string" } } },
            },
          },
        },
      },
    ],
  },
};

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.up();
  await cluster.apply([DEFINITION]);
  await cluster.run(`wait crd/teapots.${GROUP} --for=condition=Established --timeout=30s`);
}, 120_000);

afterAll(async () => {
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
}, 120_000);

test("objects of the kind are kept, with defaults and without what the schema does not know", async () => {
  const input = JSON.stringify(teapot("big", { cups: 8, notes: { any: { thing: 1 } }, unknown: 1 }));
  const strict = await cluster.tryKubectl(["apply", "-f", "-"], { input });
  expect(strict.stderr).toMatch(/unknown field "(spec\.)?unknown"/);
  await cluster.kubectl(["apply", "--validate=false", "-f", "-"], { input });
  const stored = JSON.parse(await cluster.run("get teapot big -o json")) as { spec: object };
  expect(stored.spec).toEqual({ cups: 8, colour: "brown", notes: { any: { thing: 1 } } });
}, 30_000);

test("by all its names, in tables, watches and explanations", async () => {
  expect(await cluster.run("get tp")).toMatch(/^NAME +CUPS\nbig +8\n$/);
  expect(await cluster.run("get teapots -o wide")).toMatch(/^NAME +CUPS +COLOUR\nbig +8 +brown\n$/);
  expect(await cluster.run("get all")).toContain(`teapot.${GROUP}/big`);
  expect(await cluster.run(`get teapots.v1.${GROUP} -A --no-headers`)).toMatch(/^default +big +8\n$/);
  expect(await cluster.run("explain teapot.spec.cups")).toContain("How many cups it fills.");
  expect(await cluster.run("explain tp --recursive")).toMatch(/lid\s+<Object>\n\s+pattern\s+<string>/);
  expect(await cluster.run(`api-resources --api-group=${GROUP}`)).toMatch(
    /teapots +tp +shop\.example\.com\/v1 +true +Teapot/,
  );
  expect(await cluster.run("describe teapot big")).toMatch(/Spec:\n(.*\n)* +Cups: +8\n/);
}, 30_000);

const REFUSED: readonly (readonly [spec: object | undefined, says: string])[] = [
  [undefined, "spec: Required value"],
  [{}, "spec.cups: Required value"],
  [{ cups: "two" }, 'spec.cups: Invalid value: "string": spec.cups in body must be of type integer: "string"'],
  [{ cups: 0 }, "spec.cups: Invalid value: 0: spec.cups in body should be greater than or equal to 1"],
  [{ cups: 1, colour: "blue" }, 'spec.colour: Unsupported value: "blue": supported values: "brown", "white"'],
  [
    { cups: 1, lid: { pattern: "9" } },
    "spec.lid.pattern: Invalid value: \"9\": spec.lid.pattern in body should match '^[a-z]+$'",
  ],
  [{ cups: 1, leaves: ["a", "b", "c"] }, "spec.leaves: Too many: 3: must have at most 2 items"],
  [
    { cups: 1, leaves: [""] },
    'spec.leaves[0]: Invalid value: "": spec.leaves[0] in body should be at least 1 chars long',
  ],
  [{ cups: 1, price: true }, "spec.price: Invalid value"],
];

for (const [spec, says] of REFUSED) {
  test.concurrent(`${JSON.stringify(spec)} is refused`, async () => {
    const input = JSON.stringify(teapot("bad", spec));
    const { code, stderr } = await cluster.tryKubectl(["apply", "--validate=false", "-f", "-"], { input });
    expect([code, stderr]).toEqual([1, expect.stringContaining(says)]);
  }, 30_000);
}

test("changes by patch, scale and status keep to their parts", async () => {
  await cluster.kubectl([
    "patch",
    "tp",
    "big",
    "--type=merge",
    "-p",
    '{"spec":{"price":"5%"},"status":{"phase":"no"}}',
  ]);
  await cluster.run("scale tp big --replicas=9");
  const path = `/apis/${GROUP}/v1/namespaces/default/teapots/big/status`;
  const current = JSON.parse(await cluster.run("get tp big -o json")) as Record<string, unknown>;
  const generation = await cluster.run("get tp big -o jsonpath={.metadata.generation}");
  const changed = { ...current, spec: { cups: 1 }, status: { cups: 3, phase: "Hot" } };
  await cluster.run(`replace --raw ${path} -f -`, JSON.stringify(changed));
  const { spec, status } = JSON.parse(await cluster.run("get tp big -o json")) as { spec: object; status: object };
  expect(spec).toMatchObject({ cups: 9, price: "5%" });
  expect(status).toEqual({ cups: 3, phase: "Hot" });
  expect(await cluster.run("get tp big -o jsonpath={.metadata.generation}")).toBe(generation);
}, 30_000);

test("a changed definition counts from then on, a deleted one takes its objects along", async () => {
  const changed = structuredClone(DEFINITION);
  changed.spec.versions[0]!.schema.openAPIV3Schema.properties.spec.properties.cups.maximum = 100;
  await cluster.apply([changed]);
  await waitFor(async () => (await cluster.tryKubectl(["scale", "tp", "big", "--replicas=50"])).code === 0, {
    what: "the new maximum",
    timeoutMs: 20_000,
  });
  await cluster.run(`delete crd teapots.${GROUP}`);
  await waitFor(
    async () =>
      (await cluster.tryKubectl(["get", "teapots"])).stderr.includes(
        "the server could not find the requested resource",
      ),
    { what: "no such kind", timeoutMs: 20_000 },
  );
  await cluster.apply([changed]);
  await cluster.run(`wait crd/teapots.${GROUP} --for=condition=Established --timeout=30s`);
  await waitFor(async () => (await cluster.tryKubectl(["get", "teapots"])).stderr.includes("No resources found"), {
    what: "no teapots",
    timeoutMs: 20_000,
  });
}, 60_000);

test("a definition without structural schema is refused", async () => {
  const wrong = structuredClone(DEFINITION) as { metadata: object; spec: { versions: object[] } };
  wrong.metadata = { name: "teapots.other" };
  wrong.spec.versions = [
    {
      name: "v1",
      served: true,
      storage: true,
      schema: { openAPIV3Schema: { type: "object", properties: { spec: { properties: {} } } } },
    },
  ];
  const { stderr } = await cluster.tryKubectl(["apply", "-f", "-"], { input: JSON.stringify(wrong) });
  expect(stderr).toContain(
    "spec.versions[0].schema.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields",
  );
  expect(stderr).toContain('metadata.name: Invalid value: "teapots.other": must be spec.names.plural+"."+spec.group');
}, 30_000);

function teapot(name: string, spec: object | undefined): object {
  return { apiVersion: `${GROUP}/v1`, kind: "Teapot", metadata: { name }, ...(spec === undefined ? {} : { spec }) };
}
