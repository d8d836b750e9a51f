import { describe, expect, test } from "bun:test";
import { ErrorCode, Flag, FrameType, SettingId } from "./frame.ts";
import { Role } from "./handler.ts";
import { EMPTY_FRAMES, OVERHEAD_FRAMES, PINGS, SETTINGS_FRAMES, WASTED_STREAMS } from "./limits.ts";
import {
  data,
  frame,
  GET,
  headers,
  joined,
  listOf,
  POST,
  ping,
  rst,
  settings,
  text,
  uint32,
  windowUpdate,
} from "./testing/frames.ts";
import { EngineUnderTest } from "./testing/peer.ts";

interface Flood {
  readonly name: string;
  readonly role?: Role;
  /** Before the flood. */
  readonly first?: Uint8Array;
  /** The i-th piece. */
  readonly piece: (i: number) => Uint8Array;
  /** How many pieces are taken before the connection ends. */
  readonly taken: number;
  readonly reason: string;
}

const STREAMS = 256;

const FLOODS: Flood[] = [
  {
    name: "rapid reset",
    piece: (i) => joined(headers(i * 2 + 1, GET), rst(i * 2 + 1, ErrorCode.Cancel)),
    taken: WASTED_STREAMS.burst,
    reason: "too many streams come to nothing",
  },
  {
    name: "rapid reset of ended requests",
    piece: (i) => joined(headers(i * 2 + 1, GET, true), rst(i * 2 + 1, ErrorCode.Cancel)),
    taken: WASTED_STREAMS.burst,
    reason: "too many streams come to nothing",
  },
  {
    name: "making us reset by a WINDOW_UPDATE of 0",
    piece: (i) => joined(headers(i * 2 + 1, GET, true), windowUpdate(i * 2 + 1, 0)),
    taken: WASTED_STREAMS.burst,
    reason: "too many streams come to nothing",
  },
  {
    name: "making us reset by overflowing a window",
    piece: (i) => joined(headers(i * 2 + 1, GET, true), windowUpdate(i * 2 + 1, 0x7fff_ffff)),
    taken: WASTED_STREAMS.burst,
    reason: "too many streams come to nothing",
  },
  {
    name: "making us reset by DATA after the end",
    piece: (i) => joined(headers(i * 2 + 1, GET, true), data(i * 2 + 1, "x")),
    taken: WASTED_STREAMS.burst,
    reason: "too many streams come to nothing",
  },
  {
    name: "making us reset by PRIORITY of a wrong size",
    piece: (i) => joined(headers(i * 2 + 1, GET, true), frame(FrameType.Priority, 0, i * 2 + 1, new Uint8Array(4))),
    taken: WASTED_STREAMS.burst,
    reason: "too many streams come to nothing",
  },
  {
    name: "malformed requests",
    piece: (i) => headers(i * 2 + 1, { ...GET, Upper: "case" }, true),
    taken: WASTED_STREAMS.burst,
    reason: "too many streams come to nothing",
  },
  {
    name: "requests with heads that are too large",
    piece: (i) => headers(i * 2 + 1, Object.fromEntries(Array.from({ length: 257 }, (_, n) => [`a${n}`, ""])), true),
    taken: WASTED_STREAMS.burst,
    reason: "too many streams come to nothing",
  },
  {
    name: "streams above the limit",
    first: joined(...Array.from({ length: STREAMS }, (_, i) => headers(i * 2 + 1, GET, true))),
    piece: (i) => headers((STREAMS + i) * 2 + 1, GET, true),
    taken: WASTED_STREAMS.burst,
    reason: "too many streams come to nothing",
  },
  {
    name: "responses that make a client reset are its server's fault too",
    role: Role.Client,
    piece: (i) => headers(i * 2 + 1, { ":status": "x" }),
    taken: WASTED_STREAMS.burst,
    reason: "too many streams come to nothing",
  },
  {
    name: "empty DATA",
    first: headers(1, POST),
    piece: () => data(1, ""),
    taken: EMPTY_FRAMES.burst,
    reason: "too many empty frames",
  },
  {
    name: "DATA of nothing but padding",
    first: headers(1, POST),
    piece: () => frame(FrameType.Data, Flag.Padded, 1, new Uint8Array([3, 0, 0, 0])),
    taken: EMPTY_FRAMES.burst,
    reason: "too many empty frames",
  },
  {
    name: "interim responses",
    role: Role.Client,
    piece: () => headers(1, { ":status": "103" }),
    taken: EMPTY_FRAMES.burst,
    reason: "too many empty frames",
  },
  {
    name: "DATA on streams that were reset",
    first: joined(headers(1, GET), headers(3, { Upper: "case" })),
    piece: () => data(3, "x"),
    taken: OVERHEAD_FRAMES.burst,
    reason: "too many useless frames",
  },
  {
    name: "SETTINGS",
    piece: () => settings([SettingId.InitialWindowSize, 1000]),
    taken: SETTINGS_FRAMES.burst - 1,
    reason: "too many SETTINGS",
  },
  {
    name: "SETTINGS with thousands of entries",
    piece: () =>
      settings(...Array.from({ length: 2730 }, (_, i): [number, number] => [SettingId.InitialWindowSize, i])),
    taken: Math.floor((SETTINGS_FRAMES.burst - 1) / 171),
    reason: "too many SETTINGS",
  },
  {
    name: "table sizes back and forth",
    piece: (i) =>
      settings([SettingId.HeaderTableSize, 0], [SettingId.HeaderTableSize, i % 2 === 0 ? 4096 : 0xffff_ffff]),
    taken: SETTINGS_FRAMES.burst - 1,
    reason: "too many SETTINGS",
  },
  { name: "PING", piece: () => ping(), taken: PINGS.burst, reason: "too many PINGs" },
  {
    name: "answers to PINGs that were not sent",
    piece: () => frame(FrameType.Ping, Flag.Ack, 0, text("pingpong")),
    taken: OVERHEAD_FRAMES.burst,
    reason: "too many useless frames",
  },
  {
    name: "WINDOW_UPDATE",
    piece: () => windowUpdate(0, 1),
    taken: OVERHEAD_FRAMES.burst,
    reason: "too many useless frames",
  },
  {
    name: "PRIORITY",
    piece: (i) => frame(FrameType.Priority, 0, i * 2 + 1, new Uint8Array(5)),
    taken: OVERHEAD_FRAMES.burst,
    reason: "too many useless frames",
  },
  {
    name: "frames of unknown types",
    piece: () => frame(0x77, 0, 0, text("x")),
    taken: OVERHEAD_FRAMES.burst,
    reason: "too many useless frames",
  },
  {
    name: "GOAWAY",
    piece: () => frame(FrameType.GoAway, 0, 0, uint32(0, 0)),
    taken: OVERHEAD_FRAMES.burst,
    reason: "too many useless frames",
  },
  {
    name: "RST_STREAM for what is over",
    first: joined(headers(1, POST), rst(1, 8)),
    piece: () => rst(1, 8),
    taken: OVERHEAD_FRAMES.burst,
    reason: "too many useless frames",
  },
  {
    name: "acknowledgements of SETTINGS",
    piece: () => frame(FrameType.Settings, Flag.Ack, 0),
    taken: OVERHEAD_FRAMES.burst,
    reason: "too many useless frames",
  },
];

describe("a flood ends its connection and no other", () => {
  for (const { name, role = Role.Server, first, piece, taken, reason } of FLOODS) {
    test(name, () => {
      const engine = flooded(role, first);
      let pieces = 0;
      for (; pieces < taken + 100 && !engine.connection.failed; pieces++) {
        openWhatIsAnswered(engine, pieces);
        engine.receive(piece(pieces));
        // The owner empties the sink: what is bounded here is work, not memory.
        if (!engine.connection.failed) engine.sink.end = 0;
        engine.connection.drained();
      }
      expect([engine.connection.errorCode, engine.connection.errorReason]).toEqual([ErrorCode.EnhanceYourCalm, reason]);
      // Heads and DATA in between earn a little.
      expect(pieces - 1 - taken).toBeWithin(-16, 17);
      expect(engine.sent().at(-1)).toStartWith("GoAway EnhanceYourCalm");
      expect(engine.connection.unconsumedBytes).toBe(0);
      const other = EngineUnderTest.started(Role.Server);
      other.receive(headers(1, GET, true));
      expect(other.events()).toHaveLength(1);
    });

    test(`${name}, at a pace that does no harm`, () => {
      const engine = flooded(role, first);
      // The dearest piece, SETTINGS with 2730 entries, is paid back within 17 seconds.
      for (let i = 0; i < Math.min(taken + 100, 1200); i++) {
        openWhatIsAnswered(engine, i);
        engine.nowMs += 20_000;
        engine.receive(piece(i));
        engine.sent();
      }
      expect(engine.connection.errorReason).toBe("");
    });
  }
});

function flooded(role: Role, first: Uint8Array | undefined): EngineUnderTest {
  const engine = EngineUnderTest.started(role);
  engine.receive(first ?? new Uint8Array(0));
  engine.sent();
  engine.events();
  return engine;
}

function openWhatIsAnswered(engine: EngineUnderTest, i: number): void {
  if (engine.connection.canOpen) engine.connection.openStream(i, listOf(GET), true);
}
