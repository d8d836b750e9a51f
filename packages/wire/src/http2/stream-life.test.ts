import { describe, expect, test } from "bun:test";
import { ErrorCode, Flag, FrameType, SettingId } from "./frame.ts";
import { Role } from "./handler.ts";
import {
  block,
  data,
  frame,
  framesOf,
  frameText,
  GET,
  goAway,
  headers,
  joined,
  listOf,
  OK,
  POST,
  ping,
  rst,
  SETTINGS_ACK,
  settings,
  text,
  windowUpdate,
} from "./testing/frames.ts";
import { EngineUnderTest } from "./testing/peer.ts";

function clientWith(requests: number): EngineUnderTest {
  const engine = EngineUnderTest.started(Role.Client);
  for (let i = 0; i < requests; i++) {
    const stream = engine.connection.openStream(i, listOf(POST), false)!;
    engine.streams.set(stream.id, stream);
  }
  engine.sent();
  return engine;
}

describe("a stream that we have reset", () => {
  test("may get any frame that was on its way (§5.1, §5.4.2)", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.receive(headers(1, POST));
    engine.connection.reset(engine.stream(1), ErrorCode.Cancel);
    expect(engine.sent()).toEqual(["RstStream 1 Cancel"]);
    engine.events();
    // The trailers put a field into the table, which must be there afterwards.
    const indexed = joined(Uint8Array.of(0x40, 1), text("t"), Uint8Array.of(1), text("v"));
    engine.receive(joined(data(1, "late"), windowUpdate(1, 5), frame(FrameType.Headers, 5, 1, indexed), rst(1, 8)));
    expect([engine.sent(), engine.events()]).toEqual([[], []]);
    engine.receive(frame(FrameType.Headers, 5, 3, joined(block(GET), Uint8Array.of(0xbe))));
    expect(engine.events()).toEqual(["head 3 :method: GET, :scheme: http, :path: /, :authority: a, t: v end"]);
  });

  test("is forgotten by the engine at once, and resetting it again does nothing", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.receive(headers(1, POST));
    const stream = engine.stream(1);
    engine.connection.reset(stream, ErrorCode.Cancel);
    engine.connection.reset(stream, ErrorCode.Cancel);
    engine.connection.consumed(stream, 0);
    expect(engine.connection.sendData(stream, text("x"), 0, 1, true)).toBe(0);
    expect(engine.sent()).toEqual(["RstStream 1 Cancel"]);
    expect(engine.connection.openStreams).toBe(0);
  });

  test("by a callback in the midst of its DATA gets no more of it", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.actions.onData = (stream) => engine.connection.reset(stream, ErrorCode.Cancel);
    engine.consumes = false;
    const bytes = joined(headers(1, POST), data(1, "0123456789", true), headers(3, GET, true));
    engine.receiveCut(bytes, [bytes.length - headers(3, GET).length - 5]);
    expect(engine.events().slice(1)).toEqual(["data 1 01234", expect.stringContaining("head 3")]);
    expect(engine.connection.unconsumedBytes).toBe(0);
  });
});

describe("a stream with both sides ended", () => {
  test("stays the caller's until all of it is consumed, without counting as open", () => {
    const engine = EngineUnderTest.started(Role.Server, { concurrentStreamsMax: 1 });
    engine.consumes = false;
    engine.receive(joined(headers(1, POST), data(1, "0123456789", true)));
    const first = engine.stream(1);
    engine.connection.sendHead(first, listOf(OK), true);
    expect(engine.connection.openStreams).toBe(0);
    engine.receive(headers(3, GET, true));
    expect(engine.stream(3)).not.toBe(first);
    expect([first.id, first.user]).toEqual([1, 1]);
    engine.connection.consumed(first, 4);
    engine.connection.consumed(first, 6);
    expect(engine.connection.unconsumedBytes).toBe(0);
    engine.connection.sendHead(engine.stream(3), listOf(OK), true);
    engine.receive(new Uint8Array(0));
    engine.receive(headers(5, GET, true));
    engine.connection.sendHead(engine.stream(5), listOf(OK), true);
    // By now its object has been used again.
    expect(engine.stream(5)).toBe(first);
  });

  test("can be given up with bytes unconsumed, without a frame", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.consumes = false;
    engine.receive(joined(headers(1, POST), data(1, "0123456789", true)));
    engine.connection.sendHead(engine.stream(1), listOf(OK), true);
    engine.sent();
    engine.connection.reset(engine.stream(1), ErrorCode.Cancel);
    expect([engine.sent(), engine.connection.unconsumedBytes]).toEqual([[], 0]);
  });

  test("gets STREAM_CLOSED for more DATA, and its caller hears nothing of it (§5.1)", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.consumes = false;
    engine.receive(joined(headers(1, POST), data(1, "0123456789", true)));
    engine.connection.sendHead(engine.stream(1), listOf(OK), true);
    engine.sent();
    engine.events();
    engine.receive(data(1, "more"));
    expect([engine.sent(), engine.events()]).toEqual([["RstStream 1 StreamClosed"], []]);
    engine.connection.consumed(engine.stream(1), 10);
  });

  test("that is over gets a connection error for more DATA or HEADERS (§5.1)", () => {
    for (const more of [data(1, "x"), headers(1, { a: "b" }, true)]) {
      const engine = EngineUnderTest.started(Role.Server);
      engine.receive(headers(1, GET, true));
      engine.connection.sendHead(engine.stream(1), listOf(OK), true);
      engine.sent();
      engine.receive(joined(windowUpdate(1, 1), rst(1, 0), frame(FrameType.Priority, 0, 1, new Uint8Array(5))));
      expect(engine.sent()).toEqual([]);
      engine.receive(more);
      expect(engine.sent()).toEqual(["GoAway StreamClosed last 1"]);
    }
  });
});

describe("a request whose stream ends early", () => {
  test("by the server tells why", () => {
    const engine = clientWith(4);
    engine.receive(joined(rst(1, ErrorCode.RefusedStream), rst(3, ErrorCode.Cancel), rst(5, 0xdead)));
    engine.receive(joined(headers(7, OK, true), rst(7, ErrorCode.NoError)));
    expect(engine.events()).toEqual([
      "reset 1 RefusedStream Unprocessed",
      "reset 3 Cancel Peer",
      "reset 5 57005 Peer",
      "head 7 :status: 200 end",
      "reset 7 NoError Peer",
    ]);
  });

  test("by GOAWAY is unprocessed above its id only (§6.8)", () => {
    const engine = clientWith(3);
    engine.receive(goAway(1, ErrorCode.NoError));
    expect(engine.events()).toEqual([
      "reset 3 RefusedStream Unprocessed",
      "reset 5 RefusedStream Unprocessed",
      "goaway NoError last 1",
    ]);
    expect([engine.connection.canOpen, engine.connection.goingAway, engine.connection.finished]).toEqual([
      false,
      true,
      false,
    ]);
    expect(engine.connection.openStream(9, listOf(GET), true)).toBeNull();
    engine.receive(headers(1, OK, true));
    engine.connection.sendData(engine.stream(1), text(""), 0, 0, true);
    expect(engine.connection.finished).toBe(true);
  });

  test("by the end of the transport is lost, once", () => {
    const engine = clientWith(2);
    engine.receive(headers(3, OK, true));
    engine.connection.sendData(engine.stream(3), text(""), 0, 0, true);
    engine.events();
    engine.connection.lost();
    engine.connection.lost();
    expect(engine.events()).toEqual(["reset 1 InternalError ConnectionLost"]);
    expect([engine.connection.openStreams, engine.connection.canOpen]).toEqual([0, false]);
  });

  test("by its client's going away is cancelled", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.receive(headers(1, GET, true));
    engine.connection.lost();
    expect(engine.events().at(-1)).toBe("reset 1 Cancel ConnectionLost");
  });

  test("by a connection error is lost when the owner says so", () => {
    const engine = clientWith(1);
    engine.receive(ping("short"));
    expect([engine.connection.failed, engine.connection.errorReason]).toEqual([true, "PING of a wrong size"]);
    expect(engine.events()).toEqual([]);
    engine.connection.lost();
    expect(engine.events()).toEqual(["reset 1 InternalError ConnectionLost"]);
  });
});

describe("the number of streams", () => {
  test("a server refuses more than it allows (§5.1.2), and takes more when some have ended", () => {
    const engine = EngineUnderTest.started(Role.Server, { concurrentStreamsMax: 2 });
    engine.receive(joined(headers(1, GET, true), headers(3, GET, true), headers(5, GET, true)));
    expect(engine.sent()).toEqual(["RstStream 5 RefusedStream"]);
    engine.connection.sendHead(engine.stream(1), listOf(OK), true);
    engine.receive(headers(7, GET, true));
    expect(engine.connection.openStreams).toBe(2);
  });

  test("a client opens as many as the server allows, and hears when there is room", () => {
    const engine = EngineUnderTest.started(
      Role.Client,
      {},
      joined(settings([SettingId.MaxConcurrentStreams, 2]), SETTINGS_ACK),
    );
    const [a, b] = [1, 2].map((n) => engine.connection.openStream(n, listOf(GET), true)!);
    expect([engine.connection.canOpen, engine.connection.openStream(3, listOf(GET), true)]).toEqual([false, null]);
    expect([a!.user, b!.user]).toEqual([1, 2]);
    engine.receive(headers(1, OK, true));
    expect(engine.events()).toEqual(["head 1 :status: 200 end", "room"]);
    engine.connection.openStream(3, listOf(GET), true);
    engine.receive(settings([SettingId.MaxConcurrentStreams, 3]));
    expect(engine.events()).toEqual(["room"]);
    engine.receive(settings([SettingId.MaxConcurrentStreams, 0]));
    expect(engine.connection.canOpen).toBe(false);
    engine.connection.reset(b!, ErrorCode.Cancel);
    engine.sent();
    expect(engine.events()).toEqual([]);
  });

  test("before it has seen SETTINGS a client opens a hundred, without any limit in them as many as it likes", () => {
    const engine = new EngineUnderTest(Role.Client);
    engine.connection.begin(0);
    for (let i = 0; i < 200; i++) engine.connection.openStream(i, listOf(GET), true);
    expect(engine.connection.openStreams).toBe(100);
    engine.receive(settings());
    for (let i = 0; i < 2000; i++) engine.connection.openStream(i, listOf(GET), true);
    expect(engine.connection.openStreams).toBe(2100);
  });

  test("ten thousand streams at once are found again, in whatever order they end", () => {
    const engine = clientWith(0);
    for (let i = 0; i < 10_000; i++) engine.connection.openStream(i, listOf(GET), true);
    for (let i = 0; i < 10_000; i++) engine.receive(headers((((i * 7919) % 10_000) << 1) + 1, OK, true));
    expect([engine.connection.openStreams, engine.connection.errorReason]).toEqual([0, ""]);
    expect(engine.events()).toHaveLength(10_000);
  });

  test("a server may reset as many as it likes", () => {
    const engine = EngineUnderTest.started(Role.Client);
    for (let i = 0; i < 5000; i++) {
      engine.connection.openStream(i, listOf(GET), true);
      engine.receive(rst((i << 1) + 1, ErrorCode.RefusedStream));
    }
    expect([engine.connection.openStreams, engine.connection.errorReason]).toEqual([0, ""]);
  });
});

describe("going away", () => {
  test("gracefully: two GOAWAYs, and requests between them are taken (§6.8)", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.receive(headers(1, GET, true));
    engine.connection.drain();
    const frames = framesOf(engine.sink.take());
    expect(frames.map(frameText)).toEqual(["GoAway NoError last 2147483647", "Ping"]);
    engine.receive(headers(3, GET, true));
    engine.receive(frame(FrameType.Ping, Flag.Ack, 0, frames[1]!.payload));
    expect(engine.sent()).toEqual(["GoAway NoError last 3"]);
    engine.receive(headers(5, GET, true));
    expect(engine.events()).toHaveLength(2);
    expect([engine.sent(), engine.connection.finished]).toEqual([[], false]);
    for (const id of [1, 3]) engine.connection.sendHead(engine.stream(id), listOf(OK), true);
    expect([engine.connection.finished, engine.connection.failed]).toEqual([true, false]);
    engine.connection.drain();
    expect(engine.sent()).toEqual(["Headers 1 end", "Headers 3 end"]);
  });

  test("at once: the open streams may end", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.receive(headers(7, POST));
    engine.connection.goAway(ErrorCode.EnhanceYourCalm);
    engine.receive(joined(headers(9, GET, true), data(9, "x"), data(7, "y", true)));
    expect(engine.sent()).toEqual(["GoAway EnhanceYourCalm last 7"]);
    expect(engine.events().at(-1)).toBe("data 7 y end");
    // A request that was under way then, whatever it ends with.
    engine.receive(joined(headers(11, POST), data(11, "x"), headers(11, [["x-sum", "1"]], true)));
    expect([engine.sent(), engine.connection.failed]).toEqual([[], false]);
    // A connection error later does not take the promise back.
    engine.receive(ping("short"));
    expect(engine.sent()).toEqual(["GoAway FrameSizeError last 7"]);
  });

  test("a client just opens no more", () => {
    const engine = clientWith(1);
    engine.connection.drain();
    expect(engine.sent()).toEqual(["GoAway NoError last 0"]);
    expect([engine.connection.canOpen, engine.connection.finished]).toEqual([false, false]);
    engine.receive(headers(1, OK, true));
    engine.connection.sendData(engine.stream(1), text(""), 0, 0, true);
    expect(engine.connection.finished).toBe(true);
  });
});

describe("a connection object", () => {
  test("answers its owner's PING and no one else's", () => {
    const engine = EngineUnderTest.started(Role.Client);
    engine.connection.ping();
    engine.connection.ping();
    const frames = framesOf(engine.sink.take());
    expect(frames.map(frameText)).toEqual(["Ping"]);
    engine.receive(frame(FrameType.Ping, Flag.Ack, 0, text("bowline\u0002")));
    expect(engine.events()).toEqual([]);
    engine.receive(frame(FrameType.Ping, Flag.Ack, 0, frames[0]!.payload));
    expect(engine.events()).toEqual(["pong"]);
  });

  test("can be used for another connection", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.receive(joined(headers(1, GET, true), ping("short")));
    engine.connection.restart();
    engine.sink.take();
    engine.connection.begin(engine.nowMs);
    engine.receive(joined(text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings(), headers(1, GET, true)));
    expect(engine.events()).toHaveLength(2);
    expect([engine.connection.failed, engine.connection.openStreams]).toEqual([false, 1]);
  });

  test("tells whether the server takes extended CONNECT (RFC 8441 §3)", () => {
    const engine = EngineUnderTest.started(Role.Client);
    expect(engine.connection.peerConnectProtocol).toBe(false);
    engine.receive(settings([SettingId.EnableConnectProtocol, 1]));
    expect(engine.connection.peerConnectProtocol).toBe(true);
  });
});
