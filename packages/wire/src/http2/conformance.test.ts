import { describe, test } from "bun:test";
import { Flag, FrameType, SettingId } from "./frame.ts";
import { Role } from "./handler.ts";
import { checkAnswer, clientWithRequests, padded, type Row } from "./testing/answers.ts";
import {
  block,
  CLIENT_START,
  data,
  frame,
  GET,
  goAway,
  headers,
  joined,
  OK,
  POST,
  ping,
  rst,
  SERVER_START,
  SETTINGS_ACK,
  settings,
  text,
  uint32,
  windowUpdate,
} from "./testing/frames.ts";
import { EngineUnderTest } from "./testing/peer.ts";

/**
 * RFC 9113 §3 to §8 as a peer sees it, one row a requirement. `want` is what the engine answers: a connection error
 * ("GoAway CODE"), a stream error ("RstStream ID CODE"), other frames, or "" when the bytes are in order.
 */

const EMPTY = new Uint8Array(0);
const GET_HEADERS = headers(1, GET, true);
const POST_HEADERS = headers(1, POST);

const SERVER_ROWS: Row[] = [
  ["§3.4 nothing more than the preface and SETTINGS", EMPTY, ""],
  ["§4.1 a frame of an unknown type", frame(0x50, 0xff, 77, text("anything")), ""],
  ["§4.1 flags without a meaning", frame(FrameType.Ping, 0xfe, 0, text("pingpong")), "Ping ack"],
  ["§4.1 the reserved bit", reservedBit(GET_HEADERS), ""],
  ["§4.2 the largest frame", joined(POST_HEADERS, data(1, new Uint8Array(16_384))), ""],
  [
    "§4.2 DATA larger than MAX_FRAME_SIZE",
    joined(POST_HEADERS, data(1, new Uint8Array(16_385))),
    "GoAway FrameSizeError last 1",
  ],
  [
    "§4.2 HEADERS larger than MAX_FRAME_SIZE",
    frame(FrameType.Headers, 5, 1, new Uint8Array(16_385)),
    "GoAway FrameSizeError last 0",
  ],
  [
    "§4.2 SETTINGS larger than MAX_FRAME_SIZE",
    frame(FrameType.Settings, 0, 0, new Uint8Array(16_386)),
    "GoAway FrameSizeError last 0",
  ],
  [
    "§4.2 an unknown frame larger than MAX_FRAME_SIZE",
    frame(0x50, 0, 0, new Uint8Array(16_385)),
    "GoAway FrameSizeError last 0",
  ],
  [
    "§4.3 a block that does not decode",
    frame(FrameType.Headers, Flag.EndHeaders, 1, Uint8Array.of(0xff, 0xff)),
    "GoAway CompressionError last 0",
  ],
  [
    "§4.3 trailers that do not decode",
    joined(POST_HEADERS, frame(FrameType.Headers, 5, 1, Uint8Array.of(0x80))),
    "GoAway CompressionError last 1",
  ],
  ["§4.3 DATA within a block", joined(openBlock(1), data(1, "x")), "GoAway ProtocolError last 0"],
  [
    "§4.3 PRIORITY within a block",
    joined(openBlock(1), frame(FrameType.Priority, 0, 1, new Uint8Array(5))),
    "GoAway ProtocolError last 0",
  ],
  ["§4.3 an unknown frame within a block", joined(openBlock(1), frame(0x50, 0, 1)), "GoAway ProtocolError last 0"],
  [
    "§4.3 another stream's HEADERS within a block",
    joined(openBlock(1), headers(3, GET)),
    "GoAway ProtocolError last 0",
  ],
  ["§5.1 idle: DATA", data(1, "x"), "GoAway ProtocolError last 0"],
  ["§5.1 idle: RST_STREAM", rst(1, 8), "GoAway ProtocolError last 0"],
  ["§5.1 idle: WINDOW_UPDATE", windowUpdate(1, 1), "GoAway ProtocolError last 0"],
  ["§5.1 idle: CONTINUATION", frame(FrameType.Continuation, 4, 1), "GoAway ProtocolError last 0"],
  ["§5.1 idle: PRIORITY", frame(FrameType.Priority, 0, 9, new Uint8Array(5)), ""],
  ["§5.1 half-closed (remote): DATA", joined(GET_HEADERS, data(1, "x")), "RstStream 1 StreamClosed"],
  ["§5.1 half-closed (remote): HEADERS", joined(GET_HEADERS, headers(1, { a: "b" }, true)), "RstStream 1 StreamClosed"],
  ["§5.1 half-closed (remote): WINDOW_UPDATE", joined(GET_HEADERS, windowUpdate(1, 1)), ""],
  ["§5.1 half-closed (remote): PRIORITY", joined(GET_HEADERS, frame(FrameType.Priority, 0, 1, new Uint8Array(5))), ""],
  ["§5.1 half-closed (remote): RST_STREAM", joined(GET_HEADERS, rst(1, 8)), ""],
  [
    "§5.1 closed by the peer's RST_STREAM: DATA",
    joined(POST_HEADERS, rst(1, 8), data(1, "x")),
    "GoAway StreamClosed last 1",
  ],
  [
    "§5.1 closed by the peer's RST_STREAM: HEADERS",
    joined(POST_HEADERS, rst(1, 8), headers(1, { a: "b" }, true)),
    "GoAway StreamClosed last 1",
  ],
  ["§5.1 closed by the peer's RST_STREAM: RST_STREAM", joined(POST_HEADERS, rst(1, 8), rst(1, 8)), ""],
  ["§5.1 closed by the peer's RST_STREAM: WINDOW_UPDATE", joined(POST_HEADERS, rst(1, 8), windowUpdate(1, 9)), ""],
  [
    "§5.1 closed by the peer's RST_STREAM: PRIORITY",
    joined(POST_HEADERS, rst(1, 8), frame(FrameType.Priority, 0, 1, new Uint8Array(5))),
    "",
  ],
  ["§5.1.1 a client's stream with an even id", headers(2, GET, true), "GoAway ProtocolError last 0"],
  [
    "§5.1.1 a stream id that has been passed over",
    joined(headers(5, GET, true), headers(3, GET, true)),
    "GoAway ProtocolError last 5",
  ],
  [
    "§5.1.1 a stream id used again after its end",
    joined(headers(1, POST), rst(1, 8), headers(1, GET, true)),
    "GoAway StreamClosed last 1",
  ],
  ["§5.1.1 ids may be passed over", joined(headers(1, GET, true), headers(901, GET, true)), ""],
  [
    "§5.3.2 HEADERS that depend on their own stream, which RFC 7540 did not allow",
    frame(
      FrameType.Headers,
      Flag.EndHeaders | Flag.EndStream | Flag.Priority,
      1,
      joined(uint32(1), Uint8Array.of(7), block(GET)),
    ),
    "",
  ],
  ["§5.5 an unknown setting", settings([0xabc, 7]), "Settings ack"],
  ["§6.1 DATA on stream 0", data(0, "x"), "GoAway ProtocolError last 0"],
  [
    "§6.1 padding as long as the payload",
    joined(POST_HEADERS, frame(FrameType.Data, Flag.Padded, 1, Uint8Array.of(1))),
    "GoAway ProtocolError last 1",
  ],
  ["§6.1 padding of all but the pad length", joined(POST_HEADERS, padded(FrameType.Data, 0, 1, 4, EMPTY)), ""],
  [
    "§6.1 padded DATA without room for a pad length",
    joined(POST_HEADERS, frame(FrameType.Data, Flag.Padded, 1)),
    "GoAway FrameSizeError last 1",
  ],
  ["§6.2 HEADERS on stream 0", headers(0, GET), "GoAway ProtocolError last 0"],
  ["§6.2 padded HEADERS", padded(FrameType.Headers, Flag.EndHeaders | Flag.EndStream, 1, 9, block(GET)), ""],
  [
    "§6.2 padding longer than HEADERS",
    frame(FrameType.Headers, 5 | Flag.Padded, 1, joined(Uint8Array.of(250), block(GET))),
    "GoAway ProtocolError last 0",
  ],
  [
    "§6.2 padded HEADERS without room for a pad length",
    frame(FrameType.Headers, 5 | Flag.Padded, 1),
    "GoAway FrameSizeError last 0",
  ],
  [
    "§6.2 HEADERS without room for their priority",
    frame(FrameType.Headers, 5 | Flag.Priority, 1, new Uint8Array(4)),
    "GoAway FrameSizeError last 0",
  ],
  [
    "§6.2 HEADERS with priority and padding",
    frame(
      FrameType.Headers,
      5 | Flag.Priority | Flag.Padded,
      1,
      joined(Uint8Array.of(2), new Uint8Array(5), block(GET), new Uint8Array(2)),
    ),
    "",
  ],
  ["§6.3 PRIORITY on stream 0", frame(FrameType.Priority, 0, 0, new Uint8Array(5)), "GoAway ProtocolError last 0"],
  [
    "§6.3 PRIORITY of a wrong size",
    joined(POST_HEADERS, frame(FrameType.Priority, 0, 1, new Uint8Array(4))),
    "RstStream 1 FrameSizeError",
  ],
  [
    "§5.3.2 PRIORITY that depends on its own stream",
    frame(FrameType.Priority, 0, 1, joined(uint32(1), Uint8Array.of(7))),
    "",
  ],
  [
    "§6.3 PRIORITY of a wrong size on an idle stream",
    frame(FrameType.Priority, 0, 1, new Uint8Array(6)),
    "GoAway FrameSizeError last 0",
  ],
  ["§6.4 RST_STREAM on stream 0", rst(0, 8), "GoAway ProtocolError last 0"],
  [
    "§6.4 RST_STREAM of a wrong size",
    joined(POST_HEADERS, frame(FrameType.RstStream, 0, 1, new Uint8Array(3))),
    "GoAway FrameSizeError last 1",
  ],
  ["§6.5 SETTINGS on a stream", frame(FrameType.Settings, 0, 1), "GoAway ProtocolError last 0"],
  ["§6.5 SETTINGS of a wrong size", frame(FrameType.Settings, 0, 0, new Uint8Array(5)), "GoAway FrameSizeError last 0"],
  [
    "§6.5 an acknowledgement with a payload",
    frame(FrameType.Settings, Flag.Ack, 0, new Uint8Array(6)),
    "GoAway FrameSizeError last 0",
  ],
  ["§6.5 an acknowledgement of nothing", SETTINGS_ACK, ""],
  ["§6.5.2 ENABLE_PUSH 1", settings([SettingId.EnablePush, 1]), "Settings ack"],
  ["§6.5.2 ENABLE_PUSH 2", settings([SettingId.EnablePush, 2]), "GoAway ProtocolError last 0"],
  [
    "§6.5.2 INITIAL_WINDOW_SIZE 2^31",
    settings([SettingId.InitialWindowSize, 0x8000_0000]),
    "GoAway FlowControlError last 0",
  ],
  ["§6.5.2 INITIAL_WINDOW_SIZE 2^31-1", settings([SettingId.InitialWindowSize, 0x7fff_ffff]), "Settings ack"],
  [
    "§6.5.2 MAX_FRAME_SIZE below its minimum",
    settings([SettingId.MaxFrameSize, 16_383]),
    "GoAway ProtocolError last 0",
  ],
  [
    "§6.5.2 MAX_FRAME_SIZE above its maximum",
    settings([SettingId.MaxFrameSize, 0x100_0000]),
    "GoAway ProtocolError last 0",
  ],
  [
    "§6.5.3 values in order, the last counts",
    settings([SettingId.MaxFrameSize, 20_000], [SettingId.MaxFrameSize, 1]),
    "GoAway ProtocolError last 0",
  ],
  [
    "§6.6 PUSH_PROMISE from a client",
    joined(POST_HEADERS, frame(FrameType.PushPromise, 4, 1, joined(uint32(2), block(GET)))),
    "GoAway ProtocolError last 1",
  ],
  ["§6.7 PING", ping(), "Ping ack"],
  ["§6.7 an unexpected answer to a PING", frame(FrameType.Ping, Flag.Ack, 0, text("whatever")), ""],
  ["§6.7 PING on a stream", frame(FrameType.Ping, 0, 1, text("pingpong")), "GoAway ProtocolError last 0"],
  ["§6.7 PING of a wrong size", frame(FrameType.Ping, 0, 0, text("ping")), "GoAway FrameSizeError last 0"],
  ["§6.8 GOAWAY on a stream", frame(FrameType.GoAway, 0, 1, uint32(0, 0)), "GoAway ProtocolError last 0"],
  ["§6.8 GOAWAY too short", frame(FrameType.GoAway, 0, 0, new Uint8Array(7)), "GoAway FrameSizeError last 0"],
  [
    "§6.8 GOAWAY with an unknown code and debug data",
    frame(FrameType.GoAway, 0, 0, joined(uint32(0, 0x1234), text("why"))),
    "",
  ],
  ["§6.8 a second GOAWAY with a lower id", joined(goAway(8, 0), goAway(0, 0)), ""],
  ["§6.8 a second GOAWAY with a higher id", joined(goAway(2, 0), goAway(4, 0)), "GoAway ProtocolError last 0"],
  ["§6.8 requests go on after the client's GOAWAY", joined(POST_HEADERS, goAway(0, 0), data(1, "x", true)), ""],
  [
    "§6.9 WINDOW_UPDATE of a wrong size",
    frame(FrameType.WindowUpdate, 0, 0, new Uint8Array(3)),
    "GoAway FrameSizeError last 0",
  ],
  ["§6.9 WINDOW_UPDATE of 0 on the connection", windowUpdate(0, 0), "GoAway ProtocolError last 0"],
  ["§6.9 WINDOW_UPDATE of 0 on a stream", joined(POST_HEADERS, windowUpdate(1, 0)), "RstStream 1 ProtocolError"],
  ["§6.9.1 the connection's window beyond 2^31-1", windowUpdate(0, 0x7fff_ffff), "GoAway FlowControlError last 0"],
  [
    "§6.9.1 a stream's window beyond 2^31-1",
    joined(POST_HEADERS, windowUpdate(1, 0x7fff_ffff)),
    "RstStream 1 FlowControlError",
  ],
  [
    "§6.9.1 both windows at 2^31-1",
    joined(POST_HEADERS, windowUpdate(0, 0x7fff_0000), windowUpdate(1, 0x7fff_0000)),
    "",
  ],
  [
    "§6.9.2 INITIAL_WINDOW_SIZE moves a window beyond 2^31-1",
    joined(POST_HEADERS, windowUpdate(1, 0x7000_0000), settings([SettingId.InitialWindowSize, 0x7000_0000])),
    "GoAway FlowControlError last 1",
  ],
  ["§6.10 a block in three frames", inParts(1, GET, 3), ""],
  [
    "§6.10 empty HEADERS and CONTINUATION",
    joined(
      frame(FrameType.Headers, Flag.EndStream, 1),
      frame(FrameType.Continuation, 0, 1),
      frame(FrameType.Continuation, Flag.EndHeaders, 1, block(GET)),
    ),
    "",
  ],
  [
    "§6.10 CONTINUATION of another stream",
    joined(openBlock(1), frame(FrameType.Continuation, 4, 3)),
    "GoAway ProtocolError last 0",
  ],
  [
    "§6.10 CONTINUATION on stream 0",
    joined(openBlock(1), frame(FrameType.Continuation, 4, 0)),
    "GoAway ProtocolError last 0",
  ],
  [
    "§6.10 CONTINUATION after a whole block",
    joined(GET_HEADERS, frame(FrameType.Continuation, 4, 1)),
    "GoAway ProtocolError last 1",
  ],
  [
    "§6.10 CONTINUATION after DATA",
    joined(POST_HEADERS, data(1, "x"), frame(FrameType.Continuation, 4, 1)),
    "GoAway ProtocolError last 1",
  ],
];

/** The client has opened stream 1 with POST, 3 with HEAD, 5 with CONNECT; nothing of them has ended. */
const CLIENT_ROWS: Row[] = [
  ["§5.1 idle: HEADERS", headers(7, OK), "GoAway ProtocolError last 0"],
  ["§5.1 idle: DATA", data(7, "x"), "GoAway ProtocolError last 0"],
  ["§5.1 idle: WINDOW_UPDATE", windowUpdate(7, 1), "GoAway ProtocolError last 0"],
  ["§5.1 a stream of the server's", headers(2, OK), "GoAway ProtocolError last 0"],
  ["§5.1 reserved ids: DATA", data(2, "x"), "GoAway ProtocolError last 0"],
  ["§5.1 half-closed (remote): DATA", joined(headers(1, OK, true), data(1, "x")), "RstStream 1 StreamClosed"],
  ["§5.1 closed by the peer's RST_STREAM: HEADERS", joined(rst(1, 8), headers(1, OK)), "GoAway StreamClosed last 0"],
  ["§6.5.2 ENABLE_PUSH 0", settings([SettingId.EnablePush, 0]), "Settings ack"],
  ["§6.5.2 ENABLE_PUSH 1", settings([SettingId.EnablePush, 1]), "GoAway ProtocolError last 0"],
  [
    "§3 of RFC 8441, ENABLE_CONNECT_PROTOCOL 2",
    settings([SettingId.EnableConnectProtocol, 2]),
    "GoAway ProtocolError last 0",
  ],
  [
    "§3 of RFC 8441, ENABLE_CONNECT_PROTOCOL back to 0",
    settings([SettingId.EnableConnectProtocol, 1], [SettingId.EnableConnectProtocol, 0]),
    "GoAway ProtocolError last 0",
  ],
  [
    "§6.6, §8.4 PUSH_PROMISE",
    frame(FrameType.PushPromise, 4, 1, joined(uint32(2), block(GET))),
    "GoAway ProtocolError last 0",
  ],
  ["§6.8 GOAWAY with a growing id", joined(goAway(5, 0), goAway(7, 0)), "GoAway ProtocolError last 0"],
];

describe("a server takes or refuses as RFC 9113 says", () => {
  for (const [name, bytes, want] of SERVER_ROWS) {
    test(name, () => {
      checkAnswer(() => EngineUnderTest.started(Role.Server), bytes, want);
    });
  }
});

describe("a client takes or refuses as RFC 9113 says", () => {
  for (const [name, bytes, want] of CLIENT_ROWS) {
    test(name, () => {
      checkAnswer(clientWithRequests, bytes, want);
    });
  }
});

describe("the preface", () => {
  const rows: [name: string, role: Role, bytes: Uint8Array, want: string][] = [
    ["§3.4 HTTP/1 at a server", Role.Server, text("GET / HTTP/1.1\r\n"), "GoAway ProtocolError last 0"],
    [
      "§3.4 a preface with one byte wrong",
      Role.Server,
      text("PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"),
      "GoAway ProtocolError last 0",
    ],
    [
      "§3.4 no SETTINGS from a client",
      Role.Server,
      joined(CLIENT_START.slice(0, 24), ping()),
      "GoAway ProtocolError last 0",
    ],
    [
      "§3.4 an acknowledgement first",
      Role.Server,
      joined(CLIENT_START.slice(0, 24), SETTINGS_ACK),
      "GoAway ProtocolError last 0",
    ],
    ["§3.4 no SETTINGS from a server", Role.Client, ping(), "GoAway ProtocolError last 0"],
    ["§3.4 GOAWAY in place of a server's SETTINGS", Role.Client, goAway(0, 0), "GoAway ProtocolError last 0"],
    ["§3.4 HTTP/1 at a client", Role.Client, text("HTTP/1.1 400 Bad Request\r\n\r\n"), "GoAway FrameSizeError last 0"],
    [
      "§3.4 a client's requests before the server's SETTINGS are acknowledged",
      Role.Server,
      joined(CLIENT_START.slice(0, 33), GET_HEADERS),
      "Settings ack",
    ],
    ["§3.4 a server's start", Role.Client, SERVER_START, "Settings ack"],
  ];
  for (const [name, role, bytes, want] of rows) {
    test(name, () => {
      const make = (): EngineUnderTest => {
        const engine = new EngineUnderTest(role);
        engine.connection.begin(0);
        engine.sent();
        return engine;
      };
      checkAnswer(make, bytes, want);
    });
  }
});

/** HEADERS without END_HEADERS. */
function openBlock(id: number): Uint8Array {
  return frame(FrameType.Headers, Flag.EndStream, id, block(GET).slice(0, 5));
}

/** A request in HEADERS and `count - 1` CONTINUATION frames. */
function inParts(id: number, fields: Readonly<Record<string, string>>, count: number): Uint8Array {
  const bytes = block(fields);
  const size = Math.ceil(bytes.length / count);
  const frames = Array.from({ length: count }, (_, i) => {
    const type = i === 0 ? FrameType.Headers : FrameType.Continuation;
    const flags = (i === 0 ? Flag.EndStream : 0) | (i === count - 1 ? Flag.EndHeaders : 0);
    return frame(type, flags, id, bytes.slice(i * size, (i + 1) * size));
  });
  return joined(...frames);
}

function reservedBit(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[5] = copy[5]! | 0x80;
  return copy;
}
