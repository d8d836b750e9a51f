import { ClosedStreams } from "./closed-streams.ts";
import { type ErrorCode, FRAME_BYTES_DEFAULT, WINDOW_BYTES_DEFAULT } from "./frame.ts";
import { type FrameSink, type Http2Handler, Role } from "./handler.ts";
import { HpackDecoder } from "./hpack/decoder.ts";
import { HpackEncoder } from "./hpack/encoder.ts";
import { Bucket, EMPTY_FRAMES, OVERHEAD_FRAMES, PINGS, SETTINGS_FRAMES, WASTED_STREAMS } from "./limits.ts";
import type { Http2Settings } from "./settings.ts";
import { type Http2Stream, NOT_STALLED } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

/** What a client assumes of a server whose SETTINGS it has not seen, as most HTTP/2 libraries do (RFC 9113 §6.5.2). */
const STREAMS_BEFORE_SETTINGS = 100;

/** Largest dynamic table our encoder keeps, whatever the peer would allow. */
const ENCODER_TABLE_BYTES = 4096;

/** How far a server is with its graceful end (RFC 9113 §6.8). */
export const Drain = { No: 0, AwaitingPong: 1, Final: 2 } as const;
export type Drain = (typeof Drain)[keyof typeof Drain];

/** PINGs of ours without an answer, as bits. */
export const PingBit = { Caller: 1, Bandwidth: 2, Drain: 4 } as const;

const NO_BYTES = new Uint8Array(0);

/** Everything a connection knows. The functions beside this file work on it, Http2Connection is its face. */
export class ConnectionState<U> {
  readonly role: Role;
  readonly settings: Http2Settings;
  readonly handler: Http2Handler<U>;
  readonly sink: FrameSink;
  readonly decoder: HpackDecoder;
  readonly encoder: HpackEncoder;

  nowMs = 0;
  startedMs = 0;
  failed = false;
  errorCode: ErrorCode = 0;
  errorReason = "";

  /** Bytes of the client's preface that have arrived (server). */
  prefaceBytes = 0;
  prefaceSeen: boolean;
  settingsSeen = false;
  settingsAcked = false;

  // Streams. openCount leaves out those that are done and only wait for consumed().
  readonly streams: StreamTable<U> = new StreamTable<U>();
  readonly closed: ClosedStreams = new ClosedStreams();
  openCount = 0;
  /** Highest id the peer has used (server), next id to use (client). */
  lastPeerId = 0;
  nextId = 1;
  spare: Http2Stream<U> | null = null;
  spareCount = 0;
  /** Retired while a caller may still hold them; spare once the next call comes in. */
  retired: Http2Stream<U> | null = null;
  roomPending = false;

  // The peer's settings.
  peerFrameBytesMax: number = FRAME_BYTES_DEFAULT;
  peerInitialWindow: number = WINDOW_BYTES_DEFAULT;
  peerStreamsMax: number = STREAMS_BEFORE_SETTINGS;
  peerConnectProtocol = false;

  // Flow control. New streams start with `initialWindow`: until the peer has acknowledged a smaller one of ours, it
  // may go by the default (RFC 9113 §6.9.3).
  sendWindow: number = WINDOW_BYTES_DEFAULT;
  receiveWindow: number = WINDOW_BYTES_DEFAULT;
  windowTarget: number;
  initialWindow: number;
  unconsumed = 0;
  /** Streams that wait for the connection's window or for room in the sink. */
  queueHead: Http2Stream<U> | null = null;
  queueTail: Http2Stream<U> | null = null;
  /** The stream whose turn it is. */
  serving: Http2Stream<U> | null = null;

  // A DATA frame whose payload has not arrived to its end.
  dataLeft = 0;
  padLeft = 0;
  dataLast = false;
  dataStream: Http2Stream<U> | null = null;

  // A header block that goes on in CONTINUATION frames; blockId is 0 when there is none.
  blockId = 0;
  blockLast = false;
  block: Uint8Array = NO_BYTES;
  blockEnd = 0;
  blockFrames = 0;

  // GOAWAY.
  drain: Drain = Drain.No;
  goAwaySent = false;
  /** Streams above are ignored once GOAWAY is sent. */
  goAwayId = 0x7fff_ffff;
  goAwayReceived = false;
  goAwayReceivedId = 0x7fff_ffff;

  pings = 0;

  // A bandwidth sample: bytes that arrived between a PING and its answer.
  sampleId = 0;
  sampleStreamBytes = 0;
  sampleBytes = 0;
  /** Window updates to let pass before the next sample, and how many were let pass last time. */
  sampleSkip = 0;
  sampleBackoff = 0;

  // Allowances, see limits.ts.
  readonly wasted: Bucket;
  readonly empties: Bucket;
  readonly settingsFrames: Bucket;
  readonly pingFrames: Bucket;
  readonly overhead: Bucket;
  replyBytes = 0;
  /** Since when the connection's window was seen shut, and bytes sent since then. */
  stalledSinceMs: number = NOT_STALLED;
  stalledBytes = 0;

  constructor(role: Role, settings: Http2Settings, handler: Http2Handler<U>, sink: FrameSink) {
    this.role = role;
    this.settings = settings;
    this.handler = handler;
    this.sink = sink;
    this.prefaceSeen = role === Role.Client;
    this.windowTarget = Math.max(settings.initialConnectionWindowBytes, WINDOW_BYTES_DEFAULT);
    this.initialWindow = Math.max(settings.initialStreamWindowBytes, WINDOW_BYTES_DEFAULT);
    this.decoder = new HpackDecoder({
      tableBytesMax: settings.headerTableBytes,
      listBytesMax: settings.headerListBytesMax,
      fieldsMax: settings.headerFieldsMax,
    });
    this.encoder = new HpackEncoder(ENCODER_TABLE_BYTES);
    const { wastedStreamsMax, concurrentStreamsMax } = settings;
    this.wasted =
      wastedStreamsMax === null
        ? new Bucket(WASTED_STREAMS, concurrentStreamsMax * 2)
        : new Bucket({ ...WASTED_STREAMS, burst: wastedStreamsMax }, 0);
    this.empties = new Bucket(EMPTY_FRAMES, 0);
    this.settingsFrames = new Bucket(SETTINGS_FRAMES, 0);
    this.pingFrames = new Bucket(PINGS, 0);
    this.overhead = new Bucket(OVERHEAD_FRAMES, 0);
  }

  /** The clock starts. */
  start(nowMs: number): void {
    this.nowMs = nowMs;
    this.startedMs = nowMs;
    for (const bucket of [this.wasted, this.empties, this.settingsFrames, this.pingFrames, this.overhead]) {
      bucket.start(nowMs);
    }
  }
}
