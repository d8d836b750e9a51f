import { Http2Connection } from "../connection.ts";
import { fieldTexts } from "../field-texts.ts";
import type { FieldList } from "../fields.ts";
import type { ErrorCode } from "../frame.ts";
import { type Http2Handler, ResetBy, Role } from "../handler.ts";
import { DEFAULT_HTTP2_SETTINGS, type Http2Settings } from "../settings.ts";
import type { Http2Stream } from "../stream.ts";
import { CLIENT_START, codeName, framesOf, frameText, SERVER_START } from "./frames.ts";
import { GrowingSink } from "./growing-sink.ts";

const RESET_NAMES = Object.fromEntries(Object.entries(ResetBy).map(([name, by]) => [by, name]));

/** Longer ones are told by their length. */
const PAYLOAD_SHOWN = 100;

/** One engine under test whose peer is the test: events and frames come out as lines of text. */
export class EngineUnderTest implements Http2Handler<number> {
  readonly connection: Http2Connection<number>;
  readonly sink: GrowingSink = new GrowingSink();
  readonly streams: Map<number, Http2Stream<number>> = new Map();
  nowMs = 1000;
  /** Give every byte of onData() back at once. */
  consumes = true;
  /** What happens besides writing a line. */
  actions: Partial<Http2Handler<number>> = {};
  private log: string[] = [];

  constructor(role: Role, settings: Partial<Http2Settings> = {}) {
    this.connection = new Http2Connection(role, { ...DEFAULT_HTTP2_SETTINGS, ...settings }, this, this.sink);
  }

  /** With both sides' SETTINGS exchanged and acknowledged. */
  static started(role: Role, settings: Partial<Http2Settings> = {}, start?: Uint8Array): EngineUnderTest {
    const engine = new EngineUnderTest(role, settings);
    engine.connection.begin(engine.nowMs);
    engine.receive(start ?? (role === Role.Server ? CLIENT_START : SERVER_START));
    engine.sent();
    engine.events();
    return engine;
  }

  /** Passes bytes in whole; what is not taken at once is an unfinished frame. Returns the bytes left over. */
  receive(bytes: Uint8Array): number {
    const next = this.connection.receive(bytes, 0, bytes.length, this.nowMs);
    return bytes.length - next;
  }

  /** As receive(), cut at the given offsets, with the rest of a piece in front of the next as an owner has it. */
  receiveCut(bytes: Uint8Array, cuts: readonly number[]): number {
    let at = 0;
    for (const cut of [...cuts, bytes.length]) {
      if (cut > at) at = this.connection.receive(bytes.slice(0, cut), at, cut, this.nowMs);
    }
    return bytes.length - at;
  }

  /** The frames written since the last call, as lines; the sink is empty then, and the connection knows. */
  sent(): string[] {
    const frames = framesOf(this.sink.take()).map(frameText);
    this.connection.drained();
    return frames;
  }

  /** What the handler was told since the last call. */
  events(): string[] {
    const events = this.log;
    this.log = [];
    return events;
  }

  stream(id: number): Http2Stream<number> {
    const stream = this.streams.get(id);
    if (stream === undefined) throw new Error(`no stream ${id}`);
    return stream;
  }

  onHead(stream: Http2Stream<number>, fields: FieldList, last: boolean): void {
    stream.user = stream.id;
    this.streams.set(stream.id, stream);
    this.log.push(`head ${stream.id} ${fieldTexts(fields).join(", ")}${last ? " end" : ""}`);
    this.actions.onHead?.(stream, fields, last);
  }

  onData(stream: Http2Stream<number>, bytes: Uint8Array, at: number, end: number, last: boolean): void {
    const what = end - at <= PAYLOAD_SHOWN ? String.fromCharCode(...bytes.subarray(at, end)) : `${end - at} bytes`;
    this.log.push(`data ${stream.id} ${what}${last ? " end" : ""}`);
    this.actions.onData?.(stream, bytes, at, end, last);
    if (this.consumes && end > at) this.connection.consumed(stream, end - at);
  }

  onTrailers(stream: Http2Stream<number>, fields: FieldList): void {
    this.log.push(`trailers ${stream.id} ${fieldTexts(fields).join(", ")}`);
    this.actions.onTrailers?.(stream, fields);
  }

  onReset(stream: Http2Stream<number>, code: ErrorCode, by: ResetBy): void {
    this.log.push(`reset ${stream.id} ${codeName(code)} ${RESET_NAMES[by]}`);
    this.actions.onReset?.(stream, code, by);
  }

  onWritable(stream: Http2Stream<number>): void {
    this.log.push(`writable ${stream.id}`);
    this.actions.onWritable?.(stream);
  }

  onRoomForStreams(): void {
    this.log.push("room");
    this.actions.onRoomForStreams?.();
  }

  onGoAway(code: ErrorCode, lastStreamId: number): void {
    this.log.push(`goaway ${codeName(code)} last ${lastStreamId}`);
    this.actions.onGoAway?.(code, lastStreamId);
  }

  onPong(): void {
    this.log.push("pong");
    this.actions.onPong?.();
  }
}
