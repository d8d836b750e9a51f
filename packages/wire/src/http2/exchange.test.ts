import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Http2Connection } from "./connection.ts";
import { fieldTexts } from "./field-texts.ts";
import type { FieldList } from "./fields.ts";
import { ErrorCode } from "./frame.ts";
import { type Http2Handler, ResetBy, Role } from "./handler.ts";
import { DEFAULT_HTTP2_SETTINGS, type Http2Settings } from "./settings.ts";
import type { Http2Stream } from "./stream.ts";
import { listOf } from "./testing/frames.ts";
import { GrowingSink } from "./testing/growing-sink.ts";

/** What one exchange is to be. Bodies are of bytes that tell where they belong. */
interface Plan {
  readonly requestBytes: number;
  readonly requestTrailers: boolean;
  readonly responseBytes: number;
  readonly responseTrailers: boolean;
  readonly interim: boolean;
  /** After how many bytes of body a side gives up; the client or the server. */
  readonly quits: { readonly role: Role; readonly afterBytes: number } | null;
}

/** One side's view of one exchange. */
class Side {
  readonly plan: Plan;
  readonly index: number;
  readonly sends: number;
  heads: string[] = [];
  received = 0;
  wrong = false;
  trailers: string | null = null;
  ended = false;
  reset: string | null = null;
  sent = 0;

  constructor(plan: Plan, index: number, sends: number) {
    this.plan = plan;
    this.index = index;
    this.sends = sends;
  }
}

const PATTERN = Uint8Array.from({ length: 70_000 }, (_, i) => i * 31 + (i >> 8));

/** An application on an engine: sends as it may, consumes when it pleases, quits where the plan says so. */
class App implements Http2Handler<Side> {
  readonly role: Role;
  readonly plans: readonly Plan[];
  readonly random: () => number;
  readonly sink: GrowingSink = new GrowingSink();
  readonly connection: Http2Connection<Side>;
  readonly sides: Side[] = [];
  /** Exchanges to begin; those that a server refused because it had too many come again. */
  private readonly waiting: number[];
  private readonly held: { stream: Http2Stream<Side>; side: Side; bytes: number }[] = [];

  constructor(role: Role, settings: Http2Settings, plans: readonly Plan[], random: () => number) {
    this.role = role;
    this.plans = plans;
    this.random = random;
    this.waiting = [...plans.keys()];
    this.connection = new Http2Connection(role, settings, this, this.sink);
  }

  /** Client: opens what there is room for. */
  open(): void {
    while (this.waiting.length > 0 && this.connection.canOpen) {
      const index = this.waiting.shift()!;
      const plan = this.plans[index]!;
      const side = new Side(plan, index, plan.requestBytes);
      const fields = listOf({
        ":method": "POST",
        ":scheme": "http",
        ":path": `/${index}`,
        "x-a": "b".repeat(index % 50),
      });
      const last = plan.requestBytes === 0 && !plan.requestTrailers;
      const stream = this.connection.openStream(side, fields, last);
      if (stream === null) throw new Error("canOpen, but no stream");
      this.sides[index] = side;
      if (!last) this.send(stream, side);
    }
  }

  onHead(stream: Http2Stream<Side>, fields: FieldList, last: boolean): void {
    if (this.role === Role.Server) this.onRequest(stream, fields);
    const side = stream.user!;
    side.heads.push(fieldTexts(fields).join());
    side.ended = last;
    if (this.role === Role.Server) this.respond(stream, side);
  }

  onData(stream: Http2Stream<Side>, bytes: Uint8Array, at: number, end: number, last: boolean): void {
    const side = stream.user!;
    for (let i = at; i < end; i++) {
      if (bytes[i] !== PATTERN[side.received + i - at]) side.wrong = true;
    }
    side.received += end - at;
    side.ended = last;
    if (end > at) this.held.push({ stream, side, bytes: end - at });
    this.quitMaybe(stream, side);
  }

  onTrailers(stream: Http2Stream<Side>, fields: FieldList): void {
    stream.user!.trailers = fieldTexts(fields).join();
    stream.user!.ended = true;
  }

  onReset(stream: Http2Stream<Side>, code: ErrorCode, by: ResetBy): void {
    this.forget(stream.user!);
    stream.user!.reset = `${code} ${by}`;
    if (by === ResetBy.Unprocessed) this.waiting.push(stream.user!.index);
  }

  onWritable(stream: Http2Stream<Side>): void {
    this.send(stream, stream.user!);
  }

  onRoomForStreams(): void {
    this.open();
  }

  onGoAway(): void {
    throw new Error("nobody goes away");
  }

  onPong(): void {
    throw new Error("nobody asked");
  }

  /** Consumes some of what it holds. */
  consume(all: boolean): void {
    while (this.held.length > 0 && (all || this.random() < 0.7)) {
      const index = Math.floor(this.random() * this.held.length);
      const [one] = this.held.splice(index, 1);
      this.connection.consumed(one!.stream, one!.bytes);
    }
  }

  get idle(): boolean {
    const begun = this.role === Role.Server || this.waiting.length === 0;
    return begun && this.held.length === 0 && this.sink.end === 0 && this.connection.openStreams === 0;
  }

  private onRequest(stream: Http2Stream<Side>, fields: FieldList): void {
    const index = Number(fieldTexts(fields)[2]!.slice(":path: /".length));
    stream.user = new Side(this.plans[index]!, index, this.plans[index]!.responseBytes);
    this.sides[index] = stream.user;
  }

  private respond(stream: Http2Stream<Side>, side: Side): void {
    if (side.plan.interim) this.connection.sendHead(stream, listOf({ ":status": "103", link: "x" }), false);
    const last = side.sends === 0 && !side.plan.responseTrailers;
    this.connection.sendHead(stream, listOf({ ":status": "200", "x-i": String(side.index) }), last);
    if (!last) this.send(stream, side);
  }

  private send(stream: Http2Stream<Side>, side: Side): void {
    const { plan } = side;
    const trailers = this.role === Role.Client ? plan.requestTrailers : plan.responseTrailers;
    while (side.sent < side.sends) {
      const end = Math.min(side.sends, side.sent + 1 + Math.floor(this.random() * 40_000));
      const offered = end - side.sent;
      const taken = this.connection.sendData(stream, PATTERN, side.sent, end, !trailers && end === side.sends);
      side.sent += taken;
      if (this.quitMaybe(stream, side) || taken < offered) return;
    }
    if (trailers) this.connection.sendTrailers(stream, listOf({ "x-trailer": String(side.index) }));
  }

  private quitMaybe(stream: Http2Stream<Side>, side: Side): boolean {
    const { quits } = side.plan;
    if (quits === null || quits.role !== this.role || side.reset !== null) return false;
    if (side.sent + side.received < quits.afterBytes || (stream.sentLast && stream.receivedLast)) return false;
    side.reset = "own";
    this.forget(side);
    this.connection.reset(stream, ErrorCode.Cancel);
    return true;
  }

  /** Nothing of a stream that was reset may be consumed. */
  private forget(side: Side): void {
    for (let i = this.held.length - 1; i >= 0; i--) {
      if (this.held[i]!.side === side) this.held.splice(i, 1);
    }
  }
}

/** Carries bytes one way, in pieces of any size, with what was not taken in front of the next piece. */
class Wire {
  private bytes = new Uint8Array(0);
  private end = 0;

  carry(from: App, to: App, random: () => number, nowMs: number): void {
    if (from.sink.end > 0 && random() < 0.8) {
      const sent = from.sink.take();
      const joined = new Uint8Array(this.bytes.length + sent.length);
      joined.set(this.bytes);
      joined.set(sent, this.bytes.length);
      this.bytes = joined;
      from.connection.drained();
    }
    if (this.end === this.bytes.length) return;
    this.end = Math.min(this.bytes.length, this.end + 1 + Math.floor(random() * random() * 30_000));
    const taken = to.connection.receive(this.bytes, 0, this.end, nowMs);
    this.bytes = this.bytes.slice(taken);
    this.end -= taken;
    if (to.connection.failed) throw new Error(`failed: ${to.connection.errorReason}`);
  }

  get empty(): boolean {
    return this.bytes.length === 0;
  }
}

function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const STEPS_MAX = 100_000;

/** Runs the plans to their end; throws when they do not come to one. */
function run(plans: readonly Plan[], client: Http2Settings, server: Http2Settings, seed: number): [App, App] {
  const random = randomOf(seed);
  const asks = new App(Role.Client, client, plans, random);
  const answers = new App(Role.Server, server, plans, random);
  asks.connection.begin(0);
  answers.connection.begin(0);
  const there = new Wire();
  const back = new Wire();
  for (let step = 0; step < STEPS_MAX; step++) {
    asks.open();
    there.carry(asks, answers, random, step);
    back.carry(answers, asks, random, step);
    const stuck = step > STEPS_MAX / 2;
    if (random() < 0.5) asks.consume(stuck);
    if (random() < 0.5) answers.consume(stuck);
    if (there.empty && back.empty && asks.idle && answers.idle) return [asks, answers];
  }
  throw new Error("the exchanges do not end");
}

const bodyBytes = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 70_000 }));

const planOf: fc.Arbitrary<Plan> = fc.record({
  requestBytes: bodyBytes,
  requestTrailers: fc.boolean(),
  responseBytes: bodyBytes,
  responseTrailers: fc.boolean(),
  interim: fc.boolean(),
  quits: fc.option(
    fc.record({ role: fc.constantFrom(Role.Server, Role.Client), afterBytes: fc.integer({ min: 1, max: 100_000 }) }),
    { freq: 4 },
  ),
});

const settingsOf: fc.Arbitrary<Http2Settings> = fc
  .record({
    concurrentStreamsMax: fc.constantFrom(1, 3, 256),
    initialStreamWindowBytes: fc.constantFrom(100, 5000, 65_535, 1 << 20),
    initialConnectionWindowBytes: fc.constantFrom(65_535, 1 << 20),
    adaptiveWindow: fc.boolean(),
    frameBytesMax: fc.constantFrom(16_384, 20_000),
    outputBytesMax: fc.constantFrom(1000, 20_000, 1 << 20),
    unconsumedBytesMax: fc.constantFrom(10_000, 1 << 20),
  })
  .map((some) => ({ ...DEFAULT_HTTP2_SETTINGS, ...some }));

describe("exchanges between two engines", () => {
  test("come to what was sent, whatever the windows, sizes, pieces and order", () => {
    fc.assert(
      fc.property(
        fc.array(planOf, { minLength: 1, maxLength: 12 }),
        settingsOf,
        settingsOf,
        fc.integer(),
        (plans, client, server, seed) => {
          const [asks, answers] = run(plans, client, server, seed);
          for (const [index, plan] of plans.entries()) checkExchange(plan, asks.sides[index]!, answers.sides[index]);
          expect([asks.connection.unconsumedBytes, answers.connection.unconsumedBytes]).toEqual([0, 0]);
        },
      ),
      { numRuns: 150, includeErrorInReport: true },
    );
  }, 60_000);
});

/** Nothing is lost, doubled or mixed up; of an exchange that was given up, a beginning has arrived. */
function checkExchange(plan: Plan, client: Side, server: Side | undefined): void {
  expect(client.wrong || (server?.wrong ?? false)).toBe(false);
  const quit = client.reset !== null || (server !== undefined && server.reset !== null);
  if (quit) {
    expect(plan.quits).not.toBeNull();
    expect(client.received).toBeLessThanOrEqual(plan.responseBytes);
    expect(server?.received ?? 0).toBeLessThanOrEqual(plan.requestBytes);
    return;
  }
  expect(server).toMatchObject({ received: plan.requestBytes, ended: true, sent: plan.responseBytes });
  expect(client).toMatchObject({ received: plan.responseBytes, ended: true, sent: plan.requestBytes });
  expect(server!.trailers).toBe(plan.requestTrailers ? `x-trailer: ${client.index}` : null);
  expect(client.trailers).toBe(plan.responseTrailers ? `x-trailer: ${client.index}` : null);
  const head = `:status: 200,x-i: ${client.index}`;
  expect(client.heads).toEqual(plan.interim ? [":status: 103,link: x", head] : [head]);
}
