import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Outbound } from "@bowline/model";
import { OutboundWatch, type Patience } from "./outbound-watch.ts";
import { failure, policyMessage, profileMessage, ScriptedServices } from "./testing/scripted-services.ts";
import { SimulatedClock } from "./testing/simulated-clock.ts";

const TARGET = "10.9.9.9:80";
const POLICY_A = policyMessage({ metadata: { default: "a" }, protocol: { opaque: {} } });
const POLICY_B = policyMessage({ metadata: { default: "b" }, protocol: { opaque: {} } });
const INVALID_POLICY = policyMessage({ metadata: { default: "a" } });
const PROFILE_X = profileMessage({ fullyQualifiedName: "x.ns.svc.cluster.local" });
const PROFILE_Y = profileMessage({ fullyQualifiedName: "y.ns.svc.cluster.local" });

let clock: SimulatedClock;
let services: ScriptedServices;
let said: string[];
let watch: OutboundWatch;
let patience: Patience;

/** `profile / policy`: a name, `-` for none, or why it is invalid. */
function summary({ profile, policy, invalid }: Outbound): string {
  return `${profile === null ? "-" : profile.name.split(".")[0]} / ${invalid ?? policy?.meta.name ?? "-"}`;
}

function start(asks: { profile?: boolean; policy?: boolean } = {}): void {
  watch = new OutboundWatch(
    TARGET,
    asks.profile === false ? null : services.destination,
    asks.policy === false ? null : services.policy,
    services.logger,
    patience,
    (outbound) => said.push(summary(outbound)),
  );
  watch.start();
}

beforeEach(() => {
  clock = new SimulatedClock();
  services = new ScriptedServices(clock);
  said = [];
  patience = { silent: false };
});

afterEach(() => {
  watch.stop();
  expect({ timers: clock.armed, streams: services.held }).toEqual({ timers: 0, streams: 0 });
});

describe("the first answer", () => {
  type Answer = Parameters<typeof play>[0];
  const rows: { name: string; profile: Answer; policy: Answer; want: string[] }[] = [
    { name: "both", profile: "item", policy: "item", want: ["x / a"] },
    { name: "nobody yet", profile: null, policy: null, want: [] },
    { name: "no policy yet", profile: "item", policy: null, want: [] },
    { name: "no profile yet", profile: null, policy: "item", want: [] },
    { name: "policy service unreachable", profile: "item", policy: 14, want: [] },
    { name: "policy service in trouble", profile: "item", policy: 13, want: [] },
    { name: "policy stream ends with nothing said", profile: "item", policy: "end", want: [] },
    { name: "policy NOT_FOUND", profile: "item", policy: 5, want: ["x / -"] },
    { name: "policy UNIMPLEMENTED", profile: "item", policy: 12, want: ["x / -"] },
    {
      name: "policy INVALID_ARGUMENT",
      profile: "item",
      policy: 3,
      want: ["x / policy discovery was rejected: INVALID_ARGUMENT"],
    },
    {
      name: "policy FAILED_PRECONDITION",
      profile: "item",
      policy: 9,
      want: ["x / policy discovery was rejected: FAILED_PRECONDITION"],
    },
    { name: "profile INVALID_ARGUMENT", profile: 3, policy: "item", want: ["- / a"] },
    { name: "profile FAILED_PRECONDITION", profile: 9, policy: "item", want: ["- / a"] },
    { name: "profile NOT_FOUND", profile: 5, policy: "item", want: ["- / a"] },
    { name: "profile UNKNOWN", profile: 2, policy: "item", want: ["- / a"] },
    { name: "profile unreachable: the policy will do", profile: 14, policy: "item", want: ["- / a"] },
    { name: "profile too late: the policy will do", profile: 4, policy: "item", want: ["- / a"] },
    { name: "profile ends with nothing said: the policy will do", profile: "end", policy: "item", want: ["- / a"] },
    { name: "neither is known", profile: 3, policy: 5, want: ["- / -"] },
    { name: "no policy, profile unreachable: wait", profile: 14, policy: 5, want: [] },
    { name: "no policy, profile refused: do without", profile: 2, policy: 5, want: ["- / -"] },
    {
      name: "policy rejected, profile unreachable",
      profile: 14,
      policy: 3,
      want: ["- / policy discovery was rejected: INVALID_ARGUMENT"],
    },
  ];

  function play(answer: "item" | "end" | number | null, send: () => void, end: (code: number | null) => void): void {
    if (answer === "item") send();
    else if (answer !== null) end(answer === "end" ? null : answer);
  }

  for (const order of ["profile first", "policy first"]) {
    test.each(rows)(`${order}: $name`, async ({ profile, policy, want }) => {
      start();
      const steps = [
        () =>
          play(
            profile,
            () => services.profiles.last.send(PROFILE_X),
            (code) => services.profiles.last.end(code === null ? null : failure(code)),
          ),
        () =>
          play(
            policy,
            () => services.policies.last.send(POLICY_A),
            (code) => services.policies.last.end(code === null ? null : failure(code)),
          ),
      ];
      for (const step of order === "profile first" ? steps : steps.reverse()) {
        step();
        await clock.pass(0);
      }
      expect(said).toEqual(want);
    });
  }

  test("waits for a silent control plane as long as it takes", async () => {
    start();
    await clock.pass(600_000);
    expect(said).toEqual([]);
    while (services.profiles.held + services.policies.held < 2) await clock.pass(100);
    services.profiles.last.send(PROFILE_X);
    services.policies.last.send(POLICY_A);
    await clock.pass(0);
    expect(said).toEqual(["x / a"]);
  });

  test("asks for the target", async () => {
    start();
    await clock.pass(0);
    expect([services.profiles.last.request, services.policies.last.request]).toEqual([TARGET, TARGET]);
  });

  test("is at once that nothing is known when nobody is asked", () => {
    start({ profile: false, policy: false });
    expect(said).toEqual(["- / -"]);
  });

  test("needs no profile that is not searched", async () => {
    start({ profile: false });
    services.policies.last.send(POLICY_A);
    await clock.pass(0);
    expect(said).toEqual(["- / a"]);
    expect(services.profiles.streams.length).toBe(0);
  });

  test("is the profile alone where there is no policy service", async () => {
    start({ policy: false });
    services.profiles.last.send(PROFILE_X);
    await clock.pass(0);
    expect(said).toEqual(["x / -"]);
  });

  test("is no profile where there is no policy service and no profile in time; it is said when it comes", async () => {
    start({ policy: false });
    await clock.pass(499);
    expect(said).toEqual([]);
    await clock.pass(1);
    expect(said).toEqual(["- / -"]);
    services.profiles.last.send(PROFILE_X);
    await clock.pass(0);
    expect(said).toEqual(["- / -", "x / -"]);
  });

  test("is not waited for again until somebody answers, where waiting has been in vain", async () => {
    start({ policy: false });
    await clock.pass(500);
    watch.stop();
    said = [];
    start({ policy: false });
    expect(said).toEqual(["- / -"]);
    services.profiles.last.send(PROFILE_X);
    await clock.pass(0);
    watch.stop();
    said = [];
    start({ policy: false });
    await clock.pass(499);
    expect(said).toEqual([]);
  });
});

describe("later", () => {
  beforeEach(async () => {
    start();
    services.profiles.last.send(PROFILE_X);
    services.policies.last.send(POLICY_A);
    await clock.pass(0);
    expect(said).toEqual(["x / a"]);
    said = [];
  });

  const rows: { name: string; play: () => void; want: string[] }[] = [
    { name: "a new policy", play: () => services.policies.last.send(POLICY_B), want: ["x / b"] },
    { name: "a new profile", play: () => services.profiles.last.send(PROFILE_Y), want: ["y / a"] },
    { name: "the same again", play: () => services.policies.last.send(POLICY_A), want: [] },
    {
      name: "an invalid policy takes the place of a valid one",
      play: () => services.policies.last.send(INVALID_POLICY),
      want: ["x / invalid policy: missing protocol"],
    },
    {
      name: "a valid policy takes the place of an invalid one",
      play: () => services.policies.last.send(INVALID_POLICY, POLICY_A),
      want: ["x / invalid policy: missing protocol", "x / a"],
    },
    { name: "policy NOT_FOUND", play: () => services.policies.last.end(failure(5)), want: ["x / -"] },
    {
      name: "policy INVALID_ARGUMENT keeps what was known",
      play: () => services.policies.last.end(failure(3)),
      want: [],
    },
    { name: "policy service away", play: () => services.policies.last.end(failure(14)), want: [] },
    { name: "profile NOT_FOUND keeps what was known", play: () => services.profiles.last.end(failure(5)), want: [] },
    { name: "profile service away", play: () => services.profiles.last.end(failure(14)), want: [] },
    { name: "profile INVALID_ARGUMENT", play: () => services.profiles.last.end(failure(3)), want: [] },
  ];
  test.each(rows)("$name", async ({ play, want }) => {
    play();
    await clock.pass(0);
    expect(said).toEqual(want);
  });

  test("an outage changes nothing, and its end brings what changed meanwhile", async () => {
    services.policies.last.end(failure(14));
    services.profiles.last.end(failure(14));
    await clock.pass(50);
    expect({ said, outbound: watch.outbound?.policy?.meta.name }).toEqual({ said: [], outbound: "a" });
    await clock.pass(50);
    services.policies.last.send(POLICY_B);
    services.profiles.last.send(PROFILE_X);
    await clock.pass(0);
    expect(said).toEqual(["x / b"]);
  });

  test("a profile that was done without is said when it comes", async () => {
    watch.stop();
    said = [];
    start();
    services.profiles.last.end(failure(14));
    services.policies.last.send(POLICY_A);
    await clock.pass(100);
    services.profiles.last.send(PROFILE_X);
    await clock.pass(0);
    expect(said).toEqual(["- / a", "x / a"]);
  });

  test("an outage is one warning in the log, however often it is tried", async () => {
    services.policies.last.end(failure(14));
    for (let attempt = 0; attempt < 5; attempt++) {
      while (services.policies.held === 0) await clock.pass(100);
      services.policies.last.end(failure(14));
      await clock.pass(0);
    }
    while (services.policies.held === 0) await clock.pass(100);
    services.policies.last.send(POLICY_A);
    await clock.pass(0);
    const lines = services.log.filter((line) => !line.startsWith("4 "));
    expect(lines).toEqual([
      `2 policy of ${TARGET}: UNAVAILABLE; trying again`,
      `3 policy of ${TARGET}: answered again`,
    ]);
  });
});
