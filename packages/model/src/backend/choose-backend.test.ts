import { describe, expect, test } from "bun:test";
import { meta } from "../route/request.case.test.ts";
import type { Distribution, RouteBackend } from "../types/policy.ts";
import type { Profile } from "../types/profile.ts";
import { chooseBackend, chooseOverride, liveOverrides, NO_BACKEND, profileDecides } from "./choose-backend.ts";

const BACKEND: RouteBackend<never> = {
  backend: {
    meta: meta("b"),
    queue: { capacity: 1, failfastTimeoutMs: 1 },
    dispatcher: { kind: "fail", message: "not asked" },
  },
  filters: [],
};

describe("chooseBackend", () => {
  test("takes the first available", () => {
    const distribution: Distribution<never> = { kind: "first", backends: [BACKEND, BACKEND, BACKEND] };
    expect(chooseBackend(distribution, () => true, never)).toBe(0);
    expect(chooseBackend(distribution, (at) => at > 0, never)).toBe(1);
    expect(chooseBackend(distribution, () => false, never)).toBe(NO_BACKEND);
    expect(chooseBackend({ kind: "empty" }, () => true, never)).toBe(NO_BACKEND);
  });

  test("takes any of the available in proportion to its weight", () => {
    expect(shares([1, 2, 5], () => true)).toEqual([10, 20, 50]);
    expect(shares([1, 2, 5], (at) => at !== 1)).toEqual([10, 0, 50]);
    expect(shares([0, 3, 0], () => true)).toEqual([0, 30, 0]);
    expect(shares([0, 0], () => true)).toEqual([0, 0]);
    expect(shares([1, 2], () => false)).toEqual([0, 0]);
    expect(shares([1, 0], (at) => at === 1)).toEqual([0, 0]);
  });

  test("chooses one even if rounding leaves nothing", () => {
    const distribution: Distribution<never> = { kind: "random", backends: weighted([0.1, 0.2, 0]) };
    expect(
      chooseBackend(
        distribution,
        () => true,
        () => 1,
      ),
    ).toBe(1);
  });
});

/** How often each is chosen when the random numbers go evenly from 0 to 1, ten for each unit of available weight. */
function shares(weights: number[], available: (at: number) => boolean): number[] {
  const counts = weights.map(() => 0);
  const draws = 10 * weights.reduce((sum, weight, at) => sum + (available(at) ? weight : 0), 0);
  const distribution: Distribution<never> = { kind: "random", backends: weighted(weights) };
  for (let draw = 0; draw < Math.max(draws, 1); draw += 1) {
    const at = chooseBackend(distribution, available, () => (draw + 0.5) / draws);
    if (at !== NO_BACKEND) counts[at]! += 1;
  }
  return counts;
}

function weighted(weights: number[]): (RouteBackend<never> & { weight: number })[] {
  return weights.map((weight) => ({ ...BACKEND, weight }));
}

function never(): number {
  throw new Error("no random number was to be asked for");
}

describe("a profile", () => {
  const override = (authority: string, weight: number): Profile["overrides"][number] => ({
    authority,
    weight,
    backend: null,
  });
  const profile: Profile = {
    name: "web.default.svc.cluster.local",
    opaque: false,
    routes: [],
    retryBudget: null,
    overrides: [],
    endpoint: null,
    parent: null,
    profileRef: null,
  };
  const route: Profile["routes"][number] = {
    condition: { kind: "all", matches: [] },
    responseClasses: [],
    labels: {},
    retryable: false,
    timeoutMs: null,
  };

  test("decides when it has a name and routes, or overrides that send something", () => {
    expect(profileDecides(null)).toBe(false);
    expect(profileDecides(profile)).toBe(false);
    expect(profileDecides({ ...profile, routes: [route] })).toBe(true);
    expect(profileDecides({ ...profile, overrides: [override("a:80", 0)] })).toBe(false);
    expect(profileDecides({ ...profile, overrides: [override("a:80", 0), override("b:80", 1)] })).toBe(true);
    expect(profileDecides({ ...profile, name: "", routes: [route] })).toBe(false);
  });

  test("splits among overrides that weigh something", () => {
    const live = liveOverrides({
      ...profile,
      overrides: [override("a:80", 0), override("b:80", 1), override("c:80", 1)],
    });
    expect(live.map((each) => each.authority)).toEqual(["b:80", "c:80"]);
    expect(
      chooseOverride(
        live,
        () => true,
        () => 0.4,
      ),
    ).toBe(0);
    expect(
      chooseOverride(
        live,
        () => true,
        () => 0.6,
      ),
    ).toBe(1);
    expect(
      chooseOverride(
        [],
        () => true,
        () => 0.6,
      ),
    ).toBe(NO_BACKEND);
  });
});
