import { describe, expect, test } from "bun:test";
import type { Outbound } from "@bowline/model";
import type { ScriptedPeer } from "@bowline/testkit";
import { ErrorCode } from "@bowline/wire";
import { DiscoveredWorld, endpoint, GET, OK, ok, profile } from "./testing/discovered-world.case.test.ts";
import type { PeerStream } from "./testing/http2-peer.case.test.ts";

/** Clients that connect to a pod's own address, which another pod gets after it. */

const ADDRESS = "10.1.0.1";

/** The address is this pod's, or nobody's. */
function owned(pod: string | null): Partial<Outbound> {
  const labels: Record<string, string> = pod === null ? {} : { pod, namespace: "test" };
  return { profile: profile({ name: "", endpoint: endpoint(ADDRESS, { labels, hint: "h2" }) }) };
}

const REQUEST = "GET / HTTP/1.1\r\nhost: web\r\n\r\n";

/** A client whose connection was opened when the address was the first pod's. */
function connected(world: DiscoveredWorld): ScriptedPeer {
  const client = world.raw();
  world.run(() => world.asked.length > 0);
  world.tell(owned("first"));
  return client;
}

/** What came of the requests so far, by their status lines. */
function statuses(client: ScriptedPeer): string[] {
  return client.receivedText().match(/HTTP\/1\.1 \d+/g) ?? [];
}

describe("once a pod's address is another pod's", () => {
  test("an idle HTTP/1 connection ends, and what was on its way gets to nobody", () => {
    const world = new DiscoveredWorld();
    world.serve(ADDRESS, ok);
    const client = connected(world);
    client.send(REQUEST);
    world.run(() => client.receivedBytes > 0);
    world.tell(owned(null));
    world.tell(owned("second"));
    client.send(REQUEST);
    world.run(() => client.ended);
    expect(statuses(client)).toEqual(["HTTP/1.1 200"]);
    expect(world.served).toHaveLength(1);
    client.close();
    world.settle();
  });

  test("an HTTP/1 request in flight gets its answer, and none comes after it", () => {
    const world = new DiscoveredWorld();
    const streams: PeerStream[] = [];
    world.serve(ADDRESS, (stream) => void streams.push(stream));
    const client = connected(world);
    client.send(REQUEST);
    world.run(() => streams.length > 0);
    world.tell(owned("second"));
    client.send(REQUEST);
    world.runFor(100);
    for (const stream of streams) stream.sendHead(OK, true);
    world.run(() => client.ended);
    expect(statuses(client)).toEqual(["HTTP/1.1 200"]);
    expect(client.receivedText()).toContain("connection: close");
    expect(streams).toHaveLength(1);
    client.close();
    world.settle();
  });

  test("an HTTP/2 connection is told to go away, and its further requests are refused for another try", () => {
    const world = new DiscoveredWorld();
    world.serve(ADDRESS, ok);
    const client = world.discovered(owned("first"), []);
    expect(world.fetch(client).status).toBe(200);
    const late = client.open(GET, true)!;
    world.tell(owned("second"));
    world.run(() => late.over && client.gone);
    expect(late.resetCode).toBe(ErrorCode.RefusedStream);
    expect(world.served).toHaveLength(1);
    client.close();
    world.settle();
  });

  test("a connection on which nobody has spoken yet is reset when its client speaks", () => {
    const world = new DiscoveredWorld();
    world.serve(ADDRESS, ok);
    const client = connected(world);
    world.runFor(5);
    world.tell(owned("second"));
    client.send(REQUEST);
    world.run(() => client.finished);
    expect(world.served).toEqual([]);
    world.settle();
  });

  test("connections that come then are the other pod's", () => {
    const world = new DiscoveredWorld();
    world.serve(ADDRESS, ok);
    const first = connected(world);
    world.tell(owned("second"));
    const client = world.raw();
    client.send(REQUEST);
    world.run(() => client.receivedBytes > 0);
    expect(statuses(client)).toEqual(["HTTP/1.1 200"]);
    for (const peer of [first, client]) peer.close();
    world.settle();
  });
});

test("a pod that is no longer named goes on serving those who are connected", () => {
  const world = new DiscoveredWorld();
  world.serve(ADDRESS, ok);
  const client = connected(world);
  client.send(REQUEST);
  world.run(() => statuses(client).length === 1);
  for (const pod of [null, "first"]) {
    world.tell(owned(pod));
    const before = statuses(client).length;
    client.send(REQUEST);
    world.run(() => statuses(client).length > before);
  }
  expect(statuses(client)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 200"]);
  client.close();
  world.settle();
});
