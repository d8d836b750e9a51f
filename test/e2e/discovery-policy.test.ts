import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { balancer, endpoint, forward, httpRoute, servicePolicy } from "@bowline/testkit/control-plane";
import { DiscoveryWorld, type Service } from "./discovery-world.ts";
import type { HttpApp } from "./http-app.ts";
import { MANNERS } from "./http-caller.ts";

let world: DiscoveryWorld;

beforeAll(async () => {
  world = await DiscoveryWorld.start();
}, 30_000);

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

describe.each(MANNERS)("%s", (manner) => {
  /** Two services with an app each; requests for the first are routed by what the test says. */
  async function twoServices(): Promise<{ service: Service; usual: HttpApp; special: HttpApp; specialPath: string }> {
    const [usual, special] = [await world.app(manner), await world.app(manner)];
    const service = world.service();
    const other = world.service();
    service.destination.add(endpoint(usual.address));
    other.destination.add(endpoint(special.address));
    return { service, usual, special, specialPath: other.path };
  }

  test("the route for everything", async () => {
    const { service, usual } = await twoServices();
    using caller = await world.caller(manner, service.vip);
    expect(await caller.call({ path: "/any/path" })).toMatchObject({ status: 200, body: usual.name });
  });

  test("without routes there is nothing to be found", async () => {
    const { service, usual } = await twoServices();
    service.policy.send(servicePolicy(service.path, { routes: [] }));
    using caller = await world.caller(manner, service.vip);
    expect(await caller.call()).toMatchObject({ status: 404, body: "" });
    expect(await caller.call()).toMatchObject({ status: 404 });
    expect(usual.seen).toEqual([]);
  });

  test("routes by header", async () => {
    const { service, usual, special, specialPath } = await twoServices();
    const value = { case: "exact", value: new TextEncoder().encode("very") } as const;
    const matches = [{ headers: [{ name: "x-special", value }] }];
    const routes = [httpRoute(balancer(specialPath), { matches }), httpRoute(balancer(service.path))];
    service.policy.send(servicePolicy(service.path, { routes }));
    using caller = await world.caller(manner, service.vip);
    expect(await caller.call({ headers: { "x-special": "very" } })).toMatchObject({ body: special.name });
    expect(await caller.call({ headers: { "x-special": "not" } })).toMatchObject({ body: usual.name });
    expect(await caller.call()).toMatchObject({ body: usual.name });
  });

  test("routes by path, of which the longer match wins", async () => {
    const { service, usual, special, specialPath } = await twoServices();
    const matches = [
      { path: { kind: { case: "prefix", value: "/a/b" } } },
      { path: { kind: { case: "exact", value: "/exact" } } },
      { path: { kind: { case: "regex", value: "/r[0-9]+" } } },
    ] as const;
    const routes = [httpRoute(balancer(service.path)), httpRoute(balancer(specialPath), { matches: [...matches] })];
    service.policy.send(servicePolicy(service.path, { routes }));
    using caller = await world.caller(manner, service.vip);
    for (const path of ["/a/b", "/a/b/c", "/a/b?q", "/exact", "/r123"]) {
      expect({ path, ...(await caller.call({ path })) }).toMatchObject({ path, body: special.name });
    }
    for (const path of ["/", "/a", "/a/bc", "/exact/not", "/r", "/r1/x"]) {
      expect({ path, ...(await caller.call({ path })) }).toMatchObject({ path, body: usual.name });
    }
  });

  test("a policy that changes holds for the next request of an open connection", async () => {
    const { service, usual, special, specialPath } = await twoServices();
    using caller = await world.caller(manner, service.vip);
    expect(await caller.call()).toMatchObject({ body: usual.name });
    service.policy.send(servicePolicy(service.path, { routes: [httpRoute(balancer(specialPath))] }));
    const start = performance.now();
    let { body } = await caller.call();
    while (body !== special.name && performance.now() - start < 5_000) ({ body } = await caller.call());
    expect(body).toBe(special.name);
    expect(await caller.call()).toMatchObject({ body: special.name });
  });

  test("a backend of one endpoint needs no discovery", async () => {
    const app = await world.app(manner);
    const service = world.service();
    service.policy.send(servicePolicy(service.path, {}, forward(endpoint(app.address))));
    using caller = await world.caller(manner, service.vip);
    expect(await caller.call()).toMatchObject({ status: 200, body: app.name });
    expect(service.destination.subscriptions).toBe(0);
  });

  test("traffic is divided among backends by their weights", async () => {
    const { service, usual, special, specialPath } = await twoServices();
    const backends = [
      { backend: { backend: balancer(service.path) }, weight: 3 },
      { backend: { backend: balancer(specialPath) }, weight: 1 },
    ];
    const split = { backends: { kind: { case: "randomAvailable", value: { backends } } } } as const;
    const routes = [httpRoute(balancer(service.path), split)];
    service.policy.send(servicePolicy(service.path, { routes }));
    using caller = await world.caller(manner, service.vip);
    for (let i = 0; i < 200; i++) expect(await caller.call()).toMatchObject({ status: 200 });
    // Five standard deviations from 150 are 31.
    expect(usual.seen.length).toBeGreaterThan(150 - 31);
    expect(usual.seen.length).toBeLessThan(150 + 31);
    expect(special.seen.length).toBe(200 - usual.seen.length);
  }, 20_000);

  test("a policy that makes no sense fails every request", async () => {
    const { service, usual } = await twoServices();
    const kind = { case: "consecutiveFailures", value: { maxFailures: 1 } } as const;
    service.policy.send(
      servicePolicy(service.path, { routes: [httpRoute(balancer(service.path))], failureAccrual: { kind } }),
    );
    using caller = await world.caller(manner, service.vip);
    expect(await caller.call()).toMatchObject({ status: 500 });
    expect(usual.seen).toEqual([]);
  });
});
