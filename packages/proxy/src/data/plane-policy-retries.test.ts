import { describe, expect, test } from "bun:test";
import {
  answer,
  DiscoveredWorld,
  GET,
  GRPC,
  grpcPolicy,
  grpcRule,
  httpPolicy,
  httpRetry,
  httpRule,
  OK,
  ok,
  POST,
  profile,
  profileRoute,
} from "./testing/discovered-world.case.test.ts";
import type { Fields, PeerStream } from "./testing/http2-peer.case.test.ts";
import { sumOf } from "./testing/plane-world.case.test.ts";

describe("retries", () => {
  /** A server that answers each request with the next of these statuses, the last one for ever. */
  function statuses(...list: number[]): (stream: PeerStream) => void {
    let n = 0;
    return (stream) => answer([[":status", String(list[Math.min(n++, list.length - 1)])]])(stream);
  }

  test("by status, with the body, as often as the policy says", () => {
    const world = new DiscoveredWorld();
    const bodies: number[] = [];
    const reply = statuses(500, 502, 200, 503);
    world.serve("10.1.0.1", (stream) => {
      reply(stream);
      const end = stream.onEnd;
      stream.onEnd = () => {
        bodies.push(stream.bodyBytes);
        end();
      };
    });
    const client = world.discovered({ policy: httpPolicy([httpRule({ retry: httpRetry() })]) }, ["10.1.0.1"]);
    expect(world.fetch(client, POST, new Uint8Array(20_000)).status).toBe(200);
    expect(bodies).toEqual([20_000, 20_000, 20_000]);
    expect(world.fetch(client, POST, new Uint8Array(10)).status).toBe(503);
    expect(bodies).toHaveLength(6);
    expect(sumOf(world.plane, "outbound_http_route_retry_requests_total")).toBe(4);
    expect(sumOf(world.plane, "outbound_http_route_retry_limit_exceeded_total")).toBe(1);
    expect(sumOf(world.plane, "request_total")).toBe(6);
    expect(sumOf(world.plane, "response_total")).toBe(6);
    client.close();
    world.settle();
  });

  test("not of a request that is larger than the policy allows, or not all there", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", (stream) => stream.sendHead([[":status", "500"]], true));
    const rule = httpRule({ retry: httpRetry({ requestBytesMax: 1000 }) });
    const client = world.discovered({ policy: httpPolicy([rule]) }, ["10.1.0.1"]);
    const large = client.open(POST, false)!;
    large.sendBody(new Uint8Array(1001), true);
    const unfinished = client.open(POST, false)!;
    unfinished.sendBody(new Uint8Array(10));
    world.run(() => large.over && unfinished.over);
    unfinished.reset();
    expect([large.status, unfinished.status, world.served.length]).toEqual([500, 500, 2]);
    client.close();
    world.settle();
  });

  test("wait for the backoff", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", statuses(500, 500, 200));
    const backoff = { minMs: 200, maxMs: 1000, jitter: 0, respectRetryAfter: false };
    const rule = httpRule({ retry: httpRetry({ backoff }) });
    const client = world.discovered({ policy: httpPolicy([rule]) }, ["10.1.0.1"]);
    const stream = client.open(GET, true)!;
    world.runFor(150);
    expect(world.served).toHaveLength(1);
    world.runFor(100);
    expect(world.served).toHaveLength(2);
    world.runFor(300);
    expect(world.served).toHaveLength(2);
    world.run(() => stream.over, 100);
    expect(stream.status).toBe(200);
    client.close();
    world.settle();
  });

  test("when a try takes too long, also one that has found no connection yet", () => {
    const world = new DiscoveredWorld();
    let tries = 0;
    world.serve("10.1.0.1", (stream) => {
      tries += 1;
      if (tries === 3) ok(stream);
    });
    const rule = httpRule({ retry: httpRetry({ retriesMax: 4, timeoutMs: 300 }) });
    const client = world.discovered({ policy: httpPolicy([rule]) }, ["10.1.0.1"]);
    const stream = client.open(GET, true)!;
    world.runFor(700);
    expect([stream.status, tries]).toEqual([200, 3]);
    world.kernel.onConnect("10.1.0.2:8080", "silence");
    world.reset(["10.1.0.2"]);
    const waiting = client.open(GET, true)!;
    const waitingToo = client.open(GET, true)!;
    world.runFor(900);
    world.serve("10.1.0.3", ok);
    world.reset(["10.1.0.3"]);
    world.run(() => waiting.over && waitingToo.over);
    expect([waiting.status, waitingToo.status]).toEqual([200, 200]);
    client.close();
    world.settle();
  });

  test("are counted once each, also the one that took too long for all that it was the last", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", () => undefined);
    const rule = httpRule({ retry: httpRetry({ retriesMax: 2, timeoutMs: 100 }) });
    const client = world.discovered({ policy: httpPolicy([rule]) }, ["10.1.0.1"]);
    const unfinished = client.open(POST, false)!;
    world.run(() => unfinished.over);
    expect(unfinished.status).toBe(504);
    const tries = "outbound_http_route_backend_response_statuses_total";
    expect([sumOf(world.plane, tries), sumOf(world.plane, tries, { error: "RESPONSE_HEADERS_TIMEOUT" })]).toEqual([
      1, 1,
    ]);
    client.close();
    world.settle();
  });

  for (const where of ["head", "trailers"] as const) {
    test(`of gRPC by the status in the ${where}`, () => {
      const world = new DiscoveredWorld();
      let tries = 0;
      world.serve("10.1.0.1", (stream) => {
        stream.onEnd = () => {
          tries += 1;
          const status: Fields = [["grpc-status", tries < 3 ? "14" : "0"]];
          const head: Fields = [...OK, ["content-type", "application/grpc"]];
          if (where === "head") stream.sendHead([...head, ...status], true);
          else stream.respond(head, new Uint8Array(0), status);
        };
      });
      const rule = grpcRule({
        retry: { retriesMax: 3, requestBytesMax: 1000, codes: [14], timeoutMs: null, backoff: null },
      });
      const client = world.discovered({ policy: grpcPolicy([rule]) }, ["10.1.0.1"]);
      const call = world.fetch(client, GRPC, new Uint8Array(5));
      expect([tries, call.header("grpc-status") ?? call.trailer("grpc-status")]).toEqual([3, "0"]);
      client.close();
      world.settle();
    });
  }

  test("of a profile's route come out of its budget", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", statuses(500));
    const retryBudget = { ratio: 0, minPerSecond: 1, ttlMs: 10_000 };
    const client = world.discovered(
      { profile: profile({ routes: [profileRoute({ retryable: true })], retryBudget }) },
      ["10.1.0.1"],
    );
    for (let n = 0; n < 10; n++) expect(world.fetch(client).status).toBe(500);
    // Ten a window of ten seconds, whatever the requests.
    expect(world.served).toHaveLength(20);
    expect(sumOf(world.plane, "route_actual_request_total")).toBe(20);
    expect(sumOf(world.plane, "route_request_total")).toBe(10);
    client.close();
    world.settle();
  });
});

describe("timeouts", () => {
  const hang = (): void => undefined;

  test("of the whole request, before and behind the response's head", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", (stream) => {
      if (stream.header("x-begin") !== null) stream.sendHead(OK, false);
    });
    const timeouts = { requestMs: 500, responseMs: null, idleMs: null };
    const client = world.discovered({ policy: httpPolicy([httpRule({ timeouts })]) }, ["10.1.0.1"]);
    const plain = client.open(GET, true)!;
    const begun = client.open([...GET, ["x-begin", "1"]], true)!;
    const call = client.open([...GRPC, ["x-begin", "1"]], false)!;
    world.runFor(450);
    expect([plain.over, begun.over, call.over]).toEqual([false, false, false]);
    world.runFor(100);
    expect([plain.status, begun.status, begun.complete, begun.resetCode]).toEqual([504, 200, false, 8]);
    expect([call.status, call.trailer("grpc-status")]).toEqual([200, "4"]);
    // What it goes on to send is nobody's.
    call.sendBody(new Uint8Array(100), true);
    world.runFor(100);
    client.close();
    world.settle();
  });

  test("of the response begin with the request's end", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", hang);
    const timeouts = { requestMs: null, responseMs: 500, idleMs: null };
    const client = world.discovered({ policy: httpPolicy([httpRule({ timeouts })]) }, ["10.1.0.1"]);
    const stream = client.open(POST, false)!;
    world.runFor(2000);
    expect(stream.over).toBe(false);
    stream.sendBody(new Uint8Array(10), true);
    world.runFor(450);
    expect(stream.over).toBe(false);
    world.runFor(100);
    expect(stream.status).toBe(504);
    client.close();
    world.settle();
  });

  test("of silence end with any frame", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", hang);
    const timeouts = { requestMs: null, responseMs: null, idleMs: 500 };
    const client = world.discovered({ policy: httpPolicy([httpRule({ timeouts })]) }, ["10.1.0.1"]);
    const stream = client.open(POST, false)!;
    for (let n = 0; n < 5; n++) {
      world.runFor(400);
      stream.sendBody(new Uint8Array(10));
    }
    expect(stream.over).toBe(false);
    world.runFor(600);
    expect(stream.status).toBe(504);
    client.close();
    world.settle();
  });

  test("of a profile's route", () => {
    const world = new DiscoveredWorld();
    world.serve("10.1.0.1", hang);
    const client = world.discovered({ profile: profile({ routes: [profileRoute({ timeoutMs: 300 })] }) }, ["10.1.0.1"]);
    const stream = client.open(GET, true)!;
    world.runFor(350);
    expect([stream.status, stream.header("l5d-proxy-error-cause")]).toEqual([504, "route-timeout"]);
    client.close();
    world.settle();
  });
});
