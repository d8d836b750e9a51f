import { describe, expect, test } from "bun:test";
import { duplexPair } from "node:stream";
import { text } from "node:stream/consumers";
import { rejectionOf } from "@bowline/testkit";
import { ByteTunnel } from "./byte-tunnel.ts";
import { Opcode, WebSocketError, WebSocketFrameParser, webSocketFrame } from "./frame.ts";
import { acceptKey, WebSocketConnection } from "./web-socket.ts";

/** As a client sends it: masked. */
function masked(opcode: number, payload: Uint8Array | string, fin = true): Buffer {
  const frame = webSocketFrame(opcode, Buffer.from(payload as string));
  const head = frame.length - Buffer.from(payload as string).length;
  const mask = Buffer.from([1, 2, 3, 250]);
  frame[0] = (fin ? 0x80 : 0) | opcode;
  frame[1] = frame[1]! | 0x80;
  const body = frame.subarray(head).map((byte, index) => byte ^ mask[index & 3]!);
  return Buffer.concat([frame.subarray(0, head), mask, body]);
}

test("the handshake's answer is the one of RFC 6455 §1.3", () => {
  expect(acceptKey("dGhlIHNhbXBsZSBub25jZQ==")).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

describe("frames", () => {
  test.each([0, 1, 125, 126, 65_535, 65_536])("of %d bytes are read as they were written", (length) => {
    const payload = Buffer.alloc(length, "abc");
    const wire = masked(Opcode.Binary, payload);
    const parser = new WebSocketFrameParser(100_000);
    const cut = Math.min(5, wire.length - 1);
    const frames = [...parser.push(wire.subarray(0, cut)), ...parser.push(wire.subarray(cut))];
    expect(frames).toEqual([{ fin: true, opcode: Opcode.Binary, payload }]);
  });

  test("are the same however the bytes come", () => {
    const wire = Buffer.concat([
      masked(Opcode.Binary, "hello"),
      masked(Opcode.Ping, ""),
      masked(Opcode.Binary, "x".repeat(200)),
    ]);
    const whole = new WebSocketFrameParser(1_000).push(wire);
    expect(whole.length).toBe(3);
    for (let cut = 0; cut <= wire.length; cut++) {
      const parser = new WebSocketFrameParser(1_000);
      expect([...parser.push(wire.subarray(0, cut)), ...parser.push(wire.subarray(cut))]).toEqual(whole);
    }
  });

  const bad = [
    { name: "unmasked", bytes: webSocketFrame(Opcode.Binary, Buffer.from("x")), code: 1002 },
    { name: "with reserved bits", bytes: Buffer.from("c08000000000", "hex"), code: 1002 },
    { name: "too long", bytes: masked(Opcode.Binary, "x".repeat(1_001)), code: 1009 },
  ];
  test.each(bad)("$name are refused with $code", ({ bytes, code }) => {
    const parse = (): unknown => new WebSocketFrameParser(1_000).push(bytes);
    expect(parse).toThrow(WebSocketError);
    expect(parse).toThrow(expect.objectContaining({ closeCode: code }));
  });
});

describe("a connection", () => {
  test("puts messages together, answers pings, and closes when the client does", async () => {
    const [client, server] = duplexPair();
    const socket = new WebSocketConnection(server);
    client.write(masked(Opcode.Binary, "one"));
    client.write(masked(Opcode.Binary, "t", false));
    client.write(masked(Opcode.Ping, "?"));
    client.write(masked(Opcode.Continuation, "wo"));
    client.end(masked(Opcode.Close, Buffer.from([3, 232])));
    const messages: string[] = [];
    for await (const message of socket.messages()) messages.push(message.toString());
    expect(messages).toEqual(["one", "two"]);
    const back = Buffer.concat(await Array.fromAsync(client as AsyncIterable<Buffer>));
    expect(back.toString("hex")).toBe(`8a013f${"8802" + "03e8"}`);
    expect((await rejectionOf(socket.send(Buffer.from("x")))).message).toContain("closed");
  });

  test("ends a message that never ends, even of frames with nothing in them", async () => {
    const [client, server] = duplexPair();
    const socket = new WebSocketConnection(server);
    const frames = Buffer.concat(Array.from({ length: 10_000 }, () => masked(Opcode.Continuation, "", false)));
    client.write(masked(Opcode.Binary, "a", false));
    for (let i = 0; i < 20; i++) client.write(frames);
    client.resume();
    expect(await rejectionOf(Array.fromAsync(socket.messages()))).toMatchObject({ closeCode: 1009 });
  });

  test("tells the client what it did wrong", async () => {
    const [client, server] = duplexPair();
    const socket = new WebSocketConnection(server);
    client.write(webSocketFrame(Opcode.Binary, Buffer.from("not masked")));
    expect(await rejectionOf(Array.fromAsync(socket.messages()))).toBeInstanceOf(WebSocketError);
    const back = Buffer.concat(await Array.fromAsync(client as AsyncIterable<Buffer>));
    expect(back.toString("hex")).toBe("880203ea");
  });
});

test("a tunnel is the bytes of its messages, and closes in order", async () => {
  const [client, server] = duplexPair();
  const tunnel = new ByteTunnel(new WebSocketConnection(server));
  client.write(masked(Opcode.Binary, "ab"));
  client.write(masked(Opcode.Binary, ""));
  client.write(masked(Opcode.Binary, "c"));
  client.end(masked(Opcode.Close, ""));
  tunnel.write("answer");
  expect(await text(tunnel)).toBe("abc");
  tunnel.end();
  const back = Buffer.concat(await Array.fromAsync(client as AsyncIterable<Buffer>));
  expect(back.toString("latin1")).toStartWith("\x82\x06answer\x88\x02");
});
