import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";
import { endpoint, profile } from "@bowline/testkit/control-plane";
import { DiscoveryWorld, type Service } from "./discovery-world.ts";
import type { HttpApp } from "./http-app.ts";
import type { Caller } from "./http-caller.ts";

let world: DiscoveryWorld;

beforeAll(async () => {
  world = await DiscoveryWorld.start();
}, 30_000);

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

type Weights = readonly (readonly [place: Place, weight: number])[];

/** A name with one app behind it. */
interface Place {
  readonly service: Service;
  readonly app: HttpApp;
}

describe.each(["HTTP/1", "HTTP/2"] as const)("%s", (version) => {
  async function place(): Promise<Place> {
    const app = await world.app(version);
    const service = world.service();
    service.destination.add(endpoint(app.address));
    return { service, app };
  }

  function override({ service }: Place, weights: Weights): void {
    const fullyQualifiedName = service.path.replace(/:.*/, "");
    const dstOverrides = weights.map(([to, weight]) => ({ authority: to.service.path, weight }));
    service.profile.send(profile({ fullyQualifiedName, dstOverrides }));
  }

  /** The apex with such overrides, and a connection to it. */
  async function split(
    weightsFor: (places: readonly [Place, Place]) => Weights,
    body: (split: Split) => Promise<void>,
  ) {
    const [apex, leaf, other] = [await place(), await place(), await place()];
    override(apex, weightsFor([leaf, other]));
    using caller = await world.caller(version, apex.service.vip);
    await body({ apex, leaf, other, caller });
  }

  interface Split {
    readonly apex: Place;
    readonly leaf: Place;
    readonly other: Place;
    readonly caller: Caller;
  }

  async function ask({ caller }: Split, count: number): Promise<void> {
    for (let i = 0; i < count; i++) expect(await caller.call()).toMatchObject({ status: 200 });
  }

  function share({ app }: Place, before = 0): number {
    return app.seen.length - before;
  }

  async function untilAnswersComeFrom({ caller }: Split, { app }: Place): Promise<void> {
    await waitFor(async () => (await caller.call()).body === app.name, { what: `an answer of ${app.name}` });
  }

  test("an override takes all traffic", async () => {
    await split(
      () => [],
      async (one) => {
        await ask(one, 5);
        expect(share(one.apex)).toBe(5);
        override(one.apex, [[one.leaf, 10_000]]);
        await untilAnswersComeFrom(one, one.leaf);
        const before = share(one.apex);
        await ask(one, 20);
        expect(share(one.apex, before)).toBe(0);
      },
    );
  });

  test("several divide it by weight", async () => {
    const byWeight = ([leaf, other]: readonly [Place, Place]): Weights => [
      [leaf, 5_000],
      [other, 2_500],
    ];
    await split(byWeight, async (one) => {
      await ask(one, 150);
      expect(share(one.apex)).toBe(0);
      // Five standard deviations from 100 are 29.
      expect(share(one.leaf)).toBeGreaterThan(100 - 29);
      expect(share(one.leaf)).toBeLessThan(100 + 29);
      expect(share(one.leaf) + share(one.other)).toBe(150);
    });
  });

  test("one whose weight becomes zero gets nothing any more", async () => {
    const evenly = ([leaf, other]: readonly [Place, Place]): Weights => [
      [leaf, 1_000],
      [other, 1_000],
    ];
    await split(evenly, async (one) => {
      await untilAnswersComeFrom(one, one.leaf);
      await untilAnswersComeFrom(one, one.other);
      override(one.apex, [
        [one.leaf, 0],
        [one.other, 1_000],
      ]);
      await settled(one, one.other);
      const before = share(one.leaf);
      await ask(one, 30);
      expect(share(one.leaf, before)).toBe(0);
    });
  });

  test.each([
    { name: "all weights are zero", leave: true },
    { name: "there is none any more", leave: false },
  ])("when $name, the service itself takes over", async ({ leave }) => {
    await split(
      ([leaf]) => [[leaf, 1_000]],
      async (one) => {
        await untilAnswersComeFrom(one, one.leaf);
        override(one.apex, leave ? [[one.leaf, 0]] : []);
        await untilAnswersComeFrom(one, one.apex);
        const before = share(one.leaf);
        await ask(one, 20);
        expect(share(one.leaf, before)).toBe(0);
      },
    );
  });

  /** Waits until none but `only` answers, many times in a row. */
  async function settled(one: Split, only: Place): Promise<void> {
    let inARow = 0;
    await waitFor(
      async () => {
        inARow = (await one.caller.call()).body === only.app.name ? inARow + 1 : 0;
        return inARow >= 20;
      },
      { what: `only ${only.app.name} to answer`, intervalMs: 1 },
    );
  }
});
