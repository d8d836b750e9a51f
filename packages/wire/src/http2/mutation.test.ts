import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Flag, FrameType } from "./frame.ts";
import { Role } from "./handler.ts";
import { REPLY_BYTES_MAX } from "./limits.ts";
import {
  block,
  data,
  frame,
  GET,
  goAway,
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

const UNCONSUMED_MAX = 100_000;

/** Frames that make sense, ids and all, for an order that need not. */
const frameOf = fc.oneof(
  fc.tuple(streamId(), fc.boolean()).map(([id, last]) => headers(id, GET, last)),
  fc.tuple(streamId(), fc.boolean()).map(([id, last]) => headers(id, { ...POST, "content-length": "5" }, last)),
  fc.tuple(streamId(), fc.boolean()).map(([id, last]) => headers(id, OK, last)),
  streamId().map((id) => headers(id, { "grpc-status": "0" }, true)),
  fc
    .tuple(streamId(), fc.integer({ min: 0, max: 20_000 }), fc.boolean())
    .map(([id, size, last]) => data(id, new Uint8Array(size), last)),
  fc
    .tuple(streamId(), fc.integer({ min: 0, max: 10 }))
    .map(([id, pad]) => frame(FrameType.Data, Flag.Padded, id, new Uint8Array([pad, 0, 0, 0]))),
  fc.tuple(streamId(), fc.nat({ max: 14 })).map(([id, code]) => rst(id, code)),
  fc
    .tuple(fc.constantFrom(0, 1, 3, 5), fc.constantFrom(0, 1, 1000, 0x7fff_ffff))
    .map(([id, more]) => windowUpdate(id, more)),
  fc
    .tuple(fc.integer({ min: 0, max: 9 }), fc.constantFrom(0, 1, 100, 16_384, 65_535, 0x7fff_ffff))
    .map(([id, value]) => settings([id, value])),
  fc.constant(ping()),
  streamId().map((id) => goAway(id, 0)),
  streamId().map((id) => frame(FrameType.Headers, 0, id, block(GET).slice(0, 9))),
  fc
    .tuple(streamId(), fc.boolean())
    .map(([id, end]) => frame(FrameType.Continuation, end ? 4 : 0, id, block(GET).slice(9))),
  fc
    .tuple(fc.nat({ max: 12 }), fc.nat({ max: 255 }), streamId(), fc.uint8Array({ maxLength: 40 }))
    .map(([type, flags, id, payload]) => frame(type, flags, id, payload)),
);

function streamId(): fc.Arbitrary<number> {
  return fc.constantFrom(0, 1, 1, 3, 3, 5, 7, 2);
}

describe("whatever bytes come", () => {
  for (const role of [Role.Server, Role.Client]) {
    test(`${role === Role.Server ? "a server" : "a client"} neither throws nor holds more than it should`, () => {
      const mutations = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 });
      const cuts = fc.array(fc.nat({ max: 2000 }), { maxLength: 20 });
      fc.assert(
        fc.property(
          fc.array(frameOf, { maxLength: 30 }),
          mutations,
          cuts,
          fc.boolean(),
          (frames, changes, sizes, consumes) => {
            const bytes = joined(...frames);
            for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
            const engine = prepared(role, consumes);
            let cut = 0;
            const offsets = sizes.map((size) => (cut += size)).filter((offset) => offset < bytes.length);
            const left = engine.receiveCut(bytes, offsets);
            expect(left).toBeLessThan(9 + 16_384);
            expect(engine.sink.end).toBeLessThan(REPLY_BYTES_MAX + 100_000);
            expect(engine.connection.openStreams).toBeLessThanOrEqual(4);
            expect(engine.connection.unconsumedBytes).toBeLessThanOrEqual(UNCONSUMED_MAX + 65_535);
            engine.connection.lost();
            expect(engine.connection.openStreams).toBe(0);
          },
        ),
        { numRuns: 300 },
      );
    });
  }

  test("a stream whose owner never consumes stops at the windows", () => {
    const engine = prepared(Role.Server, false);
    engine.actions.onHead = (stream) => engine.connection.sendHead(stream, listOf(OK), true);
    for (let id = 1; id < 1000 && !engine.connection.failed; id += 2) {
      engine.receive(joined(headers(id, POST), data(id, text("x".repeat(16_000)), true)));
      engine.sink.end = 0;
      engine.connection.drained();
    }
    // A peer that keeps to the windows would have stopped; this one is stopped.
    expect(engine.connection.errorReason).toBe("connection window exceeded");
    expect(engine.connection.unconsumedBytes).toBeLessThanOrEqual(UNCONSUMED_MAX + 65_535);
    engine.connection.lost();
  });
});

/** With a few streams open and an application that answers at once. */
function prepared(role: Role, consumes: boolean): EngineUnderTest {
  const engine = EngineUnderTest.started(role, {
    concurrentStreamsMax: 4,
    initialConnectionWindowBytes: 65_535,
    unconsumedBytesMax: UNCONSUMED_MAX,
  });
  engine.consumes = consumes;
  if (role === Role.Client)
    for (let i = 0; i < 3; i++) engine.connection.openStream(i, listOf(i === 1 ? GET : POST), i === 1);
  else engine.actions.onHead = (stream) => engine.connection.sendHead(stream, listOf(OK), stream.id === 3);
  return engine;
}
