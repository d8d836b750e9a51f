import { describe, expect, test } from "bun:test";
import { ErrorCode, Flag, FrameType, SettingId } from "./frame.ts";
import { Role } from "./handler.ts";
import {
  CONTINUATIONS_MAX,
  EMPTIES_PER_EXCHANGE,
  EMPTY_FRAMES,
  OVERHEAD_FRAMES,
  PREFACE_MS_MAX,
  REPLY_BYTES_MAX,
  SETTINGS_ACK_MS_MAX,
  SLIVER_COST,
} from "./limits.ts";
import {
  block,
  data,
  frame,
  GET,
  headers,
  joined,
  listOf,
  OK,
  POST,
  ping,
  rst,
  settings,
  text,
  windowUpdate,
} from "./testing/frames.ts";
import { EngineUnderTest } from "./testing/peer.ts";

const STREAMS = 256;

describe("a header block that does not end", () => {
  test("is cut off by the number of its CONTINUATION frames", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.receive(frame(FrameType.Headers, 0, 1, block(GET)));
    let frames = 0;
    while (!engine.connection.failed && frames < 1000) {
      engine.receive(frame(FrameType.Continuation, 0, 1, Uint8Array.of(0x82)));
      frames++;
    }
    expect(frames).toBe(CONTINUATIONS_MAX + 1);
    expect(engine.sent()).toEqual(["GoAway EnhanceYourCalm last 0"]);
  });

  test("is cut off by its size, and no more than that is kept", () => {
    const engine = EngineUnderTest.started(Role.Server, { headerListBytesMax: 20_000 });
    engine.receive(frame(FrameType.Headers, 0, 1, new Uint8Array(16_000)));
    engine.receive(frame(FrameType.Continuation, 0, 1, new Uint8Array(16_000)));
    expect(engine.connection.failed).toBe(false);
    engine.receive(frame(FrameType.Continuation, 0, 1, new Uint8Array(16_000)));
    expect(engine.connection.errorReason).toBe("header block too large");
  });

  test("with empty CONTINUATION frames over and over ends by the count of empty frames", () => {
    const engine = EngineUnderTest.started(Role.Server);
    let blocks = 0;
    for (; blocks < 1000 && !engine.connection.failed; blocks++) {
      const id = blocks * 2 + 1;
      const empties = Array.from({ length: 20 }, () => frame(FrameType.Continuation, 0, id));
      engine.receive(
        joined(frame(FrameType.Headers, 1, id), ...empties, frame(FrameType.Continuation, 4, id, block(GET))),
      );
      const stream = engine.streams.get(id);
      if (stream !== undefined) engine.connection.sendHead(stream, listOf(OK), true);
      engine.sent();
    }
    expect(engine.connection.errorReason).toBe("too many empty frames");
    expect(blocks).toBe(Math.ceil(EMPTY_FRAMES.burst / (21 - EMPTIES_PER_EXCHANGE)));
  });
});

describe("header bombs", () => {
  /** RFC 7541: one field of 4000 bytes in the table, then references to it of one byte each. */
  test("by indexed references are answered with 431 and cost the peer more than us", () => {
    const engine = EngineUnderTest.started(Role.Server);
    const value = "x".repeat(3900);
    const literal = joined(Uint8Array.of(0x40, 1), text("a"), Uint8Array.of(0x7f, 0xbd, 0x1d), text(value));
    const references = new Uint8Array(12_000).fill(0xbe);
    const bomb = joined(block(GET), literal, references);
    engine.receive(frame(FrameType.Headers, Flag.EndHeaders | Flag.EndStream, 1, bomb));
    expect(engine.sent()).toEqual(["Headers 1 end"]);
    expect(engine.events()).toEqual([]);
    // The table is in step: what the bomb put there can be used.
    engine.receive(frame(FrameType.Headers, 5, 3, joined(block(GET), Uint8Array.of(0xbe))));
    expect(engine.events()[0]).toContain(`a: ${value}`);
  });

  test("a large head whose body is to come is answered, and the client told to stop", () => {
    const engine = EngineUnderTest.started(Role.Server, { headerListBytesMax: 1000 });
    engine.receive(headers(1, { ...POST, a: "x".repeat(1000) }));
    expect(engine.sent()).toEqual(["Headers 1 end", "RstStream 1 NoError"]);
    engine.receive(joined(data(1, "more"), headers(1, { b: "c" }, true)));
    expect(engine.sent()).toEqual([]);
    expect(engine.connection.failed).toBe(false);
  });

  test("trailers and responses that are too large reset their stream", () => {
    const large = { a: "x".repeat(1000) };
    const server = EngineUnderTest.started(Role.Server, { headerListBytesMax: 1000 });
    server.receive(joined(headers(1, POST), headers(1, large, true)));
    expect(server.sent()).toEqual(["RstStream 1 EnhanceYourCalm"]);
    expect(server.events().at(-1)).toBe("reset 1 EnhanceYourCalm PeerFault");
    const client = EngineUnderTest.started(Role.Client, { headerListBytesMax: 1000 });
    client.connection.openStream(1, listOf(GET), true);
    client.sent();
    client.receive(headers(1, { ...OK, ...large }));
    expect(client.sent()).toEqual(["RstStream 1 EnhanceYourCalm"]);
  });
});

describe("a peer that does not read", () => {
  test("cannot pile up answers", () => {
    const engine = EngineUnderTest.started(Role.Server);
    for (let i = 0; i < 100_000 && !engine.connection.failed; i++) {
      engine.nowMs += 1000;
      engine.receive(ping());
    }
    expect(engine.connection.errorReason).toBe("answers pile up unread");
    expect(engine.sink.end).toBeLessThan(REPLY_BYTES_MAX + 100);
  });

  test("makes its connection congested by responses", () => {
    const engine = EngineUnderTest.started(Role.Server, { outputBytesMax: 1000 });
    let id = 1;
    for (; !engine.connection.congested && id < 10_000; id += 2) {
      engine.receive(headers(id, GET, true));
      engine.connection.sendHead(engine.stream(id), listOf({ ...OK, a: "x".repeat(100) }), true);
    }
    expect(engine.sink.end).toBeLessThan(4200);
    engine.sent();
    expect(engine.connection.congested).toBe(false);
  });

  test("cannot hold a stream for ever with a shut window", () => {
    const engine = EngineUnderTest.started(Role.Server, {}, joined(start(0)));
    engine.receive(headers(1, GET, true));
    const stream = engine.stream(1);
    engine.connection.sendHead(stream, listOf(OK), false);
    expect(engine.connection.sendData(stream, text("hello"), 0, 5, true)).toBe(0);
    engine.sent();
    engine.connection.checkStalled(0, 30_000);
    engine.connection.checkStalled(29_999, 30_000);
    expect(engine.sent()).toEqual([]);
    engine.connection.checkStalled(30_000, 30_000);
    expect(engine.sent()).toEqual(["RstStream 1 EnhanceYourCalm"]);
    expect(engine.events().at(-1)).toBe("reset 1 EnhanceYourCalm PeerFault");
    expect(engine.connection.openStreams).toBe(0);
  });

  test("cannot hold a stream by a few bytes now and then", () => {
    const engine = EngineUnderTest.started(Role.Server, {}, start(0));
    engine.receive(headers(1, GET, true));
    const stream = engine.stream(1);
    engine.connection.sendHead(stream, listOf(OK), false);
    let sent = 0;
    const body = new Uint8Array(100_000);
    const send = (): void => {
      sent += engine.connection.sendData(stream, body, sent, body.length, true);
    };
    engine.actions.onWritable = send;
    send();
    let seconds = 0;
    for (; seconds < 1000 && engine.connection.openStreams > 0; seconds++) {
      engine.receive(windowUpdate(1, 10));
      engine.connection.checkStalled(seconds * 1000, 30_000);
      engine.sent();
    }
    expect(seconds).toBe(31);
    expect(engine.connection.failed).toBe(false);
  });

  test("ends its connection when the window of all streams stays shut", () => {
    const engine = EngineUnderTest.started(Role.Server, {}, start(1 << 20));
    engine.receive(headers(1, GET, true));
    const stream = engine.stream(1);
    engine.connection.sendHead(stream, listOf(OK), false);
    const body = new Uint8Array(200_000);
    let sent = engine.connection.sendData(stream, body, 0, body.length, true);
    engine.actions.onWritable = () => {
      sent += engine.connection.sendData(stream, body, sent, body.length, true);
    };
    engine.sent();
    engine.sent();
    expect(sent).toBe(65_535);
    engine.connection.checkStalled(0, 30_000);
    engine.connection.checkStalled(30_000, 30_000);
    expect(engine.connection.errorReason).toBe("the connection's window stays shut");
  });

  test("keeps its connection while it reads slowly, all streams together", () => {
    const engine = EngineUnderTest.started(Role.Server, {}, start(1 << 20));
    engine.receive(headers(1, GET, true));
    const stream = engine.stream(1);
    engine.connection.sendHead(stream, listOf(OK), false);
    const body = new Uint8Array(400_000);
    let sent = 0;
    const send = (): void => {
      sent += engine.connection.sendData(stream, body, sent, body.length, true);
    };
    engine.actions.onWritable = send;
    send();
    for (let seconds = 0; seconds < 100; seconds++) {
      engine.receive(windowUpdate(0, 100));
      engine.sent();
      engine.connection.checkStalled(seconds * 1000, 30_000);
    }
    expect(engine.connection.errorReason).toBe("");
    expect(sent).toBe(65_535 + 100 * 100);
  });

  test("pays for making us write DATA frames of a byte", () => {
    const engine = EngineUnderTest.started(Role.Server, {}, start(0));
    engine.receive(headers(1, GET, true));
    const stream = engine.stream(1);
    engine.connection.sendHead(stream, listOf(OK), false);
    let sent = 0;
    const body = new Uint8Array(100_000);
    engine.actions.onWritable = () => {
      sent += engine.connection.sendData(stream, body, sent, body.length, true);
    };
    engine.connection.sendData(stream, body, 0, body.length, true);
    while (!engine.connection.failed && sent < 50_000) {
      engine.receive(windowUpdate(1, 1));
      if (!engine.connection.failed) engine.sent();
    }
    expect(engine.connection.errorReason).toBe("windows opened by too few bytes");
    expect(sent).toBeWithin(900, Math.ceil(OVERHEAD_FRAMES.burst / SLIVER_COST) + 10);
  });
});

describe("a slow opening", () => {
  test("of the preface ends the connection", () => {
    const engine = new EngineUnderTest(Role.Server);
    engine.connection.begin(5000);
    engine.receive(text("PRI * HT"));
    engine.connection.checkOpening(5000 + PREFACE_MS_MAX - 1);
    expect(engine.connection.failed).toBe(false);
    engine.connection.checkOpening(5000 + PREFACE_MS_MAX);
    expect([engine.connection.errorCode, engine.connection.errorReason]).toEqual([1, "no preface in time"]);
  });

  test("with no acknowledgement of our SETTINGS ends the connection", () => {
    const engine = new EngineUnderTest(Role.Client);
    engine.connection.begin(0);
    engine.receive(settings());
    engine.connection.checkOpening(PREFACE_MS_MAX + SETTINGS_ACK_MS_MAX - 1);
    expect(engine.connection.failed).toBe(false);
    engine.connection.checkOpening(PREFACE_MS_MAX + SETTINGS_ACK_MS_MAX);
    expect(engine.connection.errorCode).toBe(ErrorCode.SettingsTimeout);
  });
});

describe("stream ids that run out", () => {
  test("make a server ask for a new connection while there are some left", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.receive(headers(0x7fff_ffff - 2000, GET, true));
    expect(engine.sent()).toEqual([]);
    engine.receive(headers(0x7fff_ffff - 1998, GET, true));
    expect(engine.sent()).toEqual(["GoAway NoError last 2147483647", "Ping"]);
    engine.receive(headers(0x7fff_ffff, GET, true));
    expect(engine.events()).toHaveLength(3);
    expect(engine.connection.failed).toBe(false);
  });
});

describe("what honest peers do", () => {
  test("a gRPC client that measures its bandwidth all the time", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.receive(headers(1, POST));
    for (let i = 0; i < 20_000; i++) {
      engine.receive(joined(data(1, "x".repeat(100)), ping(), windowUpdate(0, 5), windowUpdate(1, 5)));
      engine.sink.end = 0;
      engine.connection.drained();
    }
    expect(engine.connection.errorReason).toBe("");
  });

  test("a client that gives up on half of its requests", () => {
    const engine = EngineUnderTest.started(Role.Server);
    for (let id = 1; id < 20_000; id += 4) {
      engine.receive(joined(headers(id, GET, true), headers(id + 2, GET, true), rst(id + 2, ErrorCode.Cancel)));
      engine.connection.sendHead(engine.stream(id), listOf(OK), true);
      engine.sent();
      engine.events();
    }
    expect(engine.connection.errorReason).toBe("");
  });

  test("a client that cancels all of its 10,000 streams at once", () => {
    const engine = EngineUnderTest.started(Role.Server, { concurrentStreamsMax: 10_000 });
    for (let i = 0; i < 10_000; i++) engine.receive(headers(i * 2 + 1, GET, true));
    expect(engine.connection.openStreams).toBe(10_000);
    for (let i = 0; i < 10_000; i++) engine.receive(rst(i * 2 + 1, ErrorCode.Cancel));
    expect([engine.connection.errorReason, engine.connection.openStreams]).toEqual(["", 0]);
  });

  test("a client that opens thousands of streams before it knows our limit", () => {
    const engine = new EngineUnderTest(Role.Server);
    engine.connection.begin(0);
    engine.receive(start(65_535).slice(0, -9));
    for (let i = 0; i < 5000; i++) engine.receive(headers(i * 2 + 1, GET, true));
    expect([engine.connection.errorReason, engine.connection.openStreams]).toEqual(["", STREAMS]);
    expect(engine.sent().filter((line) => line.endsWith("RefusedStream"))).toHaveLength(5000 - STREAMS);
  });
});

/** A client whose streams start with this window. */
function start(windowBytes: number): Uint8Array {
  const preface = text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  return joined(preface, settings([SettingId.InitialWindowSize, windowBytes]), frame(FrameType.Settings, Flag.Ack, 0));
}
