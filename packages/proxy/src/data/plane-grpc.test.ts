import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import type { Direction } from "@bowline/contracts";
import { Errno } from "@bowline/loop";
import { CALM, type ConnectOutcome, ScriptedIo } from "@bowline/testkit";
import { ErrorCode, Role } from "@bowline/wire";
import type { Env } from "../config.ts";
import { GET, GRPC, GRPC_OK } from "./testing/discovered-world.case.test.ts";
import { type ByteEnd, Http2Peer, type PeerStream, serveHttp2 } from "./testing/http2-peer.case.test.ts";
import { ScriptedPlane, streamBytes, sumOf } from "./testing/plane-world.case.test.ts";

const TARGET = "10.1.0.1:8080";
const LARGE_BYTES = 4 << 20;
const STATUS_OK = [["grpc-status", "0"]] as const;
/** A frame that arrives is passed on within the turn in which it is read; another turn reads it at the other side. */
const TURNS_ON_THE_WAY = 2;

class GrpcWorld {
  readonly kernel: ScriptedIo = new ScriptedIo({ seed: 1, adversity: CALM });
  readonly proxy: ScriptedPlane;
  readonly calls: PeerStream[] = [];

  constructor(env: Env = {}) {
    this.proxy = new ScriptedPlane(this.kernel, { env });
    serveHttp2(this.kernel, TARGET, (stream) => this.calls.push(stream));
  }

  client(direction: Direction = "outbound"): Http2Peer {
    const client = new Http2Peer(this.kernel, this.proxy.client(direction, TARGET), Role.Client);
    this.run(() => client.engine.settingsSeen);
    return client;
  }

  /** A call that has arrived at its server: both of its ends. */
  call(client: Http2Peer): [client: PeerStream, server: PeerStream] {
    const stream = client.open(GRPC, false)!;
    const before = this.calls.length;
    this.run(() => this.calls.length > before);
    return [stream, this.calls.at(-1)!];
  }

  run(until: () => boolean, forMsMax?: number): void {
    this.proxy.run(until, forMsMax);
  }

  turns(count: number): void {
    for (let n = 0; n < count; n++) this.proxy.turn();
  }

  settle(): void {
    this.proxy.settle();
    this.kernel.assertNothingOpen();
  }
}

for (const direction of ["inbound", "outbound"] as const) {
  describe(`${direction}, a call`, () => {
    test("that its client cancels is cancelled at its server at once", () => {
      const world = new GrpcWorld();
      const client = world.client(direction);
      for (const bodyBytes of [0, 500_000]) {
        const [call, served] = world.call(client);
        served.holdsBack = true;
        if (bodyBytes > 0) call.sendBody(new Uint8Array(bodyBytes));
        world.turns(20);
        call.reset(ErrorCode.Cancel);
        world.turns(TURNS_ON_THE_WAY);
        expect(served.resetCode).toBe(ErrorCode.Cancel);
      }
      client.close();
      world.settle();
    });

    test("that its server breaks off is broken off at its client at once, with the server's code", () => {
      const world = new GrpcWorld();
      const client = world.client(direction);
      for (const code of [ErrorCode.Cancel, ErrorCode.InternalError, ErrorCode.EnhanceYourCalm]) {
        const [call, served] = world.call(client);
        served.sendHead(GRPC_OK, false);
        world.run(() => call.head !== null);
        served.reset(code);
        world.turns(TURNS_ON_THE_WAY);
        expect(call.resetCode).toBe(code);
      }
      client.close();
      world.settle();
    });

    test("whose client vanishes is cancelled at its server", () => {
      const world = new GrpcWorld();
      const client = world.client(direction);
      const [, served] = world.call(client);
      client.reset();
      world.turns(TURNS_ON_THE_WAY);
      expect(served.resetCode).toBe(ErrorCode.Cancel);
      world.settle();
    });

    test("goes on in one direction when the other has ended, message by message", () => {
      const world = new GrpcWorld();
      const client = world.client(direction);
      const [call, served] = world.call(client);
      for (let n = 1; n <= 5; n++) {
        call.sendBody(streamBytes(n, 100));
        world.run(() => served.bodyBytes === 100 * n);
        if (n === 1) served.sendHead(GRPC_OK, false);
        served.sendBody(streamBytes(n, 10));
        world.run(() => call.bodyBytes === 10 * n);
      }
      call.sendBody(new Uint8Array(0), true);
      world.run(() => served.complete);
      for (let n = 6; n <= 10; n++) {
        served.sendBody(streamBytes(n, 10));
        world.run(() => call.bodyBytes === 10 * n);
      }
      served.sendTrailers(STATUS_OK);
      world.run(() => call.over);
      expect([call.trailers, call.resetCode]).toEqual([[...STATUS_OK], null]);
      client.close();
      world.settle();
    });

    test("that is answered before its client has ended stays open for the rest", () => {
      const world = new GrpcWorld();
      const client = world.client(direction);
      const [call, served] = world.call(client);
      served.respond(GRPC_OK, new Uint8Array(5), [...STATUS_OK]);
      world.run(() => call.over);
      call.sendBody(new Uint8Array(1000), true);
      world.run(() => served.complete);
      expect([served.bodyBytes, call.resetCode]).toEqual([1000, null]);
      client.close();
      world.settle();
    });

    test("carries large messages both ways at once", () => {
      const world = new GrpcWorld();
      const client = world.client(direction);
      const [call, served] = world.call(client);
      const up = streamBytes(1, LARGE_BYTES);
      const down = streamBytes(2, LARGE_BYTES);
      call.sendBody(up, true);
      served.respond(GRPC_OK, down, [...STATUS_OK]);
      world.run(() => call.over && served.complete);
      expect([Buffer.compare(served.body(), up), Buffer.compare(call.body(), down)]).toEqual([0, 0]);
      client.close();
      world.settle();
    });
  });
}

describe("10,000 streams on one connection", () => {
  const STREAMS = 10_000;
  const STREAM_BYTES_MAX = 4096;

  test("cost less than 4 KB each while they are idle, and all end well", () => {
    const world = new GrpcWorld();
    const client = world.client();
    const open = (): PeerStream[] => {
      const streams = Array.from({ length: STREAMS }, () => client.open(GRPC, false)!);
      world.run(() => world.calls.length === STREAMS);
      return streams;
    };
    const ends = bytesOfEnds(STREAMS);
    const before = heapBytes();
    const streams = open();
    const lent = world.proxy.lentBytes;
    const each = (heapBytes() - before - ends) / STREAMS + lent / STREAMS;
    expect(each).toBeLessThan(STREAM_BYTES_MAX);
    for (const served of world.calls) served.respond(GRPC_OK, new Uint8Array(5), [...STATUS_OK]);
    for (const stream of streams) stream.sendBody(new Uint8Array(5), true);
    world.run(() => streams.every(({ over }) => over));
    expect(streams.filter((stream) => stream.trailer("grpc-status") !== "0")).toHaveLength(0);
    const labels = { direction: "outbound", grpc_status: "0", classification: "success" };
    expect(sumOf(world.proxy.plane, "response_total", labels)).toBe(STREAMS);
    client.close();
    world.settle();
  });

  /** What the test's own client and server take for as many streams, without a proxy between them. */
  function bytesOfEnds(count: number): number {
    const kernel = new ScriptedIo({ seed: 1, adversity: CALM });
    const before = heapBytes();
    const ends = [new DirectEnd(), new DirectEnd()] as const;
    const client = new Http2Peer(kernel, ends[0], Role.Client);
    const server = new Http2Peer(kernel, ends[1], Role.Server);
    DirectEnd.deliver(...ends);
    const streams = Array.from({ length: count }, () => client.open(GRPC, false)!);
    DirectEnd.deliver(...ends);
    const bytes = heapBytes() - before;
    expect([streams.length, server.streams.length]).toEqual([count, count]);
    return bytes;
  }
});

function heapBytes(): number {
  Bun.gc(true);
  const { heapSize, extraMemorySize } = heapStats();
  return heapSize + extraMemorySize;
}

/** An application's end of a connection that there is no network for. */
class DirectEnd implements ByteEnd {
  readonly address = "";
  errno = 0;
  onData: (bytes: Uint8Array) => void = () => undefined;
  onEnd: () => void = () => undefined;
  onFailed: () => void = () => undefined;
  sent: Uint8Array[] = [];

  send(bytes: Uint8Array | string): void {
    if (typeof bytes !== "string") this.sent.push(bytes);
  }

  close(): void {}

  reset(): void {}

  pauseReading(): void {}

  resumeReading(): void {}

  static deliver(one: DirectEnd, other: DirectEnd): void {
    while (one.sent.length + other.sent.length > 0) {
      for (const [from, to] of [
        [one, other],
        [other, one],
      ] as const) {
        for (const bytes of from.sent.splice(0)) to.onData(bytes);
      }
    }
  }
}

interface MappingRow {
  readonly name: string;
  readonly direction: Direction;
  readonly outcome: ConnectOutcome | "lose";
  readonly target?: string;
  readonly env?: Env;
  /** Requests that are under way already. */
  readonly before?: number;
  readonly status: number;
  readonly grpcStatus: number;
  readonly cause: string;
  /** The client's connection goes with it. */
  readonly closes: boolean;
}

/** proxy-facts §4.11. */
const MAPPING: readonly MappingRow[] = [
  row("inbound", "refused", "refuse", 502, 14, "connect-refused"),
  row("inbound", "unreachable", Errno.EHOSTUNREACH, 502, 14, "connect-unreachable"),
  row("inbound", "silent", "silence", 504, 4, "connect-timeout"),
  row("outbound", "refused", "refuse", 504, 4, "failfast"),
  row("outbound", "silent", "silence", 504, 4, "failfast"),
  row("outbound", "lost before it answers", "lose", 502, 14, "upstream-reset"),
  row("inbound", "lost before it answers", "lose", 502, 14, "upstream-reset"),
  {
    ...row("outbound", "this proxy itself", "refuse", 502, 14, "outbound-loop"),
    target: "127.0.0.1:9000",
  },
  {
    ...row("outbound", "beyond the requests in flight", "refuse", 503, 14, "load-shed"),
    env: { LINKERD2_PROXY_OUTBOUND_MAX_IN_FLIGHT: "1" },
    before: 1,
  },
];

function row(
  direction: Direction,
  name: string,
  outcome: ConnectOutcome | "lose",
  status: number,
  grpcStatus: number,
  cause: string,
): MappingRow {
  return { name, direction, outcome, status, grpcStatus, cause, closes: true };
}

describe("a synthesised answer", () => {
  for (const { name, direction, outcome, target = TARGET, env = {}, before = 0, ...wanted } of MAPPING) {
    const { status, grpcStatus, cause, closes } = wanted;
    test(`${direction}, a server that is ${name}: ${status}, and grpc-status ${grpcStatus} to gRPC`, () => {
      const world = new GrpcWorld(env);
      if (outcome === "lose") serveHttp2(world.kernel, target, ({ connection }) => connection.reset());
      else world.kernel.onConnect(target, outcome);
      for (const head of [GET, GRPC]) {
        const client = new Http2Peer(world.kernel, world.proxy.client(direction, target), Role.Client);
        for (let n = 0; n < before; n++) client.open(GET, true);
        const stream = client.open(head, true)!;
        world.run(() => stream.over, 10_000);
        const grpc = head === GRPC;
        expect([stream.status, stream.header("grpc-status")]).toEqual(
          grpc ? [200, String(grpcStatus)] : [status, null],
        );
        expect([stream.header("content-length"), stream.bodyBytes, stream.trailers]).toEqual(["0", 0, null]);
        // Inbound, only peers in the mesh would be told.
        expect(stream.header("l5d-proxy-error-cause")).toBe(direction === "outbound" ? cause : null);
        if (grpc && direction === "outbound") {
          expect(stream.header("content-type")).toBe("application/grpc");
          expect(stream.header("grpc-message")).toBe(stream.header("l5d-proxy-error"));
        }
        if (closes) world.run(() => client.goAwayCode === ErrorCode.NoError, 1000);
        client.close();
      }
      world.settle();
      expect(sumOf(world.proxy.plane, "proxy_failures_total", { direction, cause })).toBe(2);
    });
  }
});
