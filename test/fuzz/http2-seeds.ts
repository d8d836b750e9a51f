import { FieldList, FrameType, HpackEncoder, PREFACE } from "@bowline/wire";

const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const PADDED = 8;
const PRIORITY = 32;

const HEAD: [string, string][] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/bench.Bench/Call"],
  [":authority", "bench:80"],
  ["content-type", "application/grpc"],
  ["te", "trailers"],
];

/** A connection's bytes as a peer sends them, first of all 0 for a client's, 1 for a server's. */
export function http2Seeds(): Uint8Array[] {
  return [...clientSeeds().map(toServer), ...serverSeeds().map(toClient)];
}

export function http2Words(): Uint8Array[] {
  const settings = frame(FrameType.Settings, 0, 0);
  return [
    settings,
    frame(FrameType.Settings, ACK, 0),
    frame(FrameType.Settings, 0, 0, "0004 00000000"),
    frame(FrameType.Settings, 0, 0, "0001 00000000"),
    frame(FrameType.Settings, 0, 0, "0004 7fffffff"),
    frame(FrameType.Ping, 0, 0, "0102030405060708"),
    frame(FrameType.WindowUpdate, 0, 0, "7fffffff"),
    frame(FrameType.WindowUpdate, 0, 1, "00000000"),
    frame(FrameType.WindowUpdate, 0, 3, "00010000"),
    frame(FrameType.RstStream, 0, 1, "00000008"),
    frame(FrameType.RstStream, 0, 3, "00000007"),
    frame(FrameType.GoAway, 0, 0, "00000001 00000000"),
    frame(FrameType.GoAway, 0, 0, "7fffffff 00000000"),
    frame(FrameType.Priority, 0, 5, "00000003 10"),
    frame(FrameType.PushPromise, END_HEADERS, 1, "00000002 82"),
    frame(FrameType.Continuation, END_HEADERS, 1, "82"),
    frame(FrameType.Continuation, 0, 1),
    frame(FrameType.Data, END_STREAM, 1),
    frame(FrameType.Data, 0, 1),
    frame(FrameType.Data, PADDED, 3, "02 61 0000"),
    frame(FrameType.Headers, END_HEADERS, 7, "82 86 84"),
    frame(FrameType.Headers, END_HEADERS | END_STREAM, 1, "40 01 61 01 62"),
    frame(FrameType.Headers, END_HEADERS | END_STREAM | PRIORITY, 9, "00000000 10 82 86 84"),
    frame(0x42, 0xff, 1, "00"),
    Uint8Array.fromHex("00400000"),
    Uint8Array.fromHex("00400100"),
    ...["3a61757468", "3f e1 1f", "0f 0d 02 33 37", "88", "48 03 31 30 33", "40 02 74 65 01 78"].map((hex) =>
      Uint8Array.fromHex(hex.replaceAll(" ", "")),
    ),
  ];
}

function toServer(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(0), PREFACE, bytes]);
}

function toClient(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(1), bytes]);
}

function clientSeeds(): Uint8Array[] {
  const encoder = new HpackEncoder(4096);
  const heads = Array.from({ length: 6 }, () => block(encoder, HEAD));
  const trailers = block(encoder, [["x-checksum", "1"]]);
  const first = heads[0]!;
  const middle = Math.floor(first.length / 2);
  return [
    Buffer.concat([
      frame(FrameType.Settings, 0, 0, "0003 00000064 0004 00100000"),
      frame(FrameType.WindowUpdate, 0, 0, "00100000"),
      raw(FrameType.Headers, END_HEADERS, 1, first),
      frame(FrameType.Data, END_STREAM, 1, "0000000002 0801"),
      frame(FrameType.Settings, ACK, 0),
      raw(FrameType.Headers, END_HEADERS | END_STREAM, 3, heads[1]!),
      raw(FrameType.Headers, END_HEADERS, 5, heads[2]!),
      frame(FrameType.Data, PADDED, 5, "03 616263 000000"),
      frame(FrameType.RstStream, 0, 5, "00000008"),
      raw(FrameType.Headers, END_HEADERS, 7, heads[3]!),
      frame(FrameType.Data, 0, 7, "61".repeat(600)),
      raw(FrameType.Headers, END_HEADERS | END_STREAM, 7, trailers),
    ]),
    Buffer.concat([
      frame(FrameType.Settings, 0, 0),
      raw(FrameType.Headers, 0, 1, first.subarray(0, middle)),
      raw(FrameType.Continuation, END_HEADERS, 1, first.subarray(middle)),
      frame(FrameType.Priority, 0, 3, "00000001 0f"),
      frame(FrameType.Ping, 0, 0, "0000000000000001"),
      raw(
        FrameType.Headers,
        END_HEADERS | PRIORITY | END_STREAM,
        3,
        Buffer.concat([Uint8Array.fromHex("0000000110"), heads[1]!]),
      ),
      frame(0x20, 0, 0, "aabb"),
      frame(FrameType.WindowUpdate, 0, 1, "00001000"),
      frame(FrameType.Data, END_STREAM, 1),
      frame(FrameType.GoAway, 0, 0, "00000000 00000000"),
    ]),
  ];
}

/** Answers to requests on the streams 1, 3 and 5. */
function serverSeeds(): Uint8Array[] {
  const encoder = new HpackEncoder(4096);
  const interim = block(encoder, [
    [":status", "103"],
    ["link", "</a>"],
  ]);
  const head = block(encoder, [
    [":status", "200"],
    ["content-type", "application/grpc"],
  ]);
  const sized = block(encoder, [
    [":status", "200"],
    ["content-length", "3"],
  ]);
  const trailers = block(encoder, [["grpc-status", "0"]]);
  return [
    Buffer.concat([
      frame(FrameType.Settings, 0, 0, "0003 00000064"),
      frame(FrameType.Settings, ACK, 0),
      frame(FrameType.WindowUpdate, 0, 0, "00100000"),
      raw(FrameType.Headers, END_HEADERS, 3, interim),
      raw(FrameType.Headers, END_HEADERS, 3, head),
      frame(FrameType.Data, 0, 3, "0000000002 0801"),
      raw(FrameType.Headers, END_HEADERS, 5, sized),
      raw(FrameType.Headers, END_HEADERS | END_STREAM, 3, trailers),
      frame(FrameType.Data, END_STREAM, 5, "616263"),
      frame(FrameType.WindowUpdate, 0, 1, "00001000"),
      frame(FrameType.RstStream, 0, 1, "00000007"),
      frame(FrameType.GoAway, 0, 0, "00000005 00000000"),
    ]),
  ];
}

function block(encoder: HpackEncoder, head: readonly (readonly [string, string])[]): Uint8Array {
  const fields = new FieldList();
  for (const [name, value] of head) fields.addText(name, value);
  const out = new Uint8Array(encoder.blockBytesMax(fields));
  return out.subarray(0, encoder.encode(fields, out, 0));
}

/** @param hex the payload, spaces do not count */
function frame(type: number, flags: number, stream: number, hex = ""): Uint8Array {
  return raw(type, flags, stream, Uint8Array.fromHex(hex.replaceAll(" ", "")));
}

function raw(type: number, flags: number, stream: number, payload: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, 9);
  return bytes;
}
