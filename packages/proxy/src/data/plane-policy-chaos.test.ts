import { expect, test } from "bun:test";
import type { Outbound } from "@bowline/model";
import type { ScriptedIo, ScriptedPeer } from "@bowline/testkit";
import { array, assert, constantFrom, integer, nat, oneof, property, record, subarray } from "fast-check";
import type { FromData } from "../boundary.ts";
import {
  balance,
  endpoint,
  httpPolicy,
  httpRule,
  PATH,
  profile,
  profileRoute,
  SERVICE,
  to,
} from "./testing/discovered-world.case.test.ts";
import { Http2Play, runTo } from "./testing/http2-play.case.test.ts";
import { connectionChoice, exchangeChoices, exchangeOf } from "./testing/http2-script.case.test.ts";
import { affordableBytes, kernelOf, runs, ScriptedPlane } from "./testing/plane-world.case.test.ts";

const OTHER = "other.test.svc.cluster.local:8080";
const IPS = ["10.1.0.1", "10.1.0.2", "10.1.0.3"];
const RAW_GET = "GET / HTTP/1.1\r\nhost: web.test\r\n\r\n";
const RAW_OK = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

const backoff = { minMs: 20, maxMs: 100, jitter: 0.5, respectRetryAfter: false };
const retry = { retriesMax: 3, requestBytesMax: 65_536, statuses: [{ min: 500, max: 599 }], timeoutMs: 150, backoff };
const weighted = {
  kind: "random" as const,
  backends: [
    { backend: balance(), filters: [], weight: 1 },
    { backend: balance(OTHER), filters: [], weight: 1 },
  ],
};
const nowhere = { ...balance(), dispatcher: { kind: "fail" as const, message: "none" } };
const there = { ...balance(), dispatcher: { kind: "forward" as const, endpoint: endpoint("10.1.0.2") } };
const accrual = { kind: "consecutive" as const, failuresMax: 2, backoff, readyEndpointsMin: 0 };
const timeouts = { requestMs: 200, responseMs: 100, idleMs: 80 };
const retryBudget = { ratio: 1, minPerSecond: 10, ttlMs: 10_000 };

/** What a control plane may say about a service. */
const OUTBOUNDS: readonly Partial<Outbound>[] = [
  { policy: httpPolicy([httpRule()]) },
  { policy: httpPolicy([httpRule({ retry })]) },
  { policy: httpPolicy([httpRule({ retry: { ...retry, timeoutMs: null, backoff: null } })], accrual) },
  { policy: httpPolicy([httpRule({ backends: weighted })]) },
  { policy: httpPolicy([httpRule({ backends: to(balance(OTHER)), timeouts })]) },
  { policy: httpPolicy([httpRule({ backends: to(nowhere) })]) },
  { policy: httpPolicy([httpRule({ backends: to(there) })]) },
  { policy: httpPolicy([httpRule({ backends: { kind: "empty" } })]) },
  { invalid: "bad" },
  {},
  { profile: profile() },
  { profile: profile({ routes: [profileRoute({ retryable: true, timeoutMs: 300 })], retryBudget }) },
  { profile: profile({ opaque: true }) },
  { profile: profile({ endpoint: endpoint("10.1.0.3") }) },
];

const time = oneof(nat(50), nat(1000), nat(5000));
const event = oneof(
  record({ kind: constantFrom("outbound" as const), atMs: time, index: nat(OUTBOUNDS.length - 1) }),
  record({
    kind: constantFrom("endpoints" as const),
    atMs: time,
    path: constantFrom(PATH, OTHER),
    ips: subarray(IPS),
    hint: constantFrom("h2" as const, null),
    revision: nat(2),
  }),
  record({ kind: constantFrom("serve" as const, "refuse" as const, "silence" as const), atMs: time, ip: nat(2) }),
);

test("whatever the control plane says while requests go, nothing hangs, leaks or mixes up bytes", () => {
  const client = record({ allows: connectionChoice, exchanges: exchangeChoices });
  const world = record({
    seed: integer(),
    clients: array(client, { minLength: 1, maxLength: 2 }),
    others: array(record({ kind: constantFrom("http/1" as const, "bytes" as const), atMs: time }), { maxLength: 4 }),
    events: array(event, { maxLength: 25 }),
    dieAfterMs: constantFrom(null, null, 300),
    goAwayAfter: constantFrom(null, null, 1, 3),
    losses: constantFrom({}, {}, { networkReset: 0.3, fdShortage: 0.1 }),
    latenessMs: nat(200),
  });
  assert(
    property(world, ({ seed, clients, others, events, dieAfterMs, goAwayAfter, losses, latenessMs }) => {
      const kernel = kernelOf(seed, losses);
      const proxy = new ScriptedPlane(kernel);
      const streamsMax = clients[0]!.allows.streamsMax;
      const allows = { streamWindow: 65_535, connectionWindow: 1 << 20, streamsMax };
      const play = new Http2Play(kernel, { allows, goAwayAfter, dieAfterMs, lossy: true, repeats: true });
      const control = new ControlPlane(kernel, proxy, latenessMs);
      const servers = ["10.96.0.1", ...IPS].map((ip) => `${ip}:8080`);
      const serve = (address: string): void => kernel.onConnect(address, (peer) => serveAnything(play, peer));
      for (const address of servers) serve(address);
      for (const one of events) {
        kernel.after(one.atMs, () => {
          if (one.kind === "outbound") control.tell(OUTBOUNDS[one.index]!);
          else if (one.kind === "endpoints") control.resolve(one.path, one.ips, one.hint, one.revision);
          else if (one.kind === "serve") serve(servers[one.ip]!);
          else kernel.onConnect(servers[one.ip]!, one.kind);
        });
      }
      let id = 0;
      const bytesMax = affordableBytes(kernel.adversity) / 20;
      for (const { allows: ownAllows, exchanges } of clients) {
        const scripts = exchanges.map((choice) => exchangeOf({ ...choice, interims: 0 }, id++, bytesMax));
        play.play(() => proxy.client("outbound", SERVICE), ownAllows, scripts);
      }
      const raw = others.map((other) => new RawClient(kernel, proxy, other.kind, other.atMs));
      runTo(play, (until) => proxy.run(() => until() && raw.every(({ over }) => over)));
      kernel.runFor(proxy.turn, 6000);
      play.leave();
      proxy.settle();
      play.judge();
      control.assertLetGo();
      kernel.assertNothingOpen();
    }),
    runs(100),
  );
}, 600_000);

/** Answers what the data plane asks, a while later, and tells it what changes meanwhile. */
class ControlPlane {
  readonly #kernel: ScriptedIo;
  readonly #proxy: ScriptedPlane;
  readonly #held: Record<"discover" | "resolve", Map<string, number>> = { discover: new Map(), resolve: new Map() };
  readonly #latenessMs: number;
  #outbound: Partial<Outbound> = OUTBOUNDS[0]!;
  readonly #endpoints = new Map<string, ReturnType<typeof endpoint>[]>(
    [PATH, OTHER].map((path) => [path, IPS.map((ip) => endpoint(ip))]),
  );

  constructor(kernel: ScriptedIo, proxy: ScriptedPlane, latenessMs: number) {
    this.#kernel = kernel;
    this.#proxy = proxy;
    this.#latenessMs = latenessMs;
    proxy.plane.discover((message) => this.#asked(message));
  }

  tell(outbound: Partial<Outbound>): void {
    this.#outbound = outbound;
    const whole = { profile: null, policy: null, invalid: null, ...outbound };
    this.#proxy.plane.outbound.discovery!.onOutbound(SERVICE, structuredClone(whole));
  }

  resolve(path: string, ips: readonly string[], hint: "h2" | null, revision: number): void {
    const labels = { revision: String(revision) };
    this.#endpoints.set(
      path,
      ips.map((ip) => endpoint(ip, { hint, labels })),
    );
    this.#say(path);
  }

  /** Nothing is held any more that was asked for, and nothing was let go twice. */
  assertLetGo(): void {
    for (const held of Object.values(this.#held)) expect([...held].filter(([, count]) => count !== 0)).toEqual([]);
  }

  #asked(message: FromData): void {
    switch (message.kind) {
      case "discover":
        this.#count("discover", message.target, 1);
        this.#kernel.after(this.#latenessMs, () => this.tell(this.#outbound));
        break;
      case "undiscover":
        this.#count("discover", message.target, -1);
        break;
      case "resolve":
        this.#count("resolve", message.path, 1);
        this.#kernel.after(this.#latenessMs, () => this.#say(message.path));
        break;
      case "unresolve":
        this.#count("resolve", message.path, -1);
        break;
      default:
        throw new Error(`nobody asks for that: ${message.kind}`);
    }
  }

  #count(what: "discover" | "resolve", name: string, by: number): void {
    this.#held[what].set(name, (this.#held[what].get(name) ?? 0) + by);
  }

  #say(path: string): void {
    const endpoints = this.#endpoints.get(path);
    const update =
      endpoints === undefined ? { kind: "gone" as const, exists: false } : { kind: "reset" as const, endpoints };
    this.#proxy.plane.outbound.discovery!.onEndpoints(path, structuredClone(update));
  }
}

/** A server that speaks what its client speaks. */
function serveAnything(play: Http2Play, peer: ScriptedPeer): void {
  peer.onEnd = () => peer.close();
  peer.onData = (bytes) => {
    if (bytes[0] === "P".charCodeAt(0)) {
      play.serve(peer);
      peer.onData(bytes);
    } else if (bytes[0] === "G".charCodeAt(0)) {
      let answered = 0;
      peer.onData = () => {
        const asked = peer.receivedText().split("\r\n\r\n").length - 1;
        for (; answered < asked; answered++) peer.send(RAW_OK);
      };
      peer.onData(bytes);
    } else {
      peer.onData = (more) => peer.send(more);
      peer.send(bytes);
    }
  };
}

/** A client of HTTP/1 that asks three times, or one of bytes that gets them back; or it is told that it cannot be. */
class RawClient {
  over = false;

  constructor(kernel: ScriptedIo, proxy: ScriptedPlane, kind: "http/1" | "bytes", atMs: number) {
    kernel.after(atMs, () => {
      const peer = proxy.client("outbound", SERVICE);
      let asked = 1;
      const sent = kind === "bytes" ? "\u0001bytes" : RAW_GET;
      peer.send(sent);
      peer.onEnd = () => this.#leave(peer);
      peer.onFailed = () => this.#leave(peer);
      peer.onData = () => {
        const text = peer.receivedText();
        if (kind === "bytes") {
          expect(sent.startsWith(text)).toBe(true);
          if (text === sent) this.#leave(peer);
          return;
        }
        const answers = text.split("HTTP/1.1 ").slice(1);
        const last = answers.at(-1) ?? "";
        const complete = last.startsWith("200") ? last.endsWith("hello") : last.endsWith("\r\n\r\n");
        if (answers.length < asked || !complete) return;
        if (asked === 3) {
          this.#leave(peer);
          return;
        }
        asked += 1;
        peer.send(RAW_GET);
      };
    });
  }

  #leave(peer: ScriptedPeer): void {
    this.over = true;
    peer.close();
  }
}
