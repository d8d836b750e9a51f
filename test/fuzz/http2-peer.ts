import type { Random } from "@bowline/testkit";
import {
  DEFAULT_HTTP2_SETTINGS,
  FieldList,
  type FrameSink,
  Http2Connection,
  type Http2Handler,
  type Http2Stream,
  PREFACE,
  ResetBy,
  type Role,
} from "@bowline/wire";

/** Small ones, so that inputs of a few KB reach every limit. */
export const SETTINGS: typeof DEFAULT_HTTP2_SETTINGS = {
  ...DEFAULT_HTTP2_SETTINGS,
  concurrentStreamsMax: 8,
  initialStreamWindowBytes: 1000,
  headerListBytesMax: 2048,
  headerFieldsMax: 32,
  outputBytesMax: 2000,
  unconsumedBytesMax: 3000,
};

export class Sink implements FrameSink {
  bytes: Uint8Array = new Uint8Array(1024);
  end = 0;

  reserve(count: number): void {
    if (this.end + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.end + count, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.end));
    this.bytes = grown;
  }
}

function fieldsOf(...fields: readonly (readonly [string, string])[]): FieldList {
  const list = new FieldList();
  for (const [name, value] of fields) list.addText(name, value);
  return list;
}

const REQUEST = fieldsOf([":method", "POST"], [":scheme", "http"], [":path", "/a"], ["te", "trailers"]);
const RESPONSE = fieldsOf([":status", "200"]);
const INTERIM = fieldsOf([":status", "103"]);
const TRAILERS = fieldsOf(["grpc-status", "0"]);
const BODY = new Uint8Array(30_000).fill(0x62);

/** What is known of a stream on this side of the engine. */
interface Known {
  readonly stream: Http2Stream<number>;
  /** The final head has arrived (server: the request's). */
  headSeen: boolean;
  receivedLast: boolean;
  sentLast: boolean;
  sentHead: boolean;
  unconsumed: number;
  /** Of BODY. */
  offered: number;
  sent: number;
}

/**
 * The owner of one engine: writes down what it is told, holds the engine to what Http2Handler promises, and, when it is
 * busy, does at random what owners do.
 */
export class Owner implements Http2Handler<number> {
  readonly connection: Http2Connection<number>;
  readonly sink: Sink = new Sink();
  /** What the engine told, DATA of one stream laid together. */
  events: string[] = [];
  readonly #role: Role;
  readonly #random: Random | null;
  readonly #known = new Map<number, Known>();
  #lost = false;

  /** @param random for a busy owner; without it, it only answers each request by a head that ends its side */
  constructor(role: Role, random: Random | null) {
    this.#role = role;
    this.#random = random;
    this.connection = new Http2Connection<number>(role, SETTINGS, this, this.sink);
  }

  open(last: boolean): void {
    const stream = this.connection.openStream(0, REQUEST, last);
    if (stream === null) return;
    this.#know(stream).sentHead = true;
    if (last) this.#sentLast(stream);
  }

  onHead(stream: Http2Stream<number>, fields: FieldList, last: boolean): void {
    const interim = statusOf(fields).startsWith("1");
    const known = this.#role === 0 ? this.#know(stream) : this.#expect(stream);
    if (known.headSeen) throw new Error(`a second head on stream ${stream.id}`);
    if (interim && last) throw new Error("an interim head that ends the stream");
    known.headSeen = !interim;
    this.#note(`${stream.id} head ${textsOf(fields)}${last ? " last" : ""}`);
    if (this.#role === 0 && this.#random === null) {
      known.sentHead = true;
      this.connection.sendHead(stream, RESPONSE, true);
      this.#sentLast(stream);
    }
    if (last) this.#receivedLast(stream);
    this.#act(stream.id);
  }

  onData(stream: Http2Stream<number>, bytes: Uint8Array, at: number, end: number, last: boolean): void {
    const known = this.#expect(stream);
    if (!known.headSeen) throw new Error(`data before the head on stream ${stream.id}`);
    if (at > end || end > bytes.length || (at === end && !last)) throw new Error(`data [${at}, ${end})`);
    this.#noteData(stream.id, Buffer.from(bytes.subarray(at, end)).toString("latin1"), last);
    known.unconsumed += end - at;
    if (this.#random === null) this.#consume(stream.id, end - at);
    if (last) this.#receivedLast(stream);
    this.#act(stream.id);
  }

  onTrailers(stream: Http2Stream<number>, fields: FieldList): void {
    if (!this.#expect(stream).headSeen) throw new Error(`trailers before the head on stream ${stream.id}`);
    this.#note(`${stream.id} trailers ${textsOf(fields)}`);
    this.#receivedLast(stream);
    this.#act(stream.id);
  }

  onReset(stream: Http2Stream<number>, code: number, by: ResetBy): void {
    if (!this.#known.has(stream.id)) throw new Error(`stream ${stream.id} is reset and was not there`);
    if ((by === ResetBy.ConnectionLost) !== this.#lost) throw new Error(`reset by ${by} at the wrong time`);
    this.#note(`${stream.id} reset ${code} by ${by}`);
    this.#known.delete(stream.id);
  }

  onWritable(stream: Http2Stream<number>): void {
    const known = this.#expect(stream);
    if (known.sentLast) throw new Error(`stream ${stream.id} is writable and has sent its last`);
    this.#send(known);
  }

  onRoomForStreams(): void {
    if (!this.connection.canOpen) throw new Error("room for streams, and none can be opened");
  }

  onGoAway(code: number, lastStreamId: number): void {
    this.#note(`go away ${code} ${lastStreamId}`);
  }

  onPong(): void {
    this.#note("pong");
  }

  /** Sends what is in the sink. */
  empty(): void {
    checkFrames(this.sink);
    this.sink.end = 0;
    this.connection.drained();
  }

  /** Between two pieces of input. */
  idle(): void {
    for (const id of this.#known.keys()) this.#act(id);
    const random = this.#random;
    if (random === null) return;
    if (random.chance(0.1)) this.connection.ping();
    if (random.chance(0.01)) this.connection.drain();
    if (random.chance(0.005)) this.connection.goAway(0);
    if (this.#role === 1 && random.chance(0.2)) this.open(random.chance(0.5));
  }

  lost(): void {
    this.#lost = true;
    this.connection.lost();
    const left = [...this.#known.values()].filter(({ sentLast, receivedLast }) => !sentLast || !receivedLast);
    if (left.length > 0) throw new Error(`nobody was told of the end of stream ${left[0]?.stream.id}`);
  }

  #know(stream: Http2Stream<number>): Known {
    if (this.#known.has(stream.id)) throw new Error(`stream ${stream.id} begins twice`);
    const none = { headSeen: false, receivedLast: false, sentLast: false, sentHead: false };
    const known: Known = { stream, ...none, unconsumed: 0, offered: 0, sent: 0 };
    this.#known.set(stream.id, known);
    return known;
  }

  /** For what may only come while a stream is not complete in the peer's direction. */
  #expect(stream: Http2Stream<number>): Known {
    const known = this.#known.get(stream.id);
    if (known === undefined || known.stream !== stream) throw new Error(`stream ${stream.id} is over`);
    if (this.connection.failed) throw new Error(`stream ${stream.id}: told of after the failure`);
    return known;
  }

  #receivedLast(stream: Http2Stream<number>): void {
    const known = this.#known.get(stream.id);
    if (known === undefined) return;
    if (known.receivedLast) throw new Error(`stream ${stream.id} ends twice`);
    known.receivedLast = true;
    this.#forgetIfOver(known);
  }

  #sentLast(stream: Http2Stream<number>): void {
    const known = this.#known.get(stream.id);
    if (known === undefined) return;
    known.sentLast = true;
    this.#forgetIfOver(known);
  }

  /** As Http2Handler says when a stream object is over. */
  #forgetIfOver(known: Known): void {
    if (known.sentLast && known.receivedLast && known.unconsumed === 0) this.#known.delete(known.stream.id);
  }

  #consume(id: number, count: number): void {
    const known = this.#known.get(id);
    if (known === undefined || count === 0) return;
    known.unconsumed -= count;
    this.connection.consumed(known.stream, count);
    this.#forgetIfOver(known);
  }

  /** One thing that an owner may do with a stream at any time. */
  #act(id: number): void {
    const random = this.#random;
    const known = this.#known.get(id);
    if (random === null || known === undefined || this.connection.failed) return;
    if (known.unconsumed > 0 && random.chance(0.6)) this.#consume(id, random.between(1, known.unconsumed));
    if (!this.#known.has(id)) return;
    if (random.chance(0.03)) {
      this.#known.delete(id);
      this.connection.reset(known.stream, random.between(0, 13));
      return;
    }
    if (this.#role === 0 && !known.sentHead) {
      if (random.chance(0.2)) this.connection.sendHead(known.stream, INTERIM, false);
      if (!random.chance(0.6)) return;
      known.sentHead = true;
      const last = random.chance(0.3);
      this.connection.sendHead(known.stream, RESPONSE, last);
      if (last) this.#sentLast(known.stream);
      return;
    }
    if (known.sentLast || known.offered > known.sent || !random.chance(0.6)) return;
    known.offered = Math.min(BODY.length, known.offered + random.upTo(5000));
    this.#send(known);
  }

  #send(known: Known): void {
    if (this.connection.failed) return;
    const taken = this.connection.sendData(known.stream, BODY, known.sent, known.offered, false);
    if (taken < 0 || taken > known.offered - known.sent) throw new Error(`took ${taken}`);
    known.sent += taken;
    if (known.sent < known.offered || this.#random?.chance(0.7) !== false) return;
    if (this.#random.chance(0.5)) this.connection.sendTrailers(known.stream, TRAILERS);
    else this.connection.sendData(known.stream, BODY, 0, 0, true);
    this.#sentLast(known.stream);
  }

  #note(event: string): void {
    this.events.push(event);
  }

  #noteData(id: number, text: string, last: boolean): void {
    const before = this.events.at(-1);
    const begin = `${id} data `;
    const end = last ? " last" : "";
    if (before?.startsWith(begin) === true) this.events[this.events.length - 1] = before + text + end;
    else this.events.push(begin + text + end);
  }
}

function statusOf(fields: FieldList): string {
  for (let i = 0; i < fields.count; i++) if (fields.nameText(i) === ":status") return fields.valueText(i);
  return "";
}

function textsOf(fields: FieldList): string {
  const texts: string[] = [];
  for (let i = 0; i < fields.count; i++) texts.push(`${fields.nameText(i)}=${fields.valueText(i)}`);
  return texts.join(" ");
}

/** That what the engine wrote is whole frames no larger than anybody takes. */
function checkFrames({ bytes, end }: Sink): void {
  let at = Buffer.from(bytes.subarray(0, Math.min(3, end))).toString() === "PRI" ? PREFACE.length : 0;
  while (at < end) {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    if (length > 16_384) throw new Error(`a frame of ${length} bytes`);
    at += 9 + length;
  }
  if (at !== end) throw new Error("half a frame in the sink");
}
