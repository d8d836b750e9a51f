import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";
import { endpoint } from "@bowline/testkit/control-plane";
import { DiscoveryWorld, type Service } from "./discovery-world.ts";
import { MANNERS } from "./http-caller.ts";
import { counted, metricsPage } from "./mesh.ts";

type Labels = Readonly<Record<string, string | number | null>>;

let world: DiscoveryWorld;

beforeAll(async () => {
  world = await DiscoveryWorld.start();
}, 30_000);

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

/** Waits until so many have been counted for the service, and all of them with these labels. */
async function expectCounted(name: string, count: number, { path }: Service, labels: Labels): Promise<void> {
  const ofService = { direction: "outbound", authority: path.replace(/:80$/, "") };
  const counts = async (): Promise<number> => counted(world.proxy, name, { ...ofService, ...labels });
  await waitFor(async () => (await counts()) === count, { what: `${count} of ${name} ${JSON.stringify(labels)}` });
}

describe.each(MANNERS)("%s", (manner) => {
  interface Row {
    readonly name: string;
    readonly setLabels: Readonly<Record<string, string>>;
    readonly ownLabels: Record<string, string>;
    readonly want: Labels;
  }

  const rows: readonly Row[] = [
    { name: "none", setLabels: {}, ownLabels: {}, want: {} },
    { name: "the address's", setLabels: {}, ownLabels: { a: "1", b: "2" }, want: { dst_a: 1, dst_b: 2 } },
    { name: "the set's", setLabels: { a: "1", b: "2" }, ownLabels: {}, want: { dst_a: 1, dst_b: 2 } },
    {
      name: "both",
      setLabels: { a: "1", b: "2" },
      ownLabels: { b: "3", c: "4" },
      want: { dst_a: 1, dst_b: 3, dst_c: 4 },
    },
  ];

  test.each(rows)(
    "requests and responses have the endpoint's labels: $name",
    async ({ setLabels, ownLabels, want }) => {
      const app = await world.app(manner);
      const service = world.service();
      service.destination.labels = setLabels;
      service.destination.add(endpoint(app.address, { metricLabels: ownLabels }));
      using caller = await world.caller(manner, service.vip);
      for (let i = 0; i < 3; i++) await caller.call();
      const endpointLabels = {
        ...want,
        target_addr: app.address,
        tls: "no_identity",
        no_tls_reason: "not_provided_by_service_discovery",
      };
      await expectCounted("request_total", 3, service, endpointLabels);
      const response = { status_code: 200, classification: "success" };
      await expectCounted("response_total", 3, service, { ...endpointLabels, ...response });
      await expectCounted("response_latency_ms_count", 3, service, { ...endpointLabels, status_code: 200 });
    },
  );

  test("labels that change hold for later requests", async () => {
    const app = await world.app(manner);
    const service = world.service();
    service.destination.add(endpoint(app.address, { metricLabels: { phase: "one" } }));
    using caller = await world.caller(manner, service.vip);
    await caller.call();
    await expectCounted("request_total", 1, service, { dst_phase: "one" });
    service.destination.add(endpoint(app.address, { metricLabels: { phase: "two" } }));
    const relabelled = async (): Promise<number> => {
      using next = await world.caller(manner, service.vip);
      await next.call();
      return counted(world.proxy, "request_total", { dst_phase: "two", target_addr: app.address });
    };
    await waitFor(relabelled, { what: "a request with the new label" });
    const phaseOne = (): Promise<number> =>
      counted(world.proxy, "request_total", { dst_phase: "one", target_addr: app.address });
    const before = await phaseOne();
    expect((await caller.call()).status).toBe(200);
    expect(await phaseOne()).toBe(before);
  });

  test("a balancer tells how many endpoints it has", async () => {
    const apps = await Promise.all(Array.from({ length: 3 }, () => world.app(manner)));
    const service = world.service();
    service.destination.add(...apps.map(({ address }) => endpoint(address)));
    using caller = await world.caller(manner, service.vip);
    await caller.call();
    const labels = {
      backend_name: service.path.replace(/\..*/, ""),
      backend_kind: "Service",
      backend_namespace: "test",
    };
    const endpoints = (): Promise<number> => counted(world.proxy, "outbound_http_balancer_endpoints", labels);
    await waitFor(async () => (await endpoints()) === 3, { what: "three endpoints" });
    service.destination.remove(apps[0]?.address ?? "");
    await waitFor(async () => (await endpoints()) === 2, { what: "two endpoints" });
  });
});

test("the page stays well-formed with all of these labels", async () => {
  const page = await metricsPage(world.proxy);
  expect(page).not.toContain(",,");
  expect(page).not.toMatch(/\{,|,\}/);
  expect(page).toMatch(/^# EOF$/m);
});
