import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connectTcp, TcpServer, waitFor } from "@bowline/testkit";
import { endpoint, opaquePolicy, profile, servicePolicy } from "@bowline/testkit/control-plane";
import { CONTEXT, DiscoveryWorld, WORKLOAD } from "./discovery-world.ts";
import { MANNERS } from "./http-caller.ts";

const IDLE_MS = 1_000;
const FAILFAST_MS = 300;

let world: DiscoveryWorld;

beforeAll(async () => {
  world = await DiscoveryWorld.start({
    LINKERD2_PROXY_OUTBOUND_DISCOVERY_IDLE_TIMEOUT: `${IDLE_MS}ms`,
    LINKERD2_PROXY_OUTBOUND_DETECT_TIMEOUT: "1s",
  });
}, 30_000);

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

describe.each(MANNERS)("%s", (manner) => {
  test("the control plane is asked about the address, then for the endpoints, and one of them answers", async () => {
    const app = await world.app(manner);
    const service = world.service();
    service.destination.add(endpoint(app.address));
    using caller = await world.caller(manner, service.vip);
    expect(await caller.call({ path: "/a?b", authority: "web.example" })).toMatchObject({
      status: 200,
      body: app.name,
    });
    expect(app.seen).toHaveLength(1);
    expect(app.seen[0]).toMatchObject({ method: "GET", authority: "web.example" });
    const { control } = world;
    expect(control.callsFor("policy", service.vip).map(({ asker }) => asker)).toEqual([WORKLOAD]);
    expect(control.callsFor("profile", service.vip).map(({ asker }) => asker)).toEqual([CONTEXT]);
    expect(control.callsFor("destination", service.path).map(({ asker }) => asker)).toEqual([CONTEXT]);
  });

  test("connections share what was found out, until it has been idle", async () => {
    const app = await world.app(manner);
    const service = world.service();
    service.destination.add(endpoint(app.address));
    for (let i = 0; i < 5; i++) {
      using caller = await world.caller(manner, service.vip);
      expect(await caller.call()).toMatchObject({ status: 200 });
    }
    const { destination, policy } = service;
    expect([destination.subscriptions, policy.subscriptions, service.profile.subscriptions]).toEqual([1, 1, 1]);
    await destination.waitForSubscribers(0, IDLE_MS + 5_000);
    await policy.waitForSubscribers(0);
    await service.profile.waitForSubscribers(0);
    using caller = await world.caller(manner, service.vip);
    expect(await caller.call()).toMatchObject({ status: 200 });
    expect([destination.subscriptions, policy.subscriptions]).toEqual([2, 2]);
  });

  test("an open connection that says nothing keeps what was found out", async () => {
    const app = await world.app(manner);
    const service = world.service();
    service.destination.add(endpoint(app.address));
    using caller = await world.caller(manner, service.vip);
    await caller.call();
    await Bun.sleep(2 * IDLE_MS);
    expect(service.policy.subscribers).toBe(1);
    expect(await caller.call()).toMatchObject({ status: 200 });
    expect(service.policy.subscriptions).toBe(1);
  });

  test("streams that end are asked for again, and what they then say holds", async () => {
    const [before, after] = [await world.app(manner), await world.app(manner)];
    const service = world.service();
    service.destination.add(endpoint(before.address));
    using caller = await world.caller(manner, service.vip);
    expect(await caller.call()).toMatchObject({ body: before.name });
    service.destination.replaceUnheard(endpoint(after.address));
    service.destination.end();
    service.policy.end();
    await service.destination.waitForSubscriptions(2);
    await service.policy.waitForSubscriptions(2);
    await waitFor(async () => (await caller.call()).body === after.name, { what: "the new endpoint to answer" });
    for (let i = 0; i < 10; i++) expect(await caller.call()).toMatchObject({ status: 200, body: after.name });
  });

  test.each([
    { name: "a service without endpoints", exists: true },
    { name: "a service that does not exist", exists: false },
  ])("$name fails fast, and requests never go to the address", async ({ exists }) => {
    const there = await world.app(manner);
    const service = world.service({ failfastMs: FAILFAST_MS }, there.address);
    service.destination.noEndpoints(exists);
    using caller = await world.caller(manner, service.vip);
    const startMs = performance.now();
    expect(await caller.call()).toMatchObject({ status: 504 });
    expect(performance.now() - startMs).toBeGreaterThan(FAILFAST_MS - 50);
    // From now on nobody waits.
    using second = await world.caller(manner, service.vip);
    const failingMs = performance.now();
    expect(await second.call()).toMatchObject({ status: 504 });
    expect(performance.now() - failingMs).toBeLessThan(FAILFAST_MS);
    expect(there.seen).toEqual([]);
    const app = await world.app(manner);
    service.destination.add(endpoint(app.address));
    const served = async (): Promise<boolean> => {
      using third = await world.caller(manner, service.vip);
      return (await third.call()).status === 200;
    };
    await waitFor(served, { what: "a request to be served by the endpoint that has come" });
    expect(there.seen).toEqual([]);
  });

  test.each(["empty", "gone"] as const)(
    "a stream that comes back with the service %s: 504",
    async (how) => {
      const app = await world.app(manner);
      const service = world.service({ failfastMs: FAILFAST_MS });
      service.destination.add(endpoint(app.address));
      using caller = await world.caller(manner, service.vip);
      expect(await caller.call()).toMatchObject({ status: 200 });
      world.control.stop();
      service.destination.noEndpoints(how === "empty");
      await world.control.restart();
      await service.destination.waitForSubscribers();
      const failing = async (): Promise<boolean> => {
        using again = await world.caller(manner, service.vip);
        return (await again.call()).status === 504;
      };
      await waitFor(failing, { what: "a request to fail" });
      const seen = app.seen.length;
      using last = await world.caller(manner, service.vip);
      expect(await last.call()).toMatchObject({ status: 504 });
      expect(app.seen).toHaveLength(seen);
    },
    20_000,
  );

  test("an address of which nothing is known is where requests go", async () => {
    const app = await world.app(manner);
    using caller = await world.caller(manner, app.address);
    expect(await caller.call()).toMatchObject({ status: 200, body: app.name });
    expect(world.control.callsFor("policy", app.address)).toHaveLength(1);
  });

  test.each(["NOT_FOUND", "UNIMPLEMENTED"] as const)("a policy that is %s counts as none", async (status) => {
    const app = await world.app(manner);
    const service = world.unknownService(app.address);
    service.policy.fail(status);
    service.profile.fail("INVALID_ARGUMENT");
    using caller = await world.caller(manner, app.address);
    expect(await caller.call()).toMatchObject({ status: 200, body: app.name });
    expect(service.policy.subscriptions).toBe(1);
    expect(service.profile.subscriptions).toBe(1);
  });

  test("a control plane that does not answer makes requests wait, and no longer than it does", async () => {
    const app = await world.app(manner);
    const service = world.unknownService();
    service.profile.send(profile());
    using caller = await world.caller(manner, service.vip);
    const answer = caller.call();
    await service.policy.waitForSubscribers();
    expect(await Promise.race([answer, Bun.sleep(500)])).toBeUndefined();
    service.policy.send(servicePolicy(service.path));
    await service.destination.waitForSubscribers();
    expect(await Promise.race([answer, Bun.sleep(500)])).toBeUndefined();
    service.destination.add(endpoint(app.address));
    expect(await answer).toMatchObject({ status: 200, body: app.name });
  });

  test("errors of the control plane are tried again after a delay, meanwhile requests wait", async () => {
    const app = await world.app(manner);
    const service = world.service();
    service.destination.add(endpoint(app.address));
    for (const status of ["UNAVAILABLE", "INTERNAL"] as const) {
      service.policy.failNext(status);
      service.destination.failNext(status);
    }
    using caller = await world.caller(manner, service.vip);
    expect(await caller.call()).toMatchObject({ status: 200, body: app.name });
    expect(service.policy.subscriptions).toBe(3);
    expect(service.destination.subscriptions).toBe(3);
    const [first, second, third] = world.control.callsFor("policy", service.vip).map(({ startedMs }) => startedMs);
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThan(50);
    expect((third ?? 0) - (second ?? 0)).toBeGreaterThan(100);
  });
});

describe("connections that are not HTTP", () => {
  test("go to an endpoint of the service", async () => {
    const service = world.service();
    const address = world.address();
    using app = TcpServer.listen(world.server.namespace, world.server.v4, Number(address.split(":")[1]));
    service.destination.add(endpoint(address));
    const [host = "", port = ""] = service.vip.split(":");
    const client = await connectTcp(world.client.namespace, host, Number(port));
    client.send("\x00hello\r\n");
    const server = await app.next();
    expect(await server.takeBytes(8)).toBe("\x00hello\r\n");
    server.send("\x01there");
    expect(await client.takeBytes(6)).toBe("\x01there");
    client.close();
  });

  test.each(["policy", "profile"] as const)(
    "may be spoken first on by the server when the %s says opaque",
    async (who) => {
      const service = world.unknownService();
      const name = service.path.replace(/:.*/, "");
      service.policy.send(who === "policy" ? opaquePolicy(service.path) : servicePolicy(service.path));
      service.profile.send(profile({ fullyQualifiedName: name, opaqueProtocol: who === "profile" }));
      const address = world.address();
      const greet = (peer: { send(bytes: string): void }): void => peer.send("220 ready\r\n");
      using _app = TcpServer.listen(world.server.namespace, world.server.v4, Number(address.split(":")[1]), greet);
      service.destination.add(endpoint(address));
      const [host = "", port = ""] = service.vip.split(":");
      const startMs = performance.now();
      const client = await connectTcp(world.client.namespace, host, Number(port));
      expect(await client.takeUntil("ready\r\n")).toBe("220 ready\r\n");
      // Less than the time that protocols are waited for.
      expect(performance.now() - startMs).toBeLessThan(900);
      client.close();
    },
  );
});
