import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { waitFor } from "@bowline/testkit";
import { duration, endpoint, type ProfileInit, profile, type RouteInit } from "@bowline/testkit/control-plane";
import { DiscoveryWorld, type Service } from "./discovery-world.ts";
import type { HttpApp, Reply, Respond, Seen } from "./http-app.ts";
import type { Call, Caller } from "./http-caller.ts";
import { counted } from "./mesh.ts";

type BudgetInit = NonNullable<ProfileInit["retryBudget"]>;

const VERSIONS = ["HTTP/1", "HTTP/2"] as const;
/** How much of a request's body is kept for another try. */
const KEPT_BYTES = 64 * 1024;
const GENEROUS: BudgetInit = { retryRatio: 0.5, minRetriesPerSecond: 100, ttl: duration(10_000) };

let world: DiscoveryWorld;

beforeAll(async () => {
  world = await DiscoveryWorld.start();
}, 30_000);

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

interface Profiled {
  readonly service: Service;
  readonly app: HttpApp;
  readonly caller: Caller;
}

/** A service with a profile, an app that answers as said, and a connection to it. */
async function withProfile(
  version: (typeof VERSIONS)[number],
  routes: RouteInit[],
  respond: Respond,
  budget: BudgetInit | null,
  body: (profiled: Profiled) => Promise<void>,
): Promise<void> {
  const app = await world.app(version, respond);
  const service = world.service();
  service.destination.add(endpoint(app.address));
  const whole = profile({
    fullyQualifiedName: service.path.replace(/:.*/, ""),
    routes,
    retryBudget: budget ?? GENEROUS,
  });
  if (budget === null) delete whole.retryBudget;
  service.profile.send(whole);
  using caller = await world.caller(version, service.vip);
  await body({ service, app, caller });
}

function route(pathRegex: string, more: RouteInit = {}): RouteInit {
  const condition = { match: { case: "path", value: { regex: pathRegex } } } as const;
  return { metricsLabels: { hello: "world" }, ...more, condition };
}

/** Fails the first `count` requests of those under /retry. */
function failing(count: number, reply: Reply = { status: 533, body: "failed" }): Respond {
  let left = count;
  return ({ path }: Seen) => (path.startsWith("/retry") && left-- > 0 ? reply : {});
}

interface RetryRow {
  readonly name: string;
  readonly route?: RouteInit;
  readonly budget?: BudgetInit | null;
  readonly call?: Call;
  readonly tries: number;
}

const RETRY_ROWS: readonly RetryRow[] = [
  { name: "a request of a route that allows it is tried again", tries: 2 },
  { name: "a route that says nothing of it", route: route(".*"), tries: 1 },
  { name: "a request that no route matches", route: route("/other", { isRetryable: true }), tries: 1 },
  {
    name: "a response that the route takes for a success",
    route: route(".*", {
      isRetryable: true,
      responseClasses: [{ condition: { match: { case: "status", value: { min: 533, max: 533 } } }, isFailure: false }],
    }),
    tries: 1,
  },
  {
    name: "a response that the route takes for a failure, though others do not",
    route: route(".*", {
      isRetryable: true,
      responseClasses: [{ condition: { match: { case: "status", value: { min: 500, max: 599 } } }, isFailure: true }],
    }),
    tries: 2,
  },
  { name: "a small body with POST", call: { method: "POST", body: "req has a body" }, tries: 2 },
  { name: "a small body with PUT", call: { method: "PUT", body: "req has a body" }, tries: 2 },
  {
    name: "a small body that says no length",
    call: { method: "POST", body: "req has a body", withLength: false },
    tries: 2,
  },
  { name: "the largest body that is kept", call: { method: "POST", body: "x".repeat(KEPT_BYTES) }, tries: 2 },
  { name: "a body that is too long", call: { method: "POST", body: "x".repeat(KEPT_BYTES + 1) }, tries: 1 },
  {
    name: "a body that turns out to be too long",
    call: { method: "POST", body: "x".repeat(KEPT_BYTES + 1), withLength: false },
    tries: 1,
  },
  { name: "a profile without a budget", budget: null, tries: 1 },
  { name: "a budget without a time", budget: { retryRatio: 0.5, minRetriesPerSecond: 100 }, tries: 1 },
  { name: "a budget with a time that is none", budget: { ...GENEROUS, ttl: { seconds: 1_000n, nanos: -1 } }, tries: 1 },
  { name: "a budget with a negative ratio", budget: { ...GENEROUS, retryRatio: -1 }, tries: 1 },
  { name: "a budget with a ratio beyond all bounds", budget: { ...GENEROUS, retryRatio: 10_000 }, tries: 1 },
];

describe.each(VERSIONS)("%s", (version) => {
  test.each(RETRY_ROWS)("$name: $tries", async ({ route: only, budget, call = {}, tries }) => {
    const routes = [only ?? route(".*", { isRetryable: true })];
    await withProfile(
      version,
      routes,
      failing(1),
      budget === undefined ? GENEROUS : budget,
      async ({ app, caller }) => {
        const answer = await caller.call({ path: "/retry", ...call });
        expect(answer).toMatchObject(tries === 1 ? { status: 533, body: "failed" } : { status: 200, body: app.name });
        expect(app.seen).toHaveLength(tries);
        for (const seen of app.seen) {
          expect(seen).toMatchObject({ method: call.method ?? "GET", path: "/retry", body: call.body ?? "" });
        }
        // The connection is as good as ever.
        expect(await caller.call({ path: "/other" })).toMatchObject({ status: 200 });
      },
    );
  });

  test("many failures in a row are tried over and over", async () => {
    const routes = [route(".*", { isRetryable: true })];
    await withProfile(version, routes, failing(5), GENEROUS, async ({ app, caller }) => {
      expect(await caller.call({ path: "/retry" })).toMatchObject({ status: 200 });
      expect(app.seen).toHaveLength(6);
    });
  });

  test("retries end with the budget", async () => {
    const budget: BudgetInit = { retryRatio: 0.1, minRetriesPerSecond: 1, ttl: duration(1_000) };
    const labels = { direction: "outbound", rt_budget: version === "HTTP/1" ? "one" : "two" };
    const { direction, rt_budget } = labels;
    const routes = [route(".*", { isRetryable: true, metricsLabels: { budget: rt_budget } })];
    await withProfile(version, routes, failing(1_000), budget, async ({ app, caller }) => {
      for (let i = 0; i < 20; i++) expect(await caller.call({ path: "/retry" })).toMatchObject({ status: 533 });
      expect(app.seen.length).toBeGreaterThan(20);
      expect(app.seen.length).toBeLessThan(26);
      const skipped = { direction, rt_budget, skipped: "no_budget" };
      expect(await counted(world.proxy, "route_retryable_total", skipped)).toBeGreaterThan(10);
    });
  });

  test("a request that takes longer than its route allows gets 504", async () => {
    const slow = async (): Promise<Reply> => {
      await Bun.sleep(1_500);
      return {};
    };
    const labels = { direction: "outbound", rt_slow: version === "HTTP/1" ? "one" : "two" };
    const routes = [route(".*", { timeout: duration(100), metricsLabels: { slow: labels.rt_slow } })];
    await withProfile(version, routes, slow, GENEROUS, async ({ service }) => {
      using caller = await world.caller(version, service.vip);
      const startMs = performance.now();
      expect(await caller.call()).toMatchObject({ status: 504 });
      expect(performance.now() - startMs).toBeGreaterThan(90);
      expect(performance.now() - startMs).toBeLessThan(1_000);
      const failures = (): Promise<number> =>
        counted(world.proxy, "route_response_total", { ...labels, classification: "failure", error: "timeout" });
      await waitFor(failures, { what: "the timeout to be counted" });
    });
  });

  test("responses and requests are counted by route", async () => {
    const labels = { direction: "outbound", rt_counted: version === "HTTP/1" ? "one" : "two" };
    const routes = [route("/counted/.*", { isRetryable: true, metricsLabels: { counted: labels.rt_counted } })];
    let failed = false;
    const failOnce: Respond = () => {
      if (failed) return {};
      failed = true;
      return { status: 500 };
    };
    await withProfile(version, routes, failOnce, GENEROUS, async ({ caller }) => {
      for (let i = 0; i < 3; i++) expect(await caller.call({ path: `/counted/${i}` })).toMatchObject({ status: 200 });
      await caller.call({ path: "/elsewhere" });
      const count = (name: string, more = {}): Promise<number> => counted(world.proxy, name, { ...labels, ...more });
      await waitFor(async () => (await count("route_response_total")) === 3, { what: "three responses to be counted" });
      expect(await count("route_request_total")).toBe(3);
      expect(await count("route_actual_request_total")).toBe(4);
      expect(await count("route_actual_response_total", { status_code: 500, classification: "failure" })).toBe(1);
      expect(await count("route_response_total", { status_code: 200, classification: "success" })).toBe(3);
    });
  });

  test("a profile that changes holds for the next requests of an open connection", async () => {
    const always: Respond = () => ({ status: 533 });
    await withProfile(version, [route(".*")], always, GENEROUS, async ({ service, app, caller }) => {
      await caller.call();
      expect(app.seen).toHaveLength(1);
      const fullyQualifiedName = service.path.replace(/:.*/, "");
      const routes = [route(".*", { isRetryable: true })];
      service.profile.send(profile({ fullyQualifiedName, routes, retryBudget: GENEROUS }));
      const triedAgain = async (): Promise<boolean> => {
        const before = app.seen.length;
        await caller.call();
        return app.seen.length > before + 1;
      };
      await waitFor(triedAgain, { what: "a request to be tried again" });
    });
  });
});

describe("HTTP/2", () => {
  test("responses that are thrown away give their window back", async () => {
    const body = "x".repeat(20_000);
    const routes = [route(".*", { isRetryable: true })];
    const everyOther: Respond = () => ({ status: ++count % 2 === 1 ? 533 : 200, body });
    let count = 0;
    await withProfile("HTTP/2", routes, everyOther, { ...GENEROUS, retryRatio: 2 }, async ({ app, caller }) => {
      // Ten times what the connection's window of a megabyte would carry.
      for (let i = 0; i < 500; i++) expect((await caller.call()).body.length).toBe(body.length);
      expect(app.seen).toHaveLength(1_000);
    });
  }, 30_000);
});

describe("gRPC", () => {
  const grpc = { "content-type": "application/grpc" };
  const call: Call = { method: "POST", path: "/retry.Service/Method", headers: { ...grpc, te: "trailers" } };
  const FAILED: Reply = { headers: grpc, body: "", trailers: { "grpc-status": "13" } };
  const SUCCEEDED: Reply = { headers: grpc, body: "data", trailers: { "grpc-status": "0" } };

  interface GrpcRow {
    readonly name: string;
    readonly replies: readonly Reply[];
    readonly tries: number;
    readonly grpcStatus: string;
    readonly body: string;
  }

  const rows: readonly GrpcRow[] = [
    {
      name: "a failure in the head is tried again",
      replies: [{ headers: { ...grpc, "grpc-status": "13" }, body: "" }, SUCCEEDED],
      tries: 2,
      grpcStatus: "0",
      body: "data",
    },
    {
      name: "a failure in the trailers is tried again",
      replies: [FAILED, SUCCEEDED],
      tries: 2,
      grpcStatus: "0",
      body: "data",
    },
    { name: "a success in the trailers is not", replies: [SUCCEEDED], tries: 1, grpcStatus: "0", body: "data" },
    {
      name: "a body of many frames arrives whole",
      replies: [{ ...SUCCEEDED, body: "many frames ".repeat(10_000) }],
      tries: 1,
      grpcStatus: "0",
      body: "many frames ".repeat(10_000),
    },
  ];

  test.each(rows)("$name", async ({ replies, tries, grpcStatus, body }) => {
    let count = 0;
    const inTurn: Respond = () => replies[Math.min(count++, replies.length - 1)] ?? {};
    await withProfile("HTTP/2", [route(".*", { isRetryable: true })], inTurn, GENEROUS, async ({ app, caller }) => {
      const answer = await caller.call(call);
      expect(answer.status).toBe(200);
      expect(answer.body).toBe(body);
      expect(answer.trailers).toMatchObject({ "grpc-status": grpcStatus });
      expect(app.seen).toHaveLength(tries);
    });
  });
});
