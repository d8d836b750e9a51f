import { describe, expect, test } from "bun:test";
import { duplexPair } from "node:stream";
import { constants, createDeflate, createInflate } from "node:zlib";
import { rejectionOf, waitFor } from "@bowline/testkit";
import * as fc from "fast-check";
import { SPDY_DICTIONARY } from "./dictionary.ts";
import {
  dataFrame,
  type Frame,
  FrameParser,
  goAwayFrame,
  pingFrame,
  resetFrame,
  synReplyFrame,
  synStreamFrame,
} from "./frame.ts";
import { HeaderDecoder, HeaderEncoder } from "./header-block.ts";
import { type OnStream, SpdyConnection } from "./spdy-connection.ts";
import type { SpdyStream } from "./spdy-stream.ts";

/** What spdystream compresses with: one compressor, flushed after every block. */
function goLikeDeflate(): (headers: Record<string, string>) => Promise<Buffer> {
  const deflate = createDeflate({ dictionary: SPDY_DICTIONARY, flush: constants.Z_SYNC_FLUSH });
  return async (headers) => {
    const parts = Object.entries(headers).flat();
    const bytes = [uint32(parts.length / 2), ...parts.flatMap((part) => [uint32(part.length), Buffer.from(part)])];
    const compressed: Buffer[] = [];
    const take = (chunk: Buffer): void => void compressed.push(chunk);
    deflate.on("data", take);
    await new Promise((resolve) => deflate.write(Buffer.concat(bytes), resolve));
    deflate.off("data", take);
    return Buffer.concat(compressed);
  };
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

test("the dictionary is the one whose checksum every SPDY/3 peer sends", async () => {
  expect(SPDY_DICTIONARY.length).toBe(1423);
  const block = await goLikeDeflate()({});
  expect(block.subarray(2, 6).toString("hex")).toBe("e3c6a7c2");
});

describe("headers", () => {
  test("come out of one decompressor, block after block", async () => {
    const compress = goLikeDeflate();
    const decoder = new HeaderDecoder();
    for (const headers of [
      { streamtype: "error", port: "8080", requestid: "0" },
      { streamtype: "data", port: "8080" },
      {},
    ]) {
      expect(Object.fromEntries(await decoder.decode(await compress(headers)))).toEqual(headers);
    }
    decoder.close();
  });

  test("that we write are read by zlib as far as each block goes", async () => {
    const inflate = createInflate({ dictionary: SPDY_DICTIONARY, flush: constants.Z_SYNC_FLUSH });
    let plain = Buffer.alloc(0);
    inflate.on("data", (chunk: Buffer) => {
      plain = Buffer.concat([plain, chunk]);
    });
    const encoder = new HeaderEncoder();
    const encode = async (headers: Record<string, string>): Promise<string> => {
      const block = encoder.encode(new Map(Object.entries(headers)));
      // Go's decompressor gives out what it has at an empty stored block only.
      expect(block.subarray(-5).toString("hex")).toBe("000000ffff");
      plain = Buffer.alloc(0);
      await new Promise((resolve) => inflate.write(block, resolve));
      return plain.toString("hex");
    };
    expect(await encode({})).toBe("00000000");
    expect(await encode({ a: "b" })).toBe("00000001000000016100000001" + "62");
    expect(await encode({})).toBe("00000000");
  });

  test("that are none, too long, or end too early are refused", async () => {
    expect((await rejectionOf(new HeaderDecoder().decode(Buffer.from("nonsense, and long")))).message).toBeTruthy();
    const long = await goLikeDeflate()({ a: "x".repeat(100_000) });
    expect((await rejectionOf(new HeaderDecoder().decode(long))).message).toContain("too long");
    const cut = Buffer.concat([new HeaderEncoder().encode().subarray(0, 6), Buffer.from("000400fbff00000005", "hex")]);
    expect((await rejectionOf(new HeaderDecoder().decode(cut))).message).toContain("too early");
  });
});

describe("frames", () => {
  const wire = Buffer.concat([
    synStreamFrame(1, Buffer.from("headers")),
    dataFrame(1, Buffer.from("hello"), false),
    dataFrame(1, Buffer.alloc(0), true),
    synReplyFrame(2, Buffer.from("reply")),
    resetFrame(3, 5),
    pingFrame(7),
    Buffer.from("8003000900000008000000010000ffff", "hex"),
    goAwayFrame(1),
  ]);
  const want = [
    { kind: "open", streamId: 1, fin: false, headers: Buffer.from("headers") },
    { kind: "data", streamId: 1, fin: false, bytes: Buffer.from("hello") },
    { kind: "data", streamId: 1, fin: true, bytes: Buffer.alloc(0) },
    { kind: "headers", streamId: 2, fin: false, headers: Buffer.from("reply") },
    { kind: "reset", streamId: 3 },
    { kind: "ping", id: 7 },
    { kind: "other" },
    { kind: "away" },
  ] as Frame[];

  test("are the same however the bytes come", () => {
    for (let cut = 0; cut <= wire.length; cut++) {
      const parser = new FrameParser(1_000);
      expect([...parser.push(wire.subarray(0, cut)), ...parser.push(wire.subarray(cut))]).toEqual(want);
    }
    const parser = new FrameParser(1_000);
    expect([...wire].flatMap((byte) => parser.push(Buffer.from([byte])))).toEqual(want);
  });

  const bad: { name: string; hex: string }[] = [
    { name: "another version", hex: "8002000100000000" },
    { name: "too long", hex: "00000001000003e9" },
    { name: "a SYN_STREAM without its fields", hex: "800300010000000400000001" },
    { name: "a PING without its number", hex: "8003000600000000" },
  ];
  test.each(bad)("$name is refused", ({ hex }) => {
    expect(() => new FrameParser(1_000).push(Buffer.from(hex, "hex"))).toThrow();
  });
});

/** A connection and the bytes that its client sees. */
function connected(onStream: OnStream): { client: import("node:stream").Duplex; ran: Promise<void>; frames: Frame[] } {
  const [client, server] = duplexPair();
  const parser = new FrameParser(10_000_000);
  const frames: Frame[] = [];
  client.on("data", (chunk: Buffer) => void frames.push(...parser.push(chunk)));
  const ran = new SpdyConnection(server, onStream).run();
  ran.catch(() => {});
  return { client, ran, frames };
}

describe("a connection", () => {
  test("opens streams with their headers, answers them, and ends them by halves", async () => {
    const compress = goLikeDeflate();
    const streams: [SpdyStream, string | undefined][] = [];
    const { client, frames, ran } = connected(
      (stream, headers) => void streams.push([stream, headers.get("streamtype")]),
    );
    client.write(synStreamFrame(1, await compress({ streamtype: "data" })));
    client.write(synStreamFrame(3, await compress({ streamtype: "error" })));
    client.write(dataFrame(1, Buffer.from("to server"), false));
    client.write(dataFrame(1, Buffer.alloc(0), true));
    await waitFor(() => streams.length === 2, { what: "two streams" });
    expect(streams.map(([, type]) => type)).toEqual(["data", "error"]);
    const [data] = streams[0]!;
    // Not by an iterator, which destroys what it has read to the end.
    let received = "";
    data.on("data", (chunk: Buffer) => {
      received += chunk.toString();
    });
    await waitFor(() => data.readableEnded, { what: "the client's end of the stream" });
    expect(received).toBe("to server");
    data.end("to client");
    await waitFor(() => frames.some((frame) => frame.kind === "data" && frame.fin), { what: "the stream's end" });
    expect(frames.filter((frame) => frame.kind === "data")).toEqual([
      { kind: "data", streamId: 1, fin: false, bytes: Buffer.from("to client") },
      { kind: "data", streamId: 1, fin: true, bytes: Buffer.alloc(0) },
    ]);
    client.write(pingFrame(9));
    await waitFor(() => frames.some((frame) => frame.kind === "ping" && frame.id === 9), { what: "the ping" });
    client.end();
    await ran;
    expect(streams[1]![0].destroyed).toBe(true);
  });

  test("a stream that the server drops is reset; one that the client resets is gone", async () => {
    const compress = goLikeDeflate();
    const streams: SpdyStream[] = [];
    const { client, frames } = connected((stream) => void streams.push(stream));
    client.write(synStreamFrame(1, await compress({})));
    client.write(synStreamFrame(3, await compress({})));
    await waitFor(() => streams.length === 2, { what: "two streams" });
    streams[0]!.destroy();
    await waitFor(() => frames.some((frame) => frame.kind === "reset" && frame.streamId === 1), { what: "a reset" });
    client.write(resetFrame(3, 5));
    await waitFor(() => streams[1]!.destroyed, { what: "the stream's end" });
    client.write(dataFrame(3, Buffer.from("late"), false));
    client.write(pingFrame(1));
    await waitFor(() => frames.some((frame) => frame.kind === "ping"), {
      what: "a ping after data for a stream that is gone",
    });
    expect(frames.filter((frame) => frame.kind === "reset").length).toBe(1);
    client.end();
  });

  test("waits for a stream's reader instead of keeping all that comes", async () => {
    const compress = goLikeDeflate();
    let stream: SpdyStream | undefined;
    const { client } = connected((opened) => {
      stream = opened;
    });
    client.write(synStreamFrame(1, await compress({})));
    const chunk = Buffer.alloc(500_000, "x");
    const all = Promise.all(
      Array.from({ length: 12 }, () => new Promise((resolve) => client.write(dataFrame(1, chunk, false), resolve))),
    );
    const first = await Promise.race([all.then(() => "sent"), Bun.sleep(50).then(() => "waiting")]);
    expect(first).toBe("waiting");
    let bytes = 0;
    stream!.on("data", (part: Buffer) => {
      bytes += part.length;
    });
    await all;
    await waitFor(() => bytes === 12 * chunk.length, { what: "all bytes" });
    client.destroy();
  });

  test("ends with what is not SPDY", async () => {
    const { client, ran } = connected(() => {});
    client.write("GET / HTTP/1.1\r\n\r\n");
    expect((await rejectionOf(ran)).message).toBeTruthy();
  });

  test("arbitrary bytes never do more than that", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
        const { client, ran } = connected((stream) => stream.resume());
        client.end(bytes);
        await ran.catch(() => {});
      }),
      { numRuns: 200 },
    );
  });
});
