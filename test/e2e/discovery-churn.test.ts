import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Random, waitFor } from "@bowline/testkit";
import { endpoint } from "@bowline/testkit/control-plane";
import { DiscoveryWorld, FORGETFUL, type Service } from "./discovery-world.ts";
import type { HttpApp } from "./http-app.ts";
import type { Caller } from "./http-caller.ts";

/** More than both services can have at a time. */
const APPS = 9;
/** Of one service, before some are added. */
const OWNED_MAX = 3;
const STEPS = 25;
const CALLS_PER_STEP = 6;

let world: DiscoveryWorld;

beforeAll(async () => {
  world = await DiscoveryWorld.start();
}, 30_000);

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

/** How the control plane tells of a change. */
const TELLINGS = ["at once", "in a new stream", "after an outage"] as const;
type Telling = (typeof TELLINGS)[number];

/** A service, the connection of its client, and the apps that may answer it once its last change was read. */
interface Owner {
  readonly service: Service;
  readonly caller: Caller;
  apps: Set<HttpApp>;
}

describe.each(["HTTP/1", "HTTP/2"] as const)("%s", (version) => {
  test("endpoints come, go and change hands: none serves a service that it was taken from", async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = new Random(seed);
    const free = await Promise.all(Array.from({ length: APPS }, () => world.app(version)));
    const owners = await Promise.all([owner(free), owner(free)]);
    try {
      for (let step = 0; step < STEPS; step++) {
        await change(random.pick(owners), free, random.chance(0.7) ? "at once" : random.pick(TELLINGS), random);
        for (let i = 0; i < CALLS_PER_STEP; i++) {
          for (const { caller, apps } of owners) {
            const { status, body } = await caller.call();
            const names = [...apps].map(({ name }) => name);
            expect({ seed, step, status, owned: names.includes(body), body, names }).toMatchObject({
              status: 200,
              owned: true,
            });
          }
        }
      }
    } finally {
      for (const { caller } of owners) caller[Symbol.dispose]();
    }
  }, 60_000);

  async function owner(free: HttpApp[]): Promise<Owner> {
    const service = world.service(FORGETFUL);
    const app = free.pop()!;
    service.destination.add(endpoint(app.address));
    return { service, caller: await world.caller(version, service.vip), apps: new Set([app]) };
  }
});

/** Gives the service some apps in place of others, and returns when the proxy has read of it. */
async function change(
  { service: { destination }, caller, apps }: Owner,
  free: HttpApp[],
  telling: Telling,
  random: Random,
): Promise<void> {
  random.shuffle(free);
  const coming = free.splice(0, random.between(1, 2));
  const going = [...apps].filter(() => apps.size >= OWNED_MAX || random.chance(0.5));
  for (const app of coming) {
    await app.open();
    apps.add(app);
  }
  for (const app of going) apps.delete(app);
  const whole = [...apps].map(({ address }) => endpoint(address));
  if (telling === "at once") {
    if (going.length > 0) destination.remove(...going.map(({ address }) => address));
    destination.add(...coming.map(({ address }) => endpoint(address)));
  } else if (telling === "in a new stream") {
    destination.replaceUnheard(...whole);
    destination.end();
  } else {
    world.control.stop();
    destination.replaceUnheard(...whole);
    await world.control.restart();
  }
  // None of these answered before: when all of them do, the change was read.
  const expected = new Set(coming.map(({ name }) => name));
  await waitFor(
    async () => {
      expected.delete((await caller.call()).body);
      return expected.size === 0;
    },
    { what: `the apps that have come, told of ${telling}`, timeoutMs: 10_000, intervalMs: 1 },
  );
  for (const app of going) {
    // Half of them die, the others go on and would answer whoever asks.
    if (random.chance(0.5)) app.close();
    free.push(app);
  }
}
