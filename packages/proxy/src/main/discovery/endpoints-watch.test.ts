import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type EndpointMeta, EndpointSet, type EndpointsUpdate, endpointKey } from "@bowline/model";
import fc from "fast-check";
import { EndpointsWatch } from "./endpoints-watch.ts";
import {
  addMessage,
  failure,
  noEndpointsMessage,
  removeMessage,
  ScriptedServices,
} from "./testing/scripted-services.ts";
import { SimulatedClock } from "./testing/simulated-clock.ts";

const PATH = "web.ns.svc.cluster.local:80";

let clock: SimulatedClock;
let services: ScriptedServices;
let said: string[];
let watch: EndpointsWatch;

/** Endpoints by the last byte of their address. */
function hosts(endpoints: readonly EndpointMeta[]): string {
  return endpoints.map(({ ip }) => ip.split(".")[3]).join(" ");
}

function summary(update: EndpointsUpdate): string {
  switch (update.kind) {
    case "reset":
      return `reset ${hosts(update.endpoints)}`.trim();
    case "delta":
      return `delta +${hosts(update.add)} -${update.remove.map((key) => /(\d+):80$/.exec(key)?.[1]).join(" ")}`;
    case "gone":
      return update.exists ? "empty" : "does not exist";
  }
}

function start(): void {
  clock = new SimulatedClock();
  services = new ScriptedServices(clock);
  said = [];
  watch = new EndpointsWatch(PATH, services.destination, services.logger, (update) => said.push(summary(update)));
  watch.start();
}

function stop(): void {
  watch.stop();
  expect({ timers: clock.armed, streams: services.held }).toEqual({ timers: 0, streams: 0 });
}

beforeEach(start);
afterEach(stop);

async function send(...messages: Parameters<typeof services.endpoints.last.send>): Promise<void> {
  services.endpoints.last.send(...messages);
  await clock.pass(0);
}

/** The stream is lost, and asked for again. */
async function reconnect(code: number | null): Promise<void> {
  const asked = services.endpoints.streams.length;
  services.endpoints.last.end(code === null ? null : failure(code));
  while (services.endpoints.streams.length === asked) await clock.pass(100);
}

describe("one stream", () => {
  test("is asked for by the path", () => {
    expect(services.endpoints.last.request).toBe(PATH);
  });

  test("begins with a reset, and goes on with changes", async () => {
    await send(addMessage(1, 2), addMessage(3), removeMessage(1));
    expect(said).toEqual(["reset 1 2", "delta +3 -", "delta + -1"]);
    expect(watch.whole()).toMatchObject({ kind: "reset", endpoints: [{ ip: "10.0.0.2" }, { ip: "10.0.0.3" }] });
  });

  test("passes on what changes nothing, for it confirms the rest", async () => {
    await send(addMessage(1), addMessage(1), removeMessage(9));
    expect(said).toEqual(["reset 1", "delta +1 -", "delta + -9"]);
  });

  test("says nothing before it knows something", async () => {
    await clock.pass(10_000);
    await send(removeMessage(1));
    expect({ said, whole: watch.whole() }).toEqual({ said: [], whole: null });
  });

  const rows: { name: string; messages: Parameters<typeof send>; want: string[]; whole: EndpointsUpdate }[] = [
    {
      name: "an empty service",
      messages: [noEndpointsMessage(true)],
      want: ["empty"],
      whole: { kind: "reset", endpoints: [] },
    },
    {
      name: "no service",
      messages: [addMessage(1), noEndpointsMessage(false)],
      want: ["reset 1", "does not exist"],
      whole: { kind: "gone", exists: false },
    },
    {
      name: "a first addition of nothing",
      messages: [addMessage()],
      want: ["reset"],
      whole: { kind: "reset", endpoints: [] },
    },
  ];
  test.each(rows)("$name", async ({ messages, want, whole }) => {
    await send(...messages);
    expect({ said, whole: watch.whole() }).toEqual({ said: want, whole });
  });
});

describe("when the control plane is away", () => {
  const rows: { name: string; code: number | null }[] = [
    { name: "unavailable", code: 14 },
    { name: "a stream that ended in good order", code: null },
    { name: "an internal error", code: 13 },
    { name: "unimplemented", code: 12 },
  ];
  test.each(rows)("what was known stays: $name", async ({ code }) => {
    await send(addMessage(1, 2));
    await reconnect(code);
    await clock.pass(120_000);
    expect(said).toEqual(["reset 1 2"]);
    expect(watch.whole()).toMatchObject({ kind: "reset", endpoints: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2" }] });
  });

  test("the first addition after it replaces everything", async () => {
    await send(addMessage(1, 2, 3));
    await reconnect(14);
    await send(addMessage(2, 4), addMessage(5));
    expect(said).toEqual(["reset 1 2 3", "reset 2 4", "delta +5 -"]);
    const whole = watch.whole();
    expect(whole?.kind === "reset" && hosts(whole.endpoints)).toBe("2 4 5");
  });

  test("a removal before that is no more than a removal", async () => {
    await send(addMessage(1, 2));
    await reconnect(14);
    await send(removeMessage(1), addMessage(3));
    expect(said).toEqual(["reset 1 2", "delta + -1", "reset 3"]);
  });

  test("the service may be gone when it is back", async () => {
    await send(addMessage(1));
    await reconnect(14);
    await send(noEndpointsMessage(false));
    expect(said).toEqual(["reset 1", "does not exist"]);
  });
});

describe("a status", () => {
  test("NOT_FOUND: there is no such service, until there is", async () => {
    await send(addMessage(1));
    await reconnect(5);
    await reconnect(5);
    await send(addMessage(2));
    expect(said).toEqual(["reset 1", "does not exist", "reset 2"]);
  });

  const rows = [
    { name: "INVALID_ARGUMENT", code: 3 },
    { name: "FAILED_PRECONDITION", code: 9 },
  ];
  test.each(rows)("$name: there cannot be such a service", async ({ code }) => {
    services.endpoints.last.end(failure(code));
    await clock.pass(600_000);
    expect({ said, asked: services.endpoints.streams.length }).toEqual({ said: ["does not exist"], asked: 1 });
  });
});

test("a thread that follows what is said has what the control plane last said, whatever happened between", async () => {
  const host = fc.integer({ min: 1, max: 6 });
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("add" as const), hosts: fc.uniqueArray(host, { minLength: 1 }) }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("remove" as const), hosts: fc.uniqueArray(host) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("none" as const), exists: fc.boolean() }) },
    // The endpoints change while no stream is open: those updates are lost.
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("outage" as const), hosts: fc.uniqueArray(host, { minLength: 1 }) }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      watch.stop();
      clock = new SimulatedClock();
      services = new ScriptedServices(clock);
      const follower = new EndpointSet();
      watch = new EndpointsWatch(PATH, services.destination, services.logger, (update) => {
        follower.apply(update, clock.nowMs());
      });
      watch.start();
      const truth = new Set<number>();
      let spoken = false;
      for (const each of steps) {
        switch (each.kind) {
          case "add":
            for (const one of each.hosts) truth.add(one);
            await send(addMessage(...each.hosts));
            spoken = true;
            break;
          case "remove":
            for (const one of each.hosts) truth.delete(one);
            await send(removeMessage(...each.hosts));
            break;
          case "none":
            truth.clear();
            await send(noEndpointsMessage(each.exists));
            spoken = true;
            break;
          case "outage":
            await reconnect(14);
            truth.clear();
            for (const one of each.hosts) truth.add(one);
            await send(addMessage(...each.hosts));
            spoken = true;
            break;
        }
      }
      const known = follower.endpoints().map(endpointKey).sort();
      expect(known).toEqual([...truth].map((one) => `10.0.0.${one}:80`).sort());
      if (spoken) expect(watch.whole()).not.toBeNull();
    }),
    { numRuns: 50 },
  );
});
