import { expect } from "bun:test";
import type { ScriptedIo, ScriptedPeer } from "@bowline/testkit";
import { isReplayable, type RequestScript, type ResponseScript, type Session } from "./http1-script.case.test.ts";
import { expectSameRequest, expectSameResponse } from "./message-meaning.case.test.ts";
import { type BodyEnd, framingOf, MessageReader, type WireMessage } from "./message-reader.case.test.ts";

/** What a client got for a request. */
interface Answer {
  readonly interims: readonly string[];
  readonly response: WireMessage;
}

export interface Expectations {
  /** Servers may close connections without a word: requests may go twice, or come back as 502. */
  readonly silentCloses: boolean;
  /** The proxy stops at some moment: what no server got may stay without an answer. */
  readonly draining: boolean;
  /** Messages go over HTTP/2 on the way: their framing, the case of names and reason phrases may change. */
  readonly translated?: boolean;
}

/** A world of clients and servers that follow scripts, and what each of them saw. */
export class Http1Play {
  readonly arrivals: Map<number, WireMessage[]> = new Map();
  readonly answers: Map<number, Answer> = new Map();
  readonly troubles: string[] = [];
  readonly clients: ClientPlay[];
  /** The proxy is going: it may close connections on which nothing is in flight. */
  mayReset = false;
  serverReadBytes = 0;
  serverSentBytes = 0;
  readonly #kernel: ScriptedIo;
  readonly #scripts = new Map<number, RequestScript>();

  constructor(
    kernel: ScriptedIo,
    sessions: readonly Session[],
    connect: (target: string) => ScriptedPeer,
    targets: ReadonlyMap<string, string>,
  ) {
    this.#kernel = kernel;
    for (const { requests } of sessions) for (const one of requests) this.#scripts.set(one.id, one);
    for (const at of targets.values()) kernel.onConnect(at, (peer) => this.#serve(peer));
    this.clients = sessions.map((session) => new ClientPlay(kernel, this, session, () => connect(session.target)));
  }

  get over(): boolean {
    return this.clients.every(({ over }) => over);
  }

  get requests(): readonly RequestScript[] {
    return [...this.#scripts.values()];
  }

  script(head: string): RequestScript {
    const id = Number(/^x-id: (\d+)\r$/m.exec(head)?.[1]);
    const script = this.#scripts.get(id);
    if (script === undefined) throw new Error(`a request that nobody sent: ${head}`);
    return script;
  }

  arrived(script: RequestScript, message: WireMessage): void {
    const before = this.arrivals.get(script.id);
    if (before === undefined) this.arrivals.set(script.id, [message]);
    else before.push(message);
  }

  judge(expected: Expectations): void {
    expect(this.troubles).toEqual([]);
    for (const script of this.requests) {
      const arrivals = this.arrivals.get(script.id) ?? [];
      const answer = this.answers.get(script.id);
      judgeArrivals(script, arrivals, answer, expected);
      if (answer === undefined) {
        if (expected.draining && arrivals.length === 0) continue;
        throw new Error(`request ${script.id} got no answer`);
      }
      judgeAnswer(script, answer, expected);
    }
  }

  #serve(peer: ScriptedPeer): void {
    const server = new ServerPlay(this.#kernel, this, peer);
    peer.onData = (bytes) => {
      this.serverReadBytes += bytes.length;
      server.onData(bytes);
    };
  }
}

function judgeArrivals(
  script: RequestScript,
  arrivals: readonly WireMessage[],
  answer: Answer | undefined,
  { silentCloses, draining, translated }: Expectations,
): void {
  for (const { head, body } of arrivals) {
    if (translated) {
      expectSameRequest({ head, body }, { head: script.wantedHead, body: script.body });
      continue;
    }
    expect(head).toBe(script.wantedHead);
    expect(Buffer.compare(body, script.body)).toBe(0);
  }
  // A server that answers early may never get to read the rest.
  const least =
    draining || script.response.early || (silentCloses && answer !== undefined && isSynthesised(answer)) ? 0 : 1;
  if (arrivals.length >= least && arrivals.length <= 1) return;
  throw new Error(`request ${script.id} arrived ${arrivals.length} times; its answer: ${answer?.response.head}`);
}

function judgeAnswer(script: RequestScript, answer: Answer, expected: Expectations): void {
  const { silentCloses, draining } = expected;
  if (silentCloses && isSynthesised(answer)) {
    expect(answer.response.head).toMatch(/^HTTP\/1\.[01] 502 Bad Gateway\r\n/);
    // Sent in one go on a connection that turned out closed, it would have gone out again.
    expect(`${script.id} replayable: ${isReplayable(script)}`).toBe(`${script.id} replayable: false`);
    return;
  }
  const { response } = script;
  if (expected.translated) {
    judgeTranslated(script, answer, draining);
    return;
  }
  const closes = script.closing || response.endsByClose;
  const said = closes ? "connection: close\r\n" : script.http10 ? "connection: keep-alive\r\n" : "";
  const wanted = response.startLine + said + response.wantedFields;
  const head = draining && !closes ? withoutSaid(answer.response.head, response.startLine) : answer.response.head;
  expect(head).toBe(draining && !closes ? response.startLine + response.wantedFields : wanted);
  expect(answer.interims).toEqual(script.http10 ? [] : wantedInterims(script));
  expect(Buffer.compare(answer.response.body, response.body)).toBe(0);
}

function judgeTranslated(script: RequestScript, { interims, response }: Answer, draining: boolean): void {
  const { response: wantedResponse } = script;
  // Elsewhere a body that ended with its connection goes on in chunks.
  const { startLine, wantedFields, body, endsByClose } = wantedResponse;
  const toClose = endsByClose && (script.http10 || startLine.startsWith("HTTP/1.0"));
  const closes = script.closing || toClose;
  const said = closes ? "connection: close\r\n" : script.http10 ? "connection: keep-alive\r\n" : "";
  const got =
    draining && !closes ? { ...response, head: withoutSaid(response.head, statusLineOf(response)) } : response;
  const head = startLine + (draining && !closes ? "" : said) + wantedFields;
  expectSameResponse(got, { head, body });
  const wanted = script.http10 ? [] : wantedInterims(script);
  expect(interims.length).toBe(wanted.length);
  for (const [i, interim] of wanted.entries()) {
    expectSameResponse({ head: interims[i] ?? "", body: NO_BODY }, { head: interim, body: NO_BODY });
  }
}

const NO_BODY = new Uint8Array();

function statusLineOf({ head }: WireMessage): string {
  return head.slice(0, head.indexOf("\r\n") + 2);
}

/** A draining proxy may say close where it would have said nothing, or keep-alive. */
function withoutSaid(head: string, startLine: string): string {
  const rest = head.slice(startLine.length);
  return startLine + rest.replace(/^connection: (?:close|keep-alive)\r\n/, "");
}

function wantedInterims({ expectContinue, response }: RequestScript): string[] {
  return [...(expectContinue ? [CONTINUE] : []), ...response.interims.map(({ wanted }) => wanted)];
}

function isSynthesised({ response }: Answer): boolean {
  return !/^x-answers:/im.test(response.head);
}

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

/** One connection at a server. */
class ServerPlay {
  readonly #kernel: ScriptedIo;
  readonly #play: Http1Play;
  readonly #peer: ScriptedPeer;
  readonly #reader: MessageReader;
  #script: RequestScript | null = null;
  #requestDone = false;
  #responseSent = false;
  #left = false;

  constructor(kernel: ScriptedIo, play: Http1Play, peer: ScriptedPeer) {
    this.#kernel = kernel;
    this.#play = play;
    this.#peer = peer;
    this.#reader = new MessageReader((head) => framingOf(head) ?? 0);
    this.#reader.onHead = (head) => this.#onHead(head);
    this.#reader.onMessage = (message) => this.#onMessage(message);
    peer.onEnd = () => this.#leave();
  }

  onData(bytes: Uint8Array): void {
    if (!this.#left) this.#reader.push(bytes);
  }

  #onHead(head: string): void {
    if (this.#left) return;
    if (this.#script !== null) this.#play.troubles.push(`a request before the one before was answered: ${head}`);
    const script = this.#play.script(head);
    this.#script = script;
    this.#requestDone = false;
    this.#responseSent = false;
    if (script.expectContinue) this.#send(CONTINUE);
    if (script.response.early) this.#respond(script.response);
  }

  #onMessage(message: WireMessage): void {
    // It came with the rest of a request that was answered early, and stays unread.
    if (this.#left) return;
    const script = this.#script!;
    this.#requestDone = true;
    this.#play.arrived(script, message);
    if (!script.response.early) this.#respond(script.response);
    else this.#maybeNext(script.response);
  }

  #respond(response: ResponseScript): void {
    const whole = Buffer.concat([Buffer.from(response.head, "latin1"), response.body]);
    const cutAt = Math.min(response.cutAt, whole.length);
    this.#kernel.after(response.thinkMs, () => {
      for (const interim of response.interims) this.#send(interim.sent);
      this.#send(whole.subarray(0, cutAt));
      const rest = (): void => {
        this.#send(whole.subarray(cutAt));
        this.#responseSent = true;
        if (response.endsByClose) this.#peer.end();
        this.#maybeNext(response);
      };
      if (cutAt === whole.length) rest();
      else this.#kernel.after(response.gapMs, rest);
    });
  }

  #maybeNext({ afterwards }: ResponseScript): void {
    if (!this.#requestDone || !this.#responseSent || this.#left) return;
    this.#script = null;
    if (afterwards !== "keep") this.#leave();
  }

  /** Closes once its kernel has the last byte, as an application's close does. */
  #leave(): void {
    this.#left = true;
    if (this.#peer.unsentBytes > 0 && this.#peer.errno === 0) this.#kernel.after(1, () => this.#leave());
    else this.#peer.close();
  }

  #send(bytes: Uint8Array | string): void {
    this.#play.serverSentBytes += bytes.length;
    this.#peer.send(bytes);
  }
}

/** One client application: sends its requests over as many connections as it takes. */
export class ClientPlay {
  over = false;
  sentBytes = 0;
  receivedBytes = 0;
  connections = 0;
  readonly #kernel: ScriptedIo;
  readonly #play: Http1Play;
  readonly #session: Session;
  readonly #connect: () => ScriptedPeer;
  #peer: ScriptedPeer | null = null;
  #reader: MessageReader | null = null;
  /** Requests answered so far, and sent on this connection. */
  #answered = 0;
  #sent = 0;
  #interims: string[] = [];
  #bodyHeldBack: Uint8Array | null = null;
  #said = false;

  constructor(kernel: ScriptedIo, play: Http1Play, session: Session, connect: () => ScriptedPeer) {
    this.#kernel = kernel;
    this.#play = play;
    this.#session = session;
    this.#connect = connect;
    kernel.after(session.startMs, () => this.#open());
  }

  /** The request whose answer comes next. */
  get #current(): RequestScript | undefined {
    return this.#session.requests[this.#answered];
  }

  #open(): void {
    const peer = this.#connect();
    this.#peer = peer;
    this.connections += 1;
    this.#sent = this.#answered;
    this.#interims = [];
    this.#said = false;
    this.#reader = new MessageReader((head) => this.#bodyEnd(head));
    this.#reader.onMessage = (message) => this.#onMessage(message);
    if (this.#session.reads === "slowly") peer.readSlowly(9000, 3);
    peer.onData = (bytes) => {
      this.receivedBytes += bytes.length;
      this.#reader?.push(bytes);
    };
    peer.onEnd = () => this.#onEnd(peer);
    peer.onFailed = (errno) => this.#onFailed(peer, errno);
    if (this.#session.pipelined) this.#sendAll();
    else this.#sendNext();
  }

  #sendAll(): void {
    const { requests, ending } = this.#session;
    const rest = requests.slice(this.#answered);
    for (const { head, body } of rest) this.#send(Buffer.concat([Buffer.from(head, "latin1"), body]));
    this.#sent = requests.length;
    // A client that has ended is not waited for as long as one that has not; see HALF_CLOSED_MS.
    if (ending === "end early") this.#peer?.end();
  }

  #sendNext(): void {
    const script = this.#session.requests[this.#sent];
    if (script === undefined) return;
    this.#sent += 1;
    this.#send(Buffer.from(script.head, "latin1"));
    this.#bodyHeldBack = script.body;
    if (script.expectContinue) this.#kernel.after(1000, () => this.#sendBody(script.body));
    else this.#sendBody(script.body);
  }

  #sendBody(body: Uint8Array): void {
    if (this.#bodyHeldBack !== body) return;
    this.#bodyHeldBack = null;
    this.#send(body);
  }

  #send(bytes: Uint8Array): void {
    this.sentBytes += bytes.length;
    this.#peer?.send(bytes);
  }

  #bodyEnd(head: string): BodyEnd {
    const status = Number(head.slice(9, 12));
    if (status < 200 || status === 204 || status === 304 || this.#current?.method === "HEAD") return 0;
    return framingOf(head) ?? "close";
  }

  #onMessage(response: WireMessage): void {
    const script = this.#current;
    if (script === undefined) {
      this.#play.troubles.push(`an answer to nothing: ${response.head}`);
      return;
    }
    if (Number(response.head.slice(9, 12)) < 200) {
      this.#interims.push(response.head);
      if (this.#bodyHeldBack !== null) this.#sendBody(this.#bodyHeldBack);
      return;
    }
    this.#play.answers.set(script.id, { interims: this.#interims, response });
    this.#interims = [];
    this.#answered += 1;
    this.#said = /^connection: close\r$/im.test(response.head);
    if (this.#bodyHeldBack !== null) this.#sendBody(this.#bodyHeldBack);
    if (this.#said) return;
    if (this.#answered === this.#session.requests.length) this.#leave();
    else if (!this.#session.pipelined) this.#kernel.after(this.#session.gapMs, () => this.#sendNext());
  }

  /** All answers are there. */
  #leave(): void {
    if (this.#session.ending === "close") {
      // What it sends of the last request's body comes first.
      if ((this.#peer?.unsentBytes ?? 0) > 0) {
        this.#kernel.after(1, () => this.#leave());
        return;
      }
      this.#peer?.close();
      this.over = true;
    } else {
      this.#peer?.end();
    }
  }

  #onEnd(peer: ScriptedPeer): void {
    if (peer !== this.#peer) return;
    if (this.#reader?.busy) {
      this.#kernel.after(0, () => this.#onEnd(peer));
      return;
    }
    if (this.#reader?.end() === false) this.#play.troubles.push(`cut off: ${this.#reader.partial}`);
    peer.end();
    this.#goOn(peer);
  }

  /** After an answer that said close, a reset of what is sent behind it is fair. */
  #onFailed(peer: ScriptedPeer, errno: number): void {
    if (peer !== this.#peer) return;
    if (this.#reader?.busy) {
      this.#kernel.after(0, () => this.#onFailed(peer, errno));
      return;
    }
    if (this.#reader?.idle === false) this.#play.troubles.push(`reset (${errno}) within ${this.#reader.partial}`);
    if (!this.#said && !this.#play.mayReset) this.#play.troubles.push(`reset (${errno}) between answers`);
    this.#goOn(peer);
  }

  #goOn(peer: ScriptedPeer): void {
    this.#peer = null;
    if (peer.errno === 0 && this.#current !== undefined && !this.#said && !this.#play.mayReset) {
      this.#play.troubles.push("ended without having said so");
    }
    if (this.#current === undefined || this.#play.mayReset) this.over = true;
    else this.#open();
  }
}
