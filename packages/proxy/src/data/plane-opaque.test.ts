import { expect, test } from "bun:test";
import type { ScriptedIo, ScriptedPeer } from "@bowline/testkit";
import { type Arbitrary, array, assert, constantFrom, integer, nat, oneof, property, record } from "fast-check";
import {
  affordableBytes,
  isPrefix,
  kernelOf,
  runs,
  ScriptedPlane,
  streamBytes,
  sumOf,
} from "./testing/plane-world.case.test.ts";

const OPAQUE_PORT = 3306;

/** How a stream may begin; what follows is anything. */
const OPENINGS = {
  binary: Uint8Array.of(0, 1, 2, 3),
  "almost HTTP": Buffer.from("GET / FTP/1.1\r\n"),
  ssh: Buffer.from("SSH-2.0-x\r\n"),
  "TLS that is none": Uint8Array.of(22, 3, 1, 0, 4, 99, 0, 0, 0),
  nothing: new Uint8Array(),
} as const;
type Opening = keyof typeof OPENINGS;

interface Talk {
  readonly opening: Opening;
  readonly opaquePort: boolean;
  readonly clientPieces: readonly number[];
  readonly serverPieces: readonly number[];
  readonly gapMs: number;
  readonly first: "client" | "server";
  readonly clientReads: "all" | "slowly";
  readonly serverReads: "all" | "slowly";
  /** Who ends its direction before it has heard the other's end. */
  readonly clientEnds: "at once" | "after the server";
  readonly serverEnds: "at once" | "after the client";
  readonly resets: "nobody" | "client" | "server";
  readonly resetAfterMs: number;
}

const pieces = array(oneof(nat(30), nat(5000), nat(700_000)), { maxLength: 4 });
const talk: Arbitrary<Talk> = record({
  opening: constantFrom(...(Object.keys(OPENINGS) as Opening[])),
  opaquePort: constantFrom(false, false, true),
  clientPieces: pieces,
  serverPieces: pieces,
  gapMs: constantFrom(0, 0, 3, 60),
  first: constantFrom("client" as const, "client" as const, "server" as const),
  clientReads: constantFrom("all" as const, "all" as const, "slowly" as const),
  serverReads: constantFrom("all" as const, "all" as const, "slowly" as const),
  clientEnds: constantFrom("at once" as const, "after the server" as const),
  serverEnds: constantFrom("at once" as const, "after the client" as const),
  resets: constantFrom("nobody" as const, "nobody" as const, "nobody" as const, "client" as const, "server" as const),
  resetAfterMs: nat(300),
});

/** One connection while it is played. */
class Conversation {
  readonly client: ScriptedPeer;
  server: ScriptedPeer | null = null;
  readonly request: Uint8Array;
  readonly answer: Uint8Array;
  readonly talk: Talk;
  readonly #kernel: ScriptedIo;
  readonly #share: number;

  constructor(kernel: ScriptedIo, lines: Talk, id: number, share: number, proxy: ScriptedPlane) {
    this.#kernel = kernel;
    this.talk = lines;
    this.#share = share;
    const opening = OPENINGS[lines.opening];
    this.request = Buffer.concat([opening, streamBytes(2 * id, this.#sum(lines.clientPieces))]);
    this.answer = streamBytes(2 * id + 1, this.#sum(lines.serverPieces));
    const address = `10.1.0.${id}:${lines.opaquePort ? OPAQUE_PORT : 5432}`;
    kernel.onConnect(address, (server) => this.#serve(server));
    this.client = proxy.client("outbound", address);
    this.#play();
  }

  get over(): boolean {
    return this.client.finished && (this.server === null || this.server.finished);
  }

  #play(): void {
    const { client, talk: lines } = this;
    if (lines.clientReads === "slowly") client.readSlowly(20_000, 2);
    if (lines.resets === "client") this.#kernel.after(lines.resetAfterMs, () => client.reset());
    let begun = false;
    const begin = (): void => {
      if (begun) return;
      begun = true;
      this.#send(client, this.request, [OPENINGS[lines.opening].length, ...lines.clientPieces], () => {
        if (lines.clientEnds === "at once" || client.ended) client.end();
        else client.onEnd = () => client.end();
      });
    };
    if (lines.first === "client" || this.answer.length === 0) {
      begin();
      return;
    }
    client.onData = begin;
    client.onEnd = begin;
  }

  #serve(server: ScriptedPeer): void {
    this.server = server;
    const lines = this.talk;
    if (lines.serverReads === "slowly") server.readSlowly(20_000, 2);
    if (lines.resets === "server") this.#kernel.after(lines.resetAfterMs, () => server.reset());
    let begun = false;
    const begin = (): void => {
      if (begun) return;
      begun = true;
      this.#send(server, this.answer, lines.serverPieces, () => {
        if (lines.serverEnds === "at once" || lines.clientEnds !== "at once" || server.ended) server.end();
        else server.onEnd = () => server.end();
      });
    };
    if (lines.first === "server" || this.request.length === 0) {
      begin();
      return;
    }
    server.onData = begin;
    server.onEnd = begin;
  }

  #send(peer: ScriptedPeer, bytes: Uint8Array, lengths: readonly number[], done: () => void): void {
    let at = 0;
    const next = (piece: number): void => {
      const length = lengths[piece];
      if (length === undefined) {
        peer.send(bytes.subarray(at));
        done();
        return;
      }
      const end = Math.min(bytes.length, at + Math.min(length, this.#share));
      peer.send(bytes.subarray(at, end));
      at = end;
      this.#kernel.after(this.talk.gapMs, () => next(piece + 1));
    };
    next(0);
  }

  #sum(lengths: readonly number[]): number {
    return lengths.reduce((sum, length) => sum + Math.min(length, this.#share), 0);
  }

  judge(): void {
    const { client, server, request, answer, talk: lines } = this;
    expect(isPrefix(client.received(), answer)).toBe(true);
    if (server !== null) expect(isPrefix(server.received(), request)).toBe(true);
    // An end is told only of all there was.
    if (client.ended && lines.resets !== "server") expect(client.receivedBytes).toBe(answer.length);
    if (server?.ended && lines.resets !== "client") expect(server.receivedBytes).toBe(request.length);
    if (lines.resets !== "nobody" || server === null) return;
    expect([client.ended, client.errno, server.ended, server.errno]).toEqual([true, 0, true, 0]);
    expect([client.receivedBytes, server.receivedBytes]).toEqual([answer.length, request.length]);
  }
}

test("opaque streams pass both ways whole and in order, half-closes as half-closes, resets as resets", () => {
  let splices = 0;
  const world = record({ seed: integer(), talks: array(talk, { minLength: 1, maxLength: 3 }) });
  assert(
    property(world, ({ seed, talks }) => {
      const kernel = kernelOf(seed);
      const proxy = new ScriptedPlane(kernel, {
        env: { LINKERD2_PROXY_OUTBOUND_PORTS_DISABLE_PROTOCOL_DETECTION: String(OPAQUE_PORT) },
      });
      const splice = kernel.splice.bind(kernel);
      kernel.splice = (...args) => {
        splices += 1;
        return splice(...args);
      };
      const share = Math.floor(affordableBytes(kernel.adversity) / (8 * talks.length));
      const conversations = talks.map((lines, i) => new Conversation(kernel, lines, i + 1, share, proxy));
      proxy.run(() => conversations.every(({ over }) => over));
      proxy.settle();
      for (const one of conversations) one.judge();
      judgeCounts(proxy, conversations);
      kernel.assertNothingOpen();
    }),
    runs(120),
  );
  expect(splices).toBeGreaterThan(0);
}, 600_000);

function judgeCounts({ plane }: ScriptedPlane, conversations: readonly Conversation[]): void {
  if (conversations.some(({ talk: { resets }, server }) => resets !== "nobody" || server === null)) return;
  const requested = conversations.reduce((sum, { request }) => sum + request.length, 0);
  const answered = conversations.reduce((sum, { answer }) => sum + answer.length, 0);
  expect(sumOf(plane, "tcp_read_bytes_total", { peer: "src" })).toBe(requested);
  expect(sumOf(plane, "tcp_write_bytes_total", { peer: "dst" })).toBe(requested);
  expect(sumOf(plane, "tcp_read_bytes_total", { peer: "dst" })).toBe(answered);
  expect(sumOf(plane, "tcp_write_bytes_total", { peer: "src" })).toBe(answered);
  expect(sumOf(plane, "tcp_open_total", { peer: "src" })).toBe(conversations.length);
}

test("a server that speaks first is heard long before detection gives up", () => {
  for (let seed = 0; seed < 20; seed++) {
    const kernel = kernelOf(seed, { latencyMsMax: 1, connectMsMax: 1, socketBufferBytes: [65_536] });
    const proxy = new ScriptedPlane(kernel);
    kernel.onConnect("10.1.0.1:2525", (server) => {
      server.send("220 mail.test ESMTP\r\n");
      server.onEnd = () => server.close();
    });
    const client = proxy.client("inbound", "10.1.0.1:2525");
    const began = kernel.nowMs();
    let heardMs = 0;
    client.onData = () => {
      heardMs = kernel.nowMs();
    };
    proxy.run(() => client.receivedText() === "220 mail.test ESMTP\r\n", 1000);
    expect(heardMs - began).toBeLessThan(50);
    client.end();
    proxy.settle();
    kernel.assertNothingOpen();
  }
});

test("a refused opaque connection ends with a reset, one that is never answered too", () => {
  for (const outcome of ["refuse", "silence"] as const) {
    for (let seed = 0; seed < 10; seed++) {
      const kernel = kernelOf(seed);
      const proxy = new ScriptedPlane(kernel);
      kernel.onConnect("10.1.0.1:5432", outcome);
      const client = proxy.client("outbound", "10.1.0.1:5432");
      client.send(Uint8Array.of(0, 1, 2));
      proxy.run(() => client.finished, 15_000);
      expect([client.ended, client.errno !== 0]).toEqual([false, true]);
      proxy.settle();
      const cause = outcome === "refuse" ? "connect-refused" : "connect-timeout";
      expect(sumOf(proxy.plane, "proxy_failures_total", { direction: "outbound", cause })).toBe(1);
      kernel.assertNothingOpen();
    }
  }
});
