import { describe, expect, test } from "bun:test";
import { Flag, FrameType, SettingId } from "./frame.ts";
import { Role } from "./handler.ts";
import { WINDOW_BYTES_MAX } from "./limits.ts";
import type { Http2Stream } from "./stream.ts";
import {
  CLIENT_START,
  data,
  frame,
  framesOf,
  GET,
  headers,
  joined,
  listOf,
  OK,
  POST,
  SETTINGS_ACK,
  settings,
  text,
  windowUpdate,
} from "./testing/frames.ts";
import { EngineUnderTest } from "./testing/peer.ts";

/** A server with requests on these streams, all heads answered. */
function answering(engine: EngineUnderTest, ...ids: number[]): Http2Stream<number>[] {
  engine.receive(joined(...ids.map((id) => headers(id, GET, true))));
  for (const id of ids) engine.connection.sendHead(engine.stream(id), listOf(OK), false);
  engine.sent();
  engine.events();
  return ids.map((id) => engine.stream(id));
}

/** Sends `bytes` of body on a stream now, and the rest whenever it may. Tells how much is left. */
function sender(engine: EngineUnderTest): {
  send: (stream: Http2Stream<number>, bytes: number) => void;
  left: Map<number, number>;
} {
  const left = new Map<number, number>();
  const go = (stream: Http2Stream<number>): void => {
    const rest = left.get(stream.id)!;
    left.set(stream.id, rest - engine.connection.sendData(stream, new Uint8Array(rest), 0, rest, true));
  };
  engine.actions.onWritable = go;
  return {
    left,
    send: (stream, bytes) => {
      left.set(stream.id, bytes);
      go(stream);
    },
  };
}

describe("sending", () => {
  test("stops at the stream's window and goes on with its update (§6.9)", () => {
    const engine = EngineUnderTest.started(
      Role.Server,
      {},
      joined(CLIENT_START, settings([SettingId.InitialWindowSize, 10])),
    );
    const [stream] = answering(engine, 1);
    const { send, left } = sender(engine);
    send(stream!, 25);
    expect(engine.sent()).toEqual(["Data 1 10"]);
    engine.receive(windowUpdate(0, 100));
    expect(engine.sent()).toEqual([]);
    engine.receive(windowUpdate(1, 9));
    expect(engine.sent()).toEqual(["Data 1 9"]);
    engine.receive(windowUpdate(1, 100));
    expect(engine.sent()).toEqual(["Data 1 6 end"]);
    expect(left.get(1)).toBe(0);
    expect(engine.events()).toEqual(["writable 1", "writable 1"]);
  });

  test("one byte at a time when the peer wants it so (§6.9.2)", () => {
    const engine = EngineUnderTest.started(
      Role.Server,
      {},
      joined(CLIENT_START, settings([SettingId.InitialWindowSize, 1])),
    );
    const [stream] = answering(engine, 1);
    sender(engine).send(stream!, 2);
    expect(engine.sent()).toEqual(["Data 1 1"]);
  });

  test("follows changes of the initial window, below zero too (§6.9.2)", () => {
    const engine = EngineUnderTest.started(
      Role.Server,
      {},
      joined(CLIENT_START, settings([SettingId.InitialWindowSize, 100])),
    );
    const [stream] = answering(engine, 1);
    sender(engine).send(stream!, 200);
    expect(engine.sent()).toEqual(["Data 1 100"]);
    engine.receive(settings([SettingId.InitialWindowSize, 50]));
    expect(engine.sent()).toEqual(["Settings ack"]);
    engine.receive(windowUpdate(1, 50));
    expect(engine.sent()).toEqual([]);
    engine.receive(windowUpdate(1, 10));
    expect(engine.sent()).toEqual(["Data 1 10"]);
    engine.receive(settings([SettingId.InitialWindowSize, 5], [SettingId.InitialWindowSize, 70]));
    expect(engine.sent()).toEqual(["Settings ack", "Data 1 20"]);
  });

  test("splits at the peer's frame size (§4.2)", () => {
    const engine = EngineUnderTest.started(Role.Server);
    const [stream] = answering(engine, 1);
    sender(engine).send(stream!, 40_000);
    expect(engine.sent()).toEqual(["Data 1 16384", "Data 1 16384", "Data 1 7232 end"]);
    engine.receive(settings([SettingId.MaxFrameSize, 20_000]));
    engine.receive(headers(3, GET, true));
    engine.connection.sendHead(engine.stream(3), listOf(OK), false);
    engine.sent();
    sender(engine).send(engine.stream(3), 25_000);
    expect(engine.sent()).toEqual(["Data 3 20000", "Data 3 5000 end"]);
  });

  test("splits header blocks at the peer's frame size (§4.3)", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.receive(headers(1, GET, true));
    const fields = listOf({ ...OK, a: "!".repeat(20_000), b: "!".repeat(20_000) });
    engine.connection.sendHead(engine.stream(1), fields, true);
    const bytes = engine.sink.bytes.slice(0, engine.sink.end);
    const frames = framesOf(bytes);
    expect(frames.map(({ type, flags }) => [type, flags])).toEqual([
      [FrameType.Headers, Flag.EndStream],
      [FrameType.Continuation, 0],
      [FrameType.Continuation, Flag.EndHeaders],
    ]);
    const client = EngineUnderTest.started(Role.Client);
    client.connection.openStream(1, listOf(GET), true);
    client.receive(bytes);
    expect(client.events()[0]).toBe(`head 1 :status: 200, a: ${"!".repeat(20_000)}, b: ${"!".repeat(20_000)} end`);
  });

  test("END_STREAM alone passes shut windows and a full sink (§6.9.1)", () => {
    const start = joined(CLIENT_START, settings([SettingId.InitialWindowSize, 0]));
    const engine = EngineUnderTest.started(Role.Server, { outputBytesMax: 1 }, start);
    const [stream] = answering(engine, 1);
    expect(engine.connection.sendData(stream!, text(""), 0, 0, true)).toBe(0);
    expect(engine.sent()).toEqual(["Data 1 0 end"]);
    expect(engine.connection.openStreams).toBe(0);
  });

  test("nobody starves: streams take turns at the connection's window", () => {
    const engine = EngineUnderTest.started(Role.Server, { outputBytesMax: 1 << 20 });
    const streams = answering(engine, 1, 3, 5);
    const { send, left } = sender(engine);
    for (const stream of streams) send(stream, 60_000);
    expect([...left.values()]).toEqual([0, 60_000 - 5535, 60_000]);
    engine.receive(windowUpdate(0, 40_000));
    expect(left.get(5)).toBeLessThan(60_000);
    expect(left.get(3)).toBeLessThan(60_000 - 5535);
    engine.receive(windowUpdate(0, 1 << 20));
    expect([...left.values()]).toEqual([0, 0, 0]);
  });

  test("nobody starves: streams take turns at the room in the sink", () => {
    const engine = EngineUnderTest.started(
      Role.Server,
      { outputBytesMax: 20_000 },
      joined(CLIENT_START, windowUpdate(0, 1 << 20)),
    );
    const streams = answering(engine, 1, 3, 5);
    const { send, left } = sender(engine);
    for (const stream of streams) send(stream, 60_000);
    const order: string[] = [];
    for (let i = 0; i < 20; i++) {
      expect(engine.sink.end).toBeLessThan(20_000 + 4096 + 100);
      order.push(...engine.sent().map((line) => line.split(" ")[1]!));
    }
    expect([...left.values()]).toEqual([0, 0, 0]);
    // In the first turns every stream has had its share.
    expect(new Set(order.slice(0, 6)).size).toBe(3);
  });

  test("one slow reader does not hold back the others", () => {
    const engine = EngineUnderTest.started(Role.Server, {}, joined(CLIENT_START, windowUpdate(0, 1 << 24)));
    const [slow, fast] = answering(engine, 1, 3);
    const { send, left } = sender(engine);
    send(slow!, 100_000);
    expect(left.get(1)).toBeGreaterThan(0);
    engine.sent();
    send(fast!, 30_000);
    engine.sent();
    for (let i = 0; i < 4; i++) engine.sent();
    expect(left.get(3)).toBe(0);
  });

  test("takes nothing while the sink is full, and says when there is room", () => {
    const engine = EngineUnderTest.started(Role.Server, { outputBytesMax: 100 });
    const [stream] = answering(engine, 1);
    expect(engine.connection.sendData(stream!, new Uint8Array(150), 0, 150, false)).toBe(150);
    expect(engine.connection.sendData(stream!, new Uint8Array(10), 0, 10, true)).toBe(0);
    expect(engine.sent()).toEqual(["Data 1 150"]);
    expect(engine.events()).toEqual(["writable 1"]);
    expect(engine.connection.sendData(stream!, new Uint8Array(10), 0, 10, true)).toBe(10);
  });
});

describe("receiving", () => {
  const piece = new Uint8Array(16_000);

  test("gives the connection's window back on arrival, a stream's when consumed (§6.9)", () => {
    const engine = EngineUnderTest.started(Role.Server, { initialConnectionWindowBytes: 65_535 });
    engine.consumes = false;
    engine.receive(joined(headers(1, POST), data(1, piece), data(1, piece)));
    expect(engine.sent()).toEqual([]);
    engine.receive(data(1, piece));
    expect(engine.sent()).toEqual(["WindowUpdate 48000"]);
    engine.connection.consumed(engine.stream(1), 20_000);
    expect(engine.sent()).toEqual([]);
    engine.connection.consumed(engine.stream(1), 28_000);
    expect(engine.sent()).toEqual(["WindowUpdate 1 48000", "Ping"]);
  });

  test("holds the connection's window back when too much lies unconsumed", () => {
    const engine = EngineUnderTest.started(Role.Server, {
      initialConnectionWindowBytes: 65_535,
      unconsumedBytesMax: 60_000,
    });
    engine.consumes = false;
    for (const id of [1, 3, 5]) engine.receive(joined(headers(id, POST), data(id, piece), data(id, piece)));
    expect(engine.connection.unconsumedBytes).toBe(96_000);
    expect(engine.sent()).toEqual(["WindowUpdate 48000"]);
    engine.connection.consumed(engine.stream(3), 32_000);
    expect(engine.sent()).toEqual([]);
    engine.connection.consumed(engine.stream(5), 32_000);
    expect(engine.sent()).toEqual(["WindowUpdate 48000"]);
    engine.connection.reset(engine.stream(1), 8);
    expect(engine.connection.unconsumedBytes).toBe(0);
  });

  test("more than the stream's window is its error, more than the connection's is fatal (§6.9.1)", () => {
    const engine = EngineUnderTest.started(Role.Server, { initialStreamWindowBytes: 20_000 });
    engine.consumes = false;
    engine.receive(joined(headers(1, POST), data(1, piece), data(1, piece)));
    expect(engine.sent()).toEqual(["RstStream 1 FlowControlError"]);
    expect(engine.events().at(-1)).toBe("reset 1 FlowControlError PeerFault");
    expect(engine.connection.unconsumedBytes).toBe(0);
    const other = EngineUnderTest.started(Role.Server, {
      initialConnectionWindowBytes: 65_535,
      initialStreamWindowBytes: 1 << 20,
      unconsumedBytesMax: 0,
    });
    other.consumes = false;
    other.receive(joined(headers(1, POST), ...Array.from({ length: 4 }, () => data(1, piece))));
    expect(other.connection.failed).toBe(false);
    other.receive(data(1, piece));
    expect(other.sent()).toEqual(["GoAway FlowControlError last 1"]);
  });

  test("a smaller window counts from its acknowledgement on (§6.9.3)", () => {
    const engine = new EngineUnderTest(Role.Server, { initialStreamWindowBytes: 1000, adaptiveWindow: false });
    engine.consumes = false;
    engine.connection.begin(0);
    engine.receive(joined(CLIENT_START.slice(0, 33), headers(1, POST), data(1, piece)));
    expect(engine.connection.unconsumedBytes).toBe(16_000);
    engine.sent();
    engine.receive(joined(SETTINGS_ACK, headers(3, POST), data(3, new Uint8Array(1001))));
    expect(engine.sent()).toEqual(["RstStream 3 FlowControlError"]);
    engine.connection.consumed(engine.stream(1), 16_000);
    expect(engine.sent()).toEqual(["WindowUpdate 1 16000"]);
  });

  test("padding is consumed by itself and counts in both windows (§6.9.1)", () => {
    const engine = EngineUnderTest.started(Role.Server, {
      initialConnectionWindowBytes: 65_535,
      adaptiveWindow: false,
    });
    engine.receive(headers(1, POST));
    const padded = frame(FrameType.Data, Flag.Padded, 1, joined(Uint8Array.of(255), text("x"), new Uint8Array(255)));
    for (let i = 0; i < 128; i++) engine.receive(padded);
    expect(engine.sent()).toEqual(["WindowUpdate 32895", "WindowUpdate 1 32895"]);
  });

  test("DATA for streams we have reset is given back to the connection (§5.1)", () => {
    const engine = EngineUnderTest.started(Role.Server, { initialConnectionWindowBytes: 65_535 });
    engine.receive(headers(1, POST));
    engine.connection.reset(engine.stream(1), 8);
    engine.sent();
    engine.receive(joined(data(1, piece), data(1, piece), data(1, piece)));
    expect(engine.sent()).toEqual(["WindowUpdate 48000"]);
    expect(engine.events()).toHaveLength(1);
  });

  test("no window is renewed for a stream whose end has come", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.consumes = false;
    engine.receive(joined(headers(1, POST), data(1, piece), data(1, piece), data(1, piece, true)));
    engine.connection.consumed(engine.stream(1), 48_000);
    expect(engine.sent()).toEqual([]);
  });
});

describe("adaptive windows", () => {
  /** What the peer may have sent on stream 1 in all, by the updates seen. */
  function fill(engine: EngineUnderTest, rounds: number, answersPings: boolean): number {
    let window = 65_535;
    let granted = window;
    engine.receive(headers(1, POST));
    for (let i = 0; i < rounds; i++) {
      while (window > 0) {
        const size = Math.min(window, 16_384);
        engine.receive(data(1, new Uint8Array(size)));
        window -= size;
      }
      const frames = framesOf(engine.sink.take());
      engine.connection.drained();
      for (const one of frames) {
        if (one.type === FrameType.WindowUpdate && one.id === 1) {
          const more = new DataView(one.payload.buffer).getUint32(0);
          window += more;
          granted = Math.max(granted, window);
        } else if (one.type === FrameType.Ping && answersPings) {
          engine.receive(frame(FrameType.Ping, Flag.Ack, 0, one.payload));
        }
      }
    }
    return granted;
  }

  test("grow when a peer uses all of them in a round trip", () => {
    const engine = EngineUnderTest.started(Role.Server);
    const granted = fill(engine, 40, true);
    expect(granted).toBeGreaterThan(WINDOW_BYTES_MAX / 2);
    expect(granted).toBeLessThanOrEqual(WINDOW_BYTES_MAX);
    expect(engine.connection.failed).toBe(false);
  });

  test("stay when they are not wanted", () => {
    expect(fill(EngineUnderTest.started(Role.Server, { adaptiveWindow: false }), 20, true)).toBe(65_535);
    expect(fill(EngineUnderTest.started(Role.Server), 20, false)).toBe(65_535);
  });

  test("stay when the reader does not keep up, and small bodies bring no PING", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.receive(headers(1, POST));
    for (let i = 0; i < 20; i++)
      engine.receive(joined(headers(3 + 2 * i, POST), data(3 + 2 * i, new Uint8Array(30_000), true)));
    expect(engine.sent().filter((line) => line === "Ping")).toEqual([]);
  });
});
