import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { GrpcError, GrpcStatus } from "@bowline/grpc";
import type { ToData } from "../../boundary.ts";
import { Discovery, type DiscoveryRequest, type Holder } from "./discovery.ts";
import { addMessage, policyMessage, profileMessage, ScriptedServices } from "./testing/scripted-services.ts";
import { SimulatedClock } from "./testing/simulated-clock.ts";

const TARGET = "10.9.9.9:80";
const PATH = "web.ns.svc.cluster.local:80";
const POLICY_A = policyMessage({ metadata: { default: "a" }, protocol: { opaque: {} } });
const POLICY_B = policyMessage({ metadata: { default: "b" }, protocol: { opaque: {} } });

let clock: SimulatedClock;
let services: ScriptedServices;
let discovery: Discovery;

class TestThread implements Holder {
  readonly heard: string[] = [];

  answer(message: ToData): void {
    // What is posted to a worker is cloned: nothing in it may be a function or an instance of a class.
    expect(structuredClone(message)).toEqual(message);
    if (message.kind === "outbound") {
      this.heard.push(`${message.target} ${message.outbound.policy?.meta.name ?? "no policy"}`);
    } else if (message.kind === "endpoints") {
      const { update } = message;
      const count = update.kind === "reset" ? ` ${update.endpoints.length}` : "";
      this.heard.push(`${message.path} ${update.kind}${count}`);
    }
  }

  ask(kind: DiscoveryRequest["kind"], what: string): void {
    const request =
      kind === "discover" || kind === "undiscover"
        ? ({ kind, target: what } as const)
        : ({ kind, path: what } as const);
    discovery.handle(this, request);
  }
}

function makeDiscovery(has: { destination?: boolean; policy?: boolean } = {}): Discovery {
  return new Discovery({
    destination: has.destination === false ? null : services.destination,
    policy: has.policy === false ? null : services.policy,
    searchesProfile: (target) => target === TARGET,
    log: services.logger,
  });
}

beforeEach(() => {
  clock = new SimulatedClock();
  services = new ScriptedServices(clock);
  discovery = makeDiscovery();
});

afterEach(() => {
  discovery.stop();
  expect({ timers: clock.armed, streams: services.held }).toEqual({ timers: 0, streams: 0 });
});

async function answerTarget(): Promise<void> {
  services.profiles.last.send(profileMessage({}));
  services.policies.last.send(POLICY_A);
  await clock.pass(0);
}

describe("threads share what is known", () => {
  test("of a target: one watch, and a late thread hears at once", async () => {
    const [first, second, late] = [new TestThread(), new TestThread(), new TestThread()];
    first.ask("discover", TARGET);
    second.ask("discover", TARGET);
    await answerTarget();
    late.ask("discover", TARGET);
    expect([first.heard, second.heard, late.heard]).toEqual([[`${TARGET} a`], [`${TARGET} a`], [`${TARGET} a`]]);
    services.policies.last.send(POLICY_B);
    await clock.pass(0);
    for (const thread of [first, second, late]) expect(thread.heard.at(-1)).toBe(`${TARGET} b`);
    expect([services.profiles.streams.length, services.policies.streams.length]).toEqual([1, 1]);
  });

  test("of a path: one watch, and a late thread begins with a reset", async () => {
    const [first, late] = [new TestThread(), new TestThread()];
    first.ask("resolve", PATH);
    services.endpoints.last.send(addMessage(1), addMessage(2));
    await clock.pass(0);
    late.ask("resolve", PATH);
    expect(first.heard).toEqual([`${PATH} reset 1`, `${PATH} delta`]);
    expect(late.heard).toEqual([`${PATH} reset 2`]);
    expect(services.endpoints.streams.length).toBe(1);
  });

  test("what threads were told can be looked at", async () => {
    const [first, second] = [new TestThread(), new TestThread()];
    first.ask("discover", TARGET);
    first.ask("resolve", PATH);
    second.ask("resolve", "absent.ns.svc.cluster.local:80");
    expect(discovery.told()).toEqual({
      targets: [{ target: TARGET, outbound: null }],
      services: [
        { authority: PATH, exists: null, endpoints: [] },
        { authority: "absent.ns.svc.cluster.local:80", exists: null, endpoints: [] },
      ],
    });
    await answerTarget();
    services.endpoints.streams[0]?.send(addMessage(1), addMessage(2));
    services.endpoints.last.end(new GrpcError(GrpcStatus.NotFound, "no such service"));
    await clock.pass(0);
    const { targets, services: paths } = discovery.told();
    expect(targets).toMatchObject([{ target: TARGET, outbound: { policy: { meta: { name: "a" } } } }]);
    expect(paths.map(({ exists, endpoints }) => [exists, endpoints.length])).toEqual([
      [true, 2],
      [false, 0],
    ]);
    expect(JSON.parse(JSON.stringify(discovery.told()))).toEqual(discovery.told());
    discovery.releaseAll(first);
    discovery.releaseAll(second);
    expect(discovery.told()).toEqual({ targets: [], services: [] });
  });

  test("a thread hears of nothing that it did not ask for", async () => {
    const [first, second] = [new TestThread(), new TestThread()];
    first.ask("discover", TARGET);
    second.ask("discover", "10.9.9.8:80");
    services.policies.streams[0]?.send(POLICY_A);
    services.profiles.last.send(profileMessage({}));
    await clock.pass(0);
    expect([first.heard, second.heard]).toEqual([[`${TARGET} a`], []]);
  });
});

describe("streams end with the last thread that holds them", () => {
  const rows: { name: string; take: "discover" | "resolve"; leave: (thread: TestThread) => void; what: string }[] = [
    { name: "a target", take: "discover", leave: (thread) => thread.ask("undiscover", TARGET), what: TARGET },
    { name: "a path", take: "resolve", leave: (thread) => thread.ask("unresolve", PATH), what: PATH },
    {
      name: "a target of a dead thread",
      take: "discover",
      leave: (thread) => discovery.releaseAll(thread),
      what: TARGET,
    },
    { name: "a path of a dead thread", take: "resolve", leave: (thread) => discovery.releaseAll(thread), what: PATH },
  ];
  test.each(rows)("$name", async ({ take, leave, what }) => {
    const [first, second] = [new TestThread(), new TestThread()];
    first.ask(take, what);
    second.ask(take, what);
    // Asking twice is not holding twice.
    first.ask(take, what);
    leave(first);
    await clock.pass(0);
    expect(services.held).toBeGreaterThan(0);
    leave(second);
    await clock.pass(0);
    expect({ held: services.held, timers: clock.armed }).toEqual({ held: 0, timers: 0 });
    expect([first.heard, second.heard]).toEqual([[], []]);
  });

  test("and begin anew when one asks again", async () => {
    const thread = new TestThread();
    thread.ask("discover", TARGET);
    await answerTarget();
    thread.ask("undiscover", TARGET);
    thread.ask("discover", TARGET);
    expect(thread.heard).toEqual([`${TARGET} a`]);
    await answerTarget();
    expect(thread.heard).toEqual([`${TARGET} a`, `${TARGET} a`]);
    expect(services.policies.streams.length).toBe(2);
  });

  test("letting go of what is not held does nothing", () => {
    const [holder, other] = [new TestThread(), new TestThread()];
    holder.ask("discover", TARGET);
    other.ask("undiscover", TARGET);
    other.ask("unresolve", PATH);
    discovery.releaseAll(other);
    expect(services.held).toBe(2);
  });
});

describe("what is asked of whom", () => {
  test("no profile where none is searched", async () => {
    const thread = new TestThread();
    thread.ask("discover", "203.0.113.1:443");
    services.policies.last.send(POLICY_A);
    await clock.pass(0);
    expect(thread.heard).toEqual(["203.0.113.1:443 a"]);
    expect(services.profiles.streams.length).toBe(0);
  });

  test("a destination service alone: profiles, without policies", async () => {
    discovery = makeDiscovery({ policy: false });
    const thread = new TestThread();
    thread.ask("discover", TARGET);
    services.profiles.last.send(profileMessage({}));
    await clock.pass(0);
    expect(thread.heard).toEqual([`${TARGET} no policy`]);
  });

  test("a policy service alone: policies, and no service can be resolved", async () => {
    discovery = makeDiscovery({ destination: false });
    const [thread, late] = [new TestThread(), new TestThread()];
    thread.ask("discover", TARGET);
    thread.ask("resolve", PATH);
    services.policies.last.send(POLICY_A);
    await clock.pass(0);
    late.ask("resolve", PATH);
    expect(thread.heard).toEqual([`${PATH} gone`, `${TARGET} a`]);
    expect(late.heard).toEqual([`${PATH} gone`]);
  });
});
