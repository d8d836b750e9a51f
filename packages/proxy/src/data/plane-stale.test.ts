import { expect, test } from "bun:test";
import { type Destination, formatAddress, sockaddrIp, sockaddrPort } from "@bowline/loop";
import type { EndpointMeta, EndpointsUpdate } from "@bowline/model";
import {
  type HistorySubject,
  type HistoryWorld,
  historySteps,
  runHistory,
} from "@bowline/model/testing/endpoint-history";
import { CALM, ScriptedIo, type ScriptedPeer } from "@bowline/testkit";
import { Role } from "@bowline/wire";
import { asyncProperty, boolean, assert as check } from "fast-check";
import { Target } from "./target.ts";
import { GET, httpPolicy, httpRule, ok, PATH, SERVICE } from "./testing/discovered-world.case.test.ts";
import { Http2Peer } from "./testing/http2-peer.case.test.ts";
import { runs, ScriptedPlane } from "./testing/plane-world.case.test.ts";

const RAW_GET = "GET / HTTP/1.1\r\nhost: web.test\r\n\r\n";
/** So many turns of the loop are enough for all that can happen at one moment. */
const TURNS_MAX = 60;
/** Timers are given the chance to run this often. */
const STEP_MS = 250;

/** A kernel whose clock stands still but for the history, and which asks the history who accepts connections. */
class HistoryKernel extends ScriptedIo {
  clockMs = 1000;
  decide: (to: Target) => void = () => undefined;

  override nowMs(): number {
    return this.clockMs;
  }

  override connect(to: Destination, options: Parameters<ScriptedIo["connect"]>[1]): number {
    if (to instanceof Target) this.decide(to);
    return super.connect(to, options);
  }
}

/** The whole data path as the subject of a history: requests through a client's connection, one at a time. */
class PlaneSubject implements HistorySubject {
  readonly #kernel = new HistoryKernel({ seed: 1, adversity: CALM });
  readonly #proxy = new ScriptedPlane(this.#kernel);
  readonly #http1: boolean;
  /** What the data path takes for endpoints. */
  readonly #live = new Set<Target>();
  /** Where a connection was last tried, or a request arrived. */
  #sentTo: EndpointMeta | null = null;
  #client: Http2Peer | null = null;
  #resync = true;

  constructor(world: HistoryWorld, http1: boolean) {
    this.#http1 = http1;
    this.#kernel.decide = (target) => {
      const meta = target.meta!;
      this.#sentTo = meta;
      const accepts = world.connect(meta, this.#kernel.clockMs);
      this.#kernel.onConnect(addressOf(target), accepts ? (peer) => this.#serve(peer, meta) : "refuse");
    };
    this.#watchEndpoints();
    const { plane } = this.#proxy;
    plane.discover(() => undefined);
    // A connection on which nothing is asked has the service held.
    const holder = this.#connect();
    this.#turns(() => false);
    plane.outbound.discovery!.onOutbound(SERVICE, { profile: null, policy: httpPolicy([httpRule()]), invalid: null });
    this.#turns(() => holder.engine.settingsSeen);
  }

  subscribed(): void {
    this.#resync = true;
  }

  update(update: EndpointsUpdate, nowMs: number): void {
    this.#advance(nowMs);
    // The main thread makes the first word of a new subscription replace all.
    const replaces = this.#resync && update.kind === "delta";
    this.#resync = false;
    const said = replaces ? { kind: "reset" as const, endpoints: update.add } : update;
    this.#proxy.plane.outbound.discovery!.onEndpoints(PATH, said);
    this.#turns(() => false);
  }

  wait(nowMs: number): void {
    this.#advance(nowMs);
  }

  request(nowMs: number): EndpointMeta | null {
    this.#advance(nowMs);
    this.#sentTo = null;
    const answered = this.#http1 ? this.#askHttp1() : this.#askHttp2();
    const sentTo = this.#sentTo as EndpointMeta | null;
    if (answered || sentTo !== null) return sentTo;
    // It waited, or was failed, for want of an endpoint that can be reached; but those there are go on being tried.
    const targets = [...this.#live];
    expect(targets.filter(({ member }) => member!.fit)).toEqual([]);
    return targets.find(({ member }) => !member!.stale)?.meta ?? null;
  }

  endpoints(): EndpointMeta[] {
    return Array.from(this.#live, ({ meta }) => meta!);
  }

  #askHttp2(): boolean {
    if (this.#client === null || this.#client.gone || this.#client.engine.goingAway) {
      this.#client?.close();
      this.#client = this.#connect();
    }
    const stream = this.#client.open(GET, true)!;
    this.#turns(() => stream.over);
    const answered = stream.status === 200;
    if (!stream.over) stream.reset();
    this.#turns(() => false);
    return answered;
  }

  #connect(): Http2Peer {
    return new Http2Peer(this.#kernel, this.#proxy.client("outbound", SERVICE), Role.Client);
  }

  #askHttp1(): boolean {
    const client = this.#proxy.client("outbound", SERVICE);
    client.send(RAW_GET);
    this.#turns(() => client.receivedBytes > 0);
    const answered = client.receivedText().startsWith("HTTP/1.1 200 ");
    client.close();
    this.#turns(() => false);
    return answered;
  }

  #serve(peer: ScriptedPeer, meta: EndpointMeta): void {
    if (this.#http1 && meta.hint !== "h2") {
      peer.onData = () => {
        this.#sentTo = meta;
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      };
      peer.onEnd = () => peer.close();
      return;
    }
    const server = new Http2Peer(this.#kernel, peer, Role.Server);
    server.onStream = (stream) => {
      this.#sentTo = meta;
      ok(stream);
    };
  }

  #watchEndpoints(): void {
    const side = this.#proxy.plane.outbound;
    const endpointTarget = side.endpointTarget.bind(side);
    const retireTarget = side.retireTarget.bind(side);
    side.endpointTarget = (...args) => {
      const target = endpointTarget(...args);
      this.#live.add(target);
      return target;
    };
    side.retireTarget = (target) => {
      this.#live.delete(target);
      return retireTarget(target);
    };
  }

  #advance(nowMs: number): void {
    while (this.#kernel.clockMs < nowMs) {
      this.#kernel.clockMs = Math.min(nowMs, this.#kernel.clockMs + STEP_MS);
      this.#turns(() => false, 4);
    }
  }

  #turns(until: () => boolean, turnsMax: number = TURNS_MAX): void {
    let turns = 0;
    this.#kernel.run(
      () => this.#proxy.plane.reactor.turn(0),
      () => until() || turns++ >= turnsMax,
    );
  }
}

function addressOf(target: Target): string {
  return formatAddress(sockaddrIp(target.sockaddr), sockaddrPort(target.sockaddr));
}

test("no history makes a data plane serve a stale endpoint", async () => {
  await check(
    asyncProperty(historySteps(), boolean(), (steps, http1) =>
      runHistory(steps, (world) => new PlaneSubject(world, http1)),
    ),
    runs(120),
  );
}, 600_000);
