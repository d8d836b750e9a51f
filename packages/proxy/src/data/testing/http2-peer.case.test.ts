import type { ScriptedIo, ScriptedPeer } from "@bowline/testkit";
import {
  DEFAULT_HTTP2_SETTINGS,
  ErrorCode,
  FieldList,
  type FrameSink,
  Http2Connection,
  type Http2Handler,
  type Http2Settings,
  type Http2Stream,
  type ResetBy,
  Role,
} from "@bowline/wire";

export type Fields = readonly (readonly [name: string, value: string])[];

/** Windows and limits of an application that is none of our business. */
export const PEER_SETTINGS: Http2Settings = {
  ...DEFAULT_HTTP2_SETTINGS,
  concurrentStreamsMax: 0,
  adaptiveWindow: false,
};

/** What a ScriptedPeer is used for here. */
export type ByteEnd = Pick<
  ScriptedPeer,
  "address" | "errno" | "onData" | "onEnd" | "onFailed" | "send" | "close" | "reset" | "pauseReading" | "resumeReading"
>;

/** The application's end of an HTTP/2 connection, on our own engine: a client or a server of a test's script. */
export class Http2Peer implements Http2Handler<PeerStream> {
  readonly peer: ByteEnd;
  readonly engine: Http2Connection<PeerStream>;
  /** In the order in which they were opened. */
  readonly streams: PeerStream[] = [];
  /** Server: a request's head is there. */
  onStream: (stream: PeerStream) => void = () => undefined;
  /** Client: streams may be opened (again). */
  onRoom: () => void = () => undefined;
  /** The connection takes and brings nothing any more. */
  onGone: () => void = () => undefined;
  /** The code of the other side's last GOAWAY, and how many came. */
  goAwayCode: ErrorCode | null = null;
  goAways = 0;
  lastStreamId = -1;
  pongs = 0;
  gone = false;
  readonly #sink = new ArraySink();
  #unread: Uint8Array = new Uint8Array(0);
  #inside = false;

  constructor(kernel: ScriptedIo, peer: ByteEnd, role: Role, settings: Http2Settings = PEER_SETTINGS) {
    this.peer = peer;
    this.engine = new Http2Connection(role, settings, this, this.#sink);
    peer.onData = (bytes) => this.#receive(kernel, bytes);
    peer.onEnd = () => this.#end();
    peer.onFailed = () => this.#end();
    this.engine.begin(kernel.nowMs());
    this.flush();
  }

  /** Client: a request; null when there is no room for it. */
  open(fields: Fields, last: boolean): PeerStream | null {
    const stream = new PeerStream(this);
    const opened = this.engine.openStream(stream, fieldList(fields), last);
    if (opened === null) return null;
    stream.attach(opened);
    this.streams.push(stream);
    this.flush();
    return stream;
  }

  /** Sends what the engine has written. */
  flush(): void {
    if (this.#inside) return;
    while (this.#sink.end > 0 && !this.gone) {
      const bytes = this.#sink.take();
      this.#inside = true;
      this.engine.drained();
      this.#inside = false;
      this.peer.send(bytes);
    }
  }

  /** Leaves without a word to its streams. */
  reset(): void {
    this.peer.reset();
    this.#end();
  }

  close(): void {
    this.peer.close();
    this.#end();
  }

  onHead(stream: Http2Stream<PeerStream>, fields: FieldList, last: boolean): void {
    if (stream.user !== null) {
      stream.user.gotHead(textsOf(fields), last);
      return;
    }
    const made = new PeerStream(this);
    made.attach(stream);
    stream.user = made;
    this.streams.push(made);
    made.gotHead(textsOf(fields), last);
    this.onStream(made);
    if (last) made.onEnd();
  }

  onData(stream: Http2Stream<PeerStream>, bytes: Uint8Array, at: number, end: number, last: boolean): void {
    stream.user!.gotData(bytes.slice(at, end), last);
  }

  onTrailers(stream: Http2Stream<PeerStream>, fields: FieldList): void {
    stream.user!.gotTrailers(textsOf(fields));
  }

  onReset(stream: Http2Stream<PeerStream>, code: ErrorCode, by: ResetBy): void {
    stream.user?.gotReset(code, by);
  }

  onWritable(stream: Http2Stream<PeerStream>): void {
    stream.user!.pump();
  }

  onRoomForStreams(): void {
    this.onRoom();
  }

  onGoAway(code: ErrorCode, lastStreamId: number): void {
    this.goAwayCode = code;
    this.goAways += 1;
    this.lastStreamId = lastStreamId;
  }

  onPong(): void {
    this.pongs += 1;
  }

  #receive(kernel: ScriptedIo, bytes: Uint8Array): void {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    if (this.#inside) return;
    while (this.#unread.length > 0) {
      const taken = this.#unread;
      this.#unread = new Uint8Array(0);
      this.#inside = true;
      const next = this.engine.receive(taken, 0, taken.length, kernel.nowMs());
      this.#inside = false;
      const rest = taken.subarray(next);
      this.#unread = this.#unread.length === 0 ? rest : Buffer.concat([rest, this.#unread]);
      const before = this.#unread.length;
      this.flush();
      if (this.engine.failed) this.#end();
      if (this.#unread.length === before) return;
    }
  }

  #end(): void {
    if (this.gone) return;
    this.gone = true;
    this.engine.lost();
    if (this.peer.errno === 0) this.peer.close();
    this.onGone();
  }
}

/** One stream at an application's end: what came, and what is still to be sent. */
export class PeerStream {
  readonly connection: Http2Peer;
  readonly interims: Fields[] = [];
  head: Fields | null = null;
  trailers: Fields | null = null;
  /** The other side's message is complete. */
  complete = false;
  /** The other side broke it off, or the connection is gone. */
  resetCode: ErrorCode | null = null;
  resetBy: ResetBy | null = null;
  /** This side has said all, or has broken it off. */
  sentAll = false;
  /** Received bytes are held back from flow control until `take`. */
  holdsBack = false;
  onHead: () => void = () => undefined;
  onData: (bytes: Uint8Array) => void = () => undefined;
  onEnd: () => void = () => undefined;
  onReset: () => void = () => undefined;
  #stream: Http2Stream<PeerStream> | null = null;
  #held = 0;
  #bodyBytes = 0;
  readonly #chunks: Uint8Array[] = [];
  readonly #unsent: Uint8Array[] = [];
  #end: "open" | "data" | Fields = "open";

  constructor(connection: Http2Peer) {
    this.connection = connection;
  }

  attach(stream: Http2Stream<PeerStream>): void {
    this.#stream = stream;
  }

  get over(): boolean {
    return this.complete || this.resetCode !== null;
  }

  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  body(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }

  header(name: string): string | null {
    return fieldOf(this.head ?? [], name);
  }

  trailer(name: string): string | null {
    return fieldOf(this.trailers ?? [], name);
  }

  get status(): number {
    return Number(this.header(":status"));
  }

  sendHead(fields: Fields, last: boolean): void {
    if (this.#dead) return;
    if (last) this.sentAll = true;
    this.connection.engine.sendHead(this.#stream!, fieldList(fields), last);
    this.connection.flush();
  }

  /** Queues bytes; they go as windows let them. */
  sendBody(bytes: Uint8Array, last = false): void {
    if (this.#dead) return;
    if (bytes.length > 0) this.#unsent.push(bytes);
    if (last) this.#end = "data";
    this.pump();
    this.connection.flush();
  }

  /** Ends the message behind what is queued. */
  sendTrailers(fields: Fields): void {
    if (this.#dead) return;
    this.#end = fields;
    this.pump();
    this.connection.flush();
  }

  /** Everything that makes a whole response. */
  respond(head: Fields, body: Uint8Array, trailers: Fields = []): void {
    const headOnly = body.length === 0 && trailers.length === 0;
    this.sendHead(head, headOnly);
    if (headOnly) return;
    this.sendBody(body, trailers.length === 0);
    if (trailers.length > 0) this.sendTrailers(trailers);
  }

  reset(code: ErrorCode = ErrorCode.Cancel): void {
    if (this.#dead) return;
    this.sentAll = true;
    this.connection.engine.reset(this.#stream!, code);
    this.#stream = null;
    this.connection.flush();
  }

  /** After a whole message of its own: says that the rest of the other side's is not wanted. */
  stop(): void {
    if (this.#stream === null || this.connection.gone || this.complete) return;
    this.connection.engine.reset(this.#stream, ErrorCode.NoError);
    this.#stream = null;
    this.connection.flush();
  }

  get heldBytes(): number {
    return this.#held;
  }

  /** Gives `bytes` of what is held back to the sender as room for more. */
  take(bytes: number): void {
    const count = Math.min(bytes, this.#held);
    if (count === 0 || this.#stream === null || this.resetCode !== null || this.connection.gone) return;
    this.#held -= count;
    this.connection.engine.consumed(this.#stream, count);
    this.connection.flush();
  }

  pump(): void {
    while (this.#unsent.length > 0 && !this.#dead) {
      const next = this.#unsent[0]!;
      const last = this.#end === "data" && this.#unsent.length === 1;
      const sent = this.connection.engine.sendData(this.#stream!, next, 0, next.length, last);
      if (sent < next.length) {
        this.#unsent[0] = next.subarray(sent);
        return;
      }
      this.#unsent.shift();
      if (last) this.sentAll = true;
    }
    if (this.#dead || this.#end === "open" || this.sentAll) return;
    this.sentAll = true;
    if (this.#end === "data") this.connection.engine.sendData(this.#stream!, new Uint8Array(0), 0, 0, true);
    else this.connection.engine.sendTrailers(this.#stream!, fieldList(this.#end));
  }

  gotHead(fields: Fields, last: boolean): void {
    const status = Number(fieldOf(fields, ":status") ?? 0);
    if (status >= 100 && status < 200) {
      this.interims.push(fields);
      return;
    }
    if (this.head !== null) throw new Error("a second head");
    this.head = fields;
    this.complete = last;
    this.onHead();
    if (last && status > 0) this.onEnd();
  }

  gotData(bytes: Uint8Array, last: boolean): void {
    this.#chunks.push(bytes);
    this.#bodyBytes += bytes.length;
    this.#held += bytes.length;
    if (last) this.complete = true;
    this.onData(bytes);
    if (!this.holdsBack) this.take(bytes.length);
    if (last) this.onEnd();
  }

  gotTrailers(fields: Fields): void {
    this.trailers = fields;
    this.complete = true;
    this.onEnd();
  }

  gotReset(code: ErrorCode, by: ResetBy): void {
    this.resetCode = code;
    this.resetBy = by;
    this.#stream = null;
    this.onReset();
  }

  get #dead(): boolean {
    return this.#stream === null || this.connection.gone || this.sentAll;
  }
}

/** A server on this machine's address that speaks HTTP/2 with whoever connects. */
export function serveHttp2(
  kernel: ScriptedIo,
  address: string,
  onStream: (stream: PeerStream) => void,
  settings: Http2Settings = PEER_SETTINGS,
  onConnection: (connection: Http2Peer) => void = () => undefined,
): Http2Peer[] {
  const connections: Http2Peer[] = [];
  kernel.onConnect(address, (peer) => {
    const connection = new Http2Peer(kernel, peer, Role.Server, settings);
    connection.onStream = onStream;
    connections.push(connection);
    onConnection(connection);
  });
  return connections;
}

export function fieldOf(fields: Fields, wanted: string): string | null {
  return fields.find(([name]) => name === wanted)?.[1] ?? null;
}

export function fieldList(fields: Fields): FieldList {
  const list = new FieldList();
  for (const [name, value] of fields) list.addText(name, value);
  return list;
}

function textsOf(fields: FieldList): Fields {
  const texts: [string, string][] = [];
  for (let i = 0; i < fields.count; i++) {
    if (!fields.dropped(i)) texts.push([fields.nameText(i), fields.valueText(i)]);
  }
  return texts;
}

class ArraySink implements FrameSink {
  bytes: Uint8Array = new Uint8Array(1024);
  end = 0;

  reserve(count: number): void {
    if (this.end + count <= this.bytes.length) return;
    const larger = new Uint8Array(2 * (this.end + count));
    larger.set(this.bytes.subarray(0, this.end));
    this.bytes = larger;
  }

  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.end);
    this.end = 0;
    return taken;
  }
}
