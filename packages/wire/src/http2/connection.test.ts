import { describe, expect, test } from "bun:test";
import { Role } from "./handler.ts";
import { CLIENT_START, data, headers, joined, listOf, OK, POST, text } from "./testing/frames.ts";
import { EngineUnderTest } from "./testing/peer.ts";

const HEAD_TEXT = ":method: GET, :scheme: http, :path: /, :authority: a";

describe("a server", () => {
  test("opens with its settings and answers the client's", () => {
    const engine = new EngineUnderTest(Role.Server);
    engine.connection.begin(0);
    expect(engine.sent()).toEqual(["Settings", "WindowUpdate 983041"]);
    engine.receive(CLIENT_START);
    expect(engine.sent()).toEqual(["Settings ack"]);
    expect(engine.connection.prefaceSeen && engine.connection.settingsSeen).toBe(true);
  });

  test("gets a request and answers it", () => {
    const engine = EngineUnderTest.started(Role.Server);
    engine.receive(joined(headers(1, POST), data(1, "hello "), data(1, "you", true)));
    expect(engine.events()).toEqual([`head 1 ${HEAD_TEXT.replace("GET", "POST")}`, "data 1 hello ", "data 1 you end"]);
    const stream = engine.stream(1);
    engine.connection.sendHead(stream, listOf({ ":status": "100" }), false);
    engine.connection.sendHead(stream, listOf(OK), false);
    expect(engine.connection.sendData(stream, text("response"), 0, 8, false)).toBe(8);
    expect(engine.connection.openStreams).toBe(1);
    engine.connection.sendTrailers(stream, listOf({ "grpc-status": "0" }));
    expect(engine.connection.openStreams).toBe(0);
    expect(engine.sent()).toEqual(["Headers 1", "Headers 1", "Data 1 8", "Headers 1 end"]);
  });
});

describe("a client", () => {
  test("sends requests and gets interim and final responses", () => {
    const engine = EngineUnderTest.started(Role.Client);
    const stream = engine.connection.openStream(7, listOf(POST), false)!;
    expect(stream.id).toBe(1);
    expect(engine.connection.sendData(stream, text("body"), 0, 4, true)).toBe(4);
    expect(engine.sent()).toEqual(["Headers 1", "Data 1 4 end"]);
    engine.receive(headers(1, { ":status": "103" }));
    engine.receive(joined(headers(1, OK), data(1, "abc"), headers(1, { "grpc-status": "0" }, true)));
    expect(engine.events()).toEqual([
      "head 1 :status: 103",
      "head 1 :status: 200",
      "data 1 abc",
      "trailers 1 grpc-status: 0",
    ]);
    expect(engine.connection.openStreams).toBe(0);
  });
});
