import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connectTcp, TcpServer, waitFor } from "@bowline/testkit";
import { endpoint } from "@bowline/testkit/control-plane";
import { DiscoveryWorld, FORGETFUL, type Service } from "./discovery-world.ts";
import type { HttpApp } from "./http-app.ts";
import { type Caller, MANNERS } from "./http-caller.ts";

let world: DiscoveryWorld;

beforeAll(async () => {
  world = await DiscoveryWorld.start({ LINKERD2_PROXY_OUTBOUND_CONNECT_TIMEOUT: "500ms" });
}, 30_000);

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

/** How often each name comes in the answers to `count` calls, of which none may fail. */
async function tally(caller: Caller, count: number): Promise<Map<string, number>> {
  const tallied = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const { status, body } = await caller.call();
    expect(status).toBe(200);
    tallied.set(body, (tallied.get(body) ?? 0) + 1);
  }
  return tallied;
}

function add(service: Service, ...apps: HttpApp[]): void {
  service.destination.add(...apps.map(({ address }) => endpoint(address)));
}

async function untilAnswersCome(caller: Caller, from: HttpApp): Promise<void> {
  await waitFor(async () => (await caller.call()).body === from.name, { what: `an answer of ${from.name}` });
}

describe.each(MANNERS)("%s", (manner) => {
  const apps = (count: number): Promise<HttpApp[]> =>
    Promise.all(Array.from({ length: count }, () => world.app(manner)));

  test("requests of one connection are divided among all endpoints", async () => {
    const all = await apps(4);
    const service = world.service(FORGETFUL);
    add(service, ...all);
    using caller = await world.caller(manner, service.vip);
    const tallied = await tally(caller, 200);
    expect([...tallied.keys()].toSorted()).toEqual(all.map(({ name }) => name).toSorted());
    // One whose first answer was slow gets few for a while, and all of this takes little longer.
    for (const count of tallied.values()) expect(count).toBeGreaterThan(3);
  }, 20_000);

  test("a slow endpoint gets few requests", async () => {
    const [fast, slow] = (await apps(2)) as [HttpApp, HttpApp];
    const service = world.service();
    add(service, fast, slow);
    slow.respond = async () => {
      await Bun.sleep(50);
      return {};
    };
    using caller = await world.caller(manner, service.vip);
    await tally(caller, 100);
    expect(fast.seen.length).toBeGreaterThan(80);
  }, 20_000);

  test("an endpoint that was removed gets no request any more, and one that was added does", async () => {
    const [stays, goes, comes] = (await apps(3)) as [HttpApp, HttpApp, HttpApp];
    const service = world.service(FORGETFUL);
    add(service, stays, goes);
    using caller = await world.caller(manner, service.vip);
    await untilAnswersCome(caller, goes);
    await untilAnswersCome(caller, stays);
    service.destination.remove(goes.address);
    add(service, comes);
    // Updates are read in order: an answer of the one that came tells that the other is gone.
    await untilAnswersCome(caller, comes);
    const before = goes.seen.length;
    const tallied = await tally(caller, 50);
    expect(goes.seen).toHaveLength(before);
    expect(tallied.get(stays.name)).toBeGreaterThan(0);
  }, 20_000);

  test("a request under way to an endpoint that is removed is finished", async () => {
    const [goes, comes] = (await apps(2)) as [HttpApp, HttpApp];
    const service = world.service(FORGETFUL);
    add(service, goes);
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    goes.respond = async ({ path }) => {
      if (path.endsWith("/held")) await released;
      return {};
    };
    using caller = await world.caller(manner, service.vip);
    const answer = caller.call({ path: "/held" });
    await waitFor(() => goes.seen.length > 0, { what: "the request" });
    service.destination.remove(goes.address);
    add(service, comes);
    using other = await world.caller(manner, service.vip);
    await untilAnswersCome(other, comes);
    release();
    expect(await answer).toMatchObject({ status: 200, body: goes.name });
    expect(goes.seen.filter(({ path }) => path.endsWith("/held"))).toHaveLength(1);
  }, 20_000);

  test("the control plane goes away: what was known holds, and is put right when it is back", async () => {
    const [stays, goes, comes] = (await apps(3)) as [HttpApp, HttpApp, HttpApp];
    const service = world.service(FORGETFUL);
    add(service, stays, goes);
    using caller = await world.caller(manner, service.vip);
    await untilAnswersCome(caller, goes);
    world.control.stop();
    const meanwhile = await tally(caller, 30);
    expect([...meanwhile.values()].reduce((sum, count) => sum + count)).toBe(30);
    service.destination.replaceUnheard(endpoint(stays.address), endpoint(comes.address));
    const fresh = world.service(FORGETFUL);
    add(fresh, comes);
    using waiting = await world.caller(manner, fresh.vip);
    const answer = waiting.call();
    expect(await Promise.race([answer, Bun.sleep(300)])).toBeUndefined();
    await world.control.restart();
    expect(await answer).toMatchObject({ status: 200, body: comes.name });
    await untilAnswersCome(caller, comes);
    const before = goes.seen.length;
    await tally(caller, 30);
    expect(goes.seen).toHaveLength(before);
  }, 30_000);

  test("an address that moves to another app is found by the next request", async () => {
    const service = world.service(FORGETFUL);
    const [first, second] = (await apps(2)) as [HttpApp, HttpApp];
    add(service, first);
    using caller = await world.caller(manner, service.vip);
    expect(await caller.call()).toMatchObject({ body: first.name });
    first.close();
    service.destination.remove(first.address);
    add(service, second);
    const moved = async (): Promise<boolean> => {
      using next = await world.caller(manner, service.vip);
      return (await next.call()).body === second.name;
    };
    await waitFor(moved, { what: "an answer of the other app" });
    using last = await world.caller(manner, service.vip);
    expect((await tally(last, 20)).get(second.name)).toBe(20);
  }, 20_000);
});

describe("HTTP/2", () => {
  test("a request waits for an endpoint that can be reached", async () => {
    const app = await world.app("HTTP/2");
    const service = world.service();
    service.destination.add(endpoint(world.address()));
    using caller = await world.caller("HTTP/2", service.vip);
    const answer = caller.call();
    expect(await Promise.race([answer, Bun.sleep(300)])).toBeUndefined();
    add(service, app);
    expect(await answer).toMatchObject({ status: 200, body: app.name });
  });

  test("an endpoint that cannot be reached gets no request while another can", async () => {
    const app = await world.app("HTTP/2");
    const service = world.service();
    service.destination.add(endpoint(world.address()), endpoint(app.address));
    using caller = await world.caller("HTTP/2", service.vip);
    expect((await tally(caller, 50)).get(app.name)).toBe(50);
  });

  test("requests at once on one connection are divided among the endpoints", async () => {
    const [one, other] = [await world.app("HTTP/2"), await world.app("HTTP/2")];
    const service = world.service();
    add(service, one, other);
    using caller = await world.caller("HTTP/2", service.vip);
    await tally(caller, 20);
    const answers = await Promise.all(Array.from({ length: 200 }, () => caller.call()));
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    const bodies = answers.map(({ body }) => body);
    for (const { name } of [one, other]) expect(bodies.filter((body) => body === name).length).toBeGreaterThan(20);
  });
});

test("connections that are not HTTP are divided among the endpoints", async () => {
  const service = world.service();
  const addresses = [world.address(), world.address()];
  const servers = addresses.map((address) => {
    const port = Number(address.split(":")[1]);
    return TcpServer.listen(world.server.namespace, world.server.v4, port, (peer) => peer.send(address));
  });
  try {
    service.destination.add(...addresses.map((address) => endpoint(address)));
    const [host = "", port = ""] = service.vip.split(":");
    for (let i = 0; i < 40; i++) {
      const client = await connectTcp(world.client.namespace, host, Number(port));
      client.send("\x00\x01\x02");
      expect(addresses).toContain(await client.takeUntil(/:\d{5}$/));
      client.close();
    }
    for (const server of servers) expect(server.accepted.length).toBeGreaterThan(5);
  } finally {
    for (const server of servers) server[Symbol.dispose]();
  }
});
