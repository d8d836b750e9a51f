import { expect, test } from "bun:test";
import type { Http2Params } from "@bowline/model";
import { DiscoveredWorld, endpoint, GET, httpPolicy, httpRule, PATH } from "./testing/discovered-world.case.test.ts";
import type { PeerStream } from "./testing/http2-peer.case.test.ts";

const http2: Http2Params = {
  initialConnectionWindowBytes: null,
  initialStreamWindowBytes: null,
  adaptiveWindow: null,
  keepAliveIntervalMs: 1000,
  keepAliveTimeoutMs: 500,
  keepAliveWhileIdle: false,
  concurrentResetStreamsMax: null,
  frameBytesMax: null,
  sendBufferBytesMax: null,
};

const PING_BYTES = 17;

function hangingCall(http2Params: Http2Params | null): [DiscoveredWorld, PeerStream, PeerStream] {
  const world = new DiscoveredWorld();
  const held: PeerStream[] = [];
  world.serve("10.1.0.1", (stream) => held.push(stream));
  const client = world.discovered({ policy: httpPolicy([httpRule()]) }, []);
  world.endpoints({ kind: "reset", endpoints: [endpoint("10.1.0.1", { http2: http2Params })] }, PATH);
  const call = client.open(GET, true)!;
  world.run(() => held.length === 1);
  return [world, call, held[0]!];
}

test("an endpoint is sent PINGs as the control plane says, while calls are open and only then", () => {
  const [world, call, served] = hangingCall(http2);
  const { peer } = served.connection;
  const received = (): number => (peer as ReturnType<DiscoveredWorld["raw"]>).receivedBytes;
  world.runFor(100);
  let before = received();
  world.runFor(5000);
  expect([received() - before, call.over]).toEqual([5 * PING_BYTES, false]);
  served.sendHead([[":status", "200"]], true);
  world.run(() => call.over);
  before = received();
  world.runFor(4000);
  expect(received() - before).toBeLessThanOrEqual(PING_BYTES);
  call.connection.close();
  world.settle();
});

test("an endpoint that answers no PING is given up with the calls on it", () => {
  const [world, call, served] = hangingCall(http2);
  served.connection.peer.pauseReading();
  world.runFor(1300);
  expect(call.over).toBe(false);
  world.run(() => call.over, 500);
  expect([call.status, call.header("l5d-proxy-error-cause")]).toEqual([502, "upstream-reset"]);
  served.connection.peer.resumeReading();
  world.run(() => served.connection.gone);
  call.connection.close();
  world.settle();
});

test("an endpoint that nobody wants PINGed is not, however long a call takes", () => {
  const [world, call, served] = hangingCall(null);
  served.connection.peer.pauseReading();
  world.runFor(300_000);
  expect(call.over).toBe(false);
  served.connection.peer.resumeReading();
  served.sendHead([[":status", "200"]], true);
  world.run(() => call.over);
  expect(call.status).toBe(200);
  call.connection.close();
  world.settle();
});
