import { expect } from "bun:test";
import type { ScriptedIo, ScriptedPeer } from "@bowline/testkit";
import { ErrorCode, type Http2Settings, ResetBy, Role } from "@bowline/wire";
import { type Fields, Http2Peer, PEER_SETTINGS, type PeerStream } from "./http2-peer.case.test.ts";
import type { ConnectionChoice, ExchangeScript, Message } from "./http2-script.case.test.ts";

/** What the servers of a world do to whole connections. */
export interface ServerConduct {
  readonly allows: ConnectionChoice;
  /** Each connection says GOAWAY behind so many streams, and takes no more. */
  readonly goAwayAfter: number | null;
  /** Each connection is lost so long after it was made. */
  readonly dieAfterMs: number | null;
  /** The network loses connections, too. */
  readonly lossy?: boolean;
  /** The proxy may send requests again that a server has answered. */
  readonly repeats?: boolean;
}

const BITE_BYTES = 700;
const BITE_EVERY_MS = 3;

/** Clients and servers that follow scripts, and what each of them saw. */
export class Http2Play {
  readonly arrivals: Map<number, PeerStream[]> = new Map();
  readonly asked: Map<number, PeerStream> = new Map();
  readonly clients: Http2Peer[] = [];
  readonly servers: Http2Peer[] = [];
  readonly #kernel: ScriptedIo;
  readonly #scripts = new Map<number, ExchangeScript>();
  readonly #gaveUp = new Set<number>();
  readonly #refused = new Map<number, number>();
  readonly #conduct: ServerConduct;
  /** The proxy takes no connections any more: what it has not taken so far stays unasked. */
  stopped = false;
  #unasked = 0;

  constructor(kernel: ScriptedIo, conduct: ServerConduct) {
    this.#kernel = kernel;
    this.#conduct = conduct;
  }

  get scripts(): readonly ExchangeScript[] {
    return [...this.#scripts.values()];
  }

  /** Every exchange has come to some end at its client. */
  get over(): boolean {
    return (
      this.#unasked === 0 && this.scripts.every(({ id }) => this.#gaveUp.has(id) || this.asked.get(id)?.over === true)
    );
  }

  /** What is not over, for the message of a test that hangs. */
  get pending(): string {
    const lines = this.scripts.map(({ id }) => {
      const stream = this.asked.get(id);
      if (this.#gaveUp.has(id) || stream?.over === true) return "";
      const seen = (this.arrivals.get(id) ?? []).map((it) => `${it.complete}/${it.sentAll}/${it.resetCode}`).join(" ");
      const refused = this.#refused.get(id) ?? 0;
      return `${id}: asked ${stream !== undefined}, sent ${stream?.sentAll}, arrived ${seen}, refused ${refused}`;
    });
    const ends = [...this.clients, ...this.servers].map(
      ({ peer, engine, gone, goAwayCode }) =>
        `${peer.address}: open ${engine.openStreams}, gone ${gone}, fault ${engine.errorReason}, GOAWAY ${goAwayCode}`,
    );
    return [...lines, ...ends].filter((line) => line !== "").join("\n");
  }

  /** A client with its exchanges, on one connection for as long as that takes any. */
  play(connect: () => ScriptedPeer, allows: ConnectionChoice, scripts: readonly ExchangeScript[]): void {
    let client: Http2Peer | null = null;
    const connection = (): Http2Peer | null => {
      if (client !== null && !client.gone && !client.engine.goingAway) return client;
      if (this.stopped) return null;
      client = new Http2Peer(this.#kernel, connect(), Role.Client, settingsOf(allows));
      this.clients.push(client);
      return client;
    };
    for (const script of scripts) {
      this.#scripts.set(script.id, script);
      this.#unasked += 1;
      this.#kernel.after(script.startMs, () => this.#ask(connection, script));
    }
  }

  serveAt(address: string): void {
    this.#kernel.onConnect(address, (peer) => this.serve(peer));
  }

  /** Clients leave. */
  leave(): void {
    for (const client of this.clients) client.close();
  }

  /** From now on the proxy takes no connections; those that it has not answered so far it need not have taken. */
  stop(): void {
    this.stopped = true;
    for (const client of this.clients) {
      if (client.engine.settingsSeen) continue;
      for (const [id, stream] of this.asked) if (stream.connection === client) this.#gaveUp.add(id);
      client.reset();
    }
  }

  get #lossy(): boolean {
    return this.#conduct.dieAfterMs !== null || this.#conduct.lossy === true;
  }

  /** A connection from the proxy to one of the world's servers. */
  serve(peer: ScriptedPeer): void {
    const { allows, goAwayAfter, dieAfterMs } = this.#conduct;
    const server = new Http2Peer(this.#kernel, peer, Role.Server, settingsOf(allows));
    this.servers.push(server);
    server.onStream = (stream) => {
      this.#answer(stream);
      if (goAwayAfter !== null && server.streams.length === goAwayAfter) server.engine.goAway(ErrorCode.NoError);
    };
    if (dieAfterMs !== null) this.#kernel.after(dieAfterMs, () => server.reset());
  }

  #ask(connection: () => Http2Peer | null, script: ExchangeScript): void {
    const { head, body, trailers } = script.request;
    const headOnly = body.length === 0 && trailers.length === 0;
    const client = connection();
    if (client === null) {
      this.#unasked -= 1;
      this.#scripts.delete(script.id);
      return;
    }
    const stream = client.open(head, headOnly);
    if (stream === null) {
      this.#kernel.after(1, () => this.#ask(connection, script));
      return;
    }
    this.#unasked -= 1;
    this.asked.set(script.id, stream);
    if (script.clientReadsSlowly) this.#bite(stream);
    stream.onReset = () => {
      if (stream.resetBy !== ResetBy.Unprocessed || stream.head !== null) return;
      // It came behind the proxy's GOAWAY.
      this.#unasked += 1;
      this.asked.delete(script.id);
      this.#kernel.after(1, () => this.#ask(connection, script));
    };
    if (!headOnly) {
      stream.sendBody(body, trailers.length === 0);
      if (trailers.length > 0) stream.sendTrailers(trailers);
    }
    if (script.clientResetMs === null) return;
    this.#kernel.after(script.clientResetMs, () => {
      if (stream.over) return;
      this.#gaveUp.add(script.id);
      stream.reset();
    });
  }

  #answer(stream: PeerStream): void {
    if (stream.header("x-id") === null) {
      // Not of these clients.
      stream.sendHead([[":status", "204"]], true);
      return;
    }
    const id = Number(stream.header("x-id"));
    const script = this.#scripts.get(id);
    if (script === undefined) throw new Error(`a request that nobody sent: ${JSON.stringify(stream.head)}`);
    const refused = this.#refused.get(id) ?? 0;
    if (refused < script.refusals) {
      this.#refused.set(id, refused + 1);
      // Sometimes with a part of the body on its way already.
      this.#kernel.after(script.thinkMs, () => stream.reset(ErrorCode.RefusedStream));
      return;
    }
    const before = this.arrivals.get(id);
    if (before === undefined) this.arrivals.set(id, [stream]);
    else before.push(stream);
    if (script.serverReadsSlowly) this.#bite(stream);
    if (script.early) this.#respond(script, stream);
    else stream.onEnd = () => this.#kernel.after(script.thinkMs, () => this.#respond(script, stream));
  }

  #respond({ response, serverReset, stops }: ExchangeScript, stream: PeerStream): void {
    for (const interim of response.interims) stream.sendHead(interim, false);
    if (serverReset !== null && serverReset.afterBytes < 0) {
      stream.reset(serverReset.code);
      return;
    }
    if (serverReset !== null) {
      const { afterBytes, code } = serverReset;
      stream.sendHead(response.head, false);
      stream.sendBody(response.body.subarray(0, afterBytes));
      this.#kernel.after(5, () => stream.reset(code));
      return;
    }
    stream.respond(response.head, response.body, response.trailers);
    if (stops) this.#stopOnceSent(stream);
  }

  #stopOnceSent(stream: PeerStream): void {
    if (stream.over || stream.connection.gone) return;
    if (stream.sentAll) stream.stop();
    else this.#kernel.after(1, () => this.#stopOnceSent(stream));
  }

  #bite(stream: PeerStream): void {
    stream.holdsBack = true;
    const again = (): void => {
      stream.take(BITE_BYTES);
      if (stream.resetCode === null && !(stream.complete && stream.heldBytes === 0) && !stream.connection.gone) {
        this.#kernel.after(BITE_EVERY_MS, again);
      }
    };
    this.#kernel.after(BITE_EVERY_MS, again);
  }

  /** Whether each request is asked once and answered once, whatever the answer. */
  get plain(): boolean {
    const { goAwayAfter, allows } = this.#conduct;
    const always = goAwayAfter === null && !this.#lossy && allows.streamsMax === 0;
    return always && this.scripts.every(({ refusals, clientResetMs }) => refusals === 0 && clientResetMs === null);
  }

  /** How many response heads with this status clients have seen. */
  answered(status: number): number {
    return this.scripts.filter(({ id }) => this.asked.get(id)?.status === status).length;
  }

  /** Checks every exchange. */
  judge(): void {
    const faults = [...this.clients, ...this.servers].map(({ engine }) => engine.errorReason);
    expect(faults.filter((fault) => fault !== "")).toEqual([]);
    for (const script of this.scripts) {
      const arrivals = this.arrivals.get(script.id) ?? [];
      for (const arrival of arrivals) judgeArrival(script, arrival);
      if (arrivals.length > 1 && this.#conduct.repeats !== true)
        throw new Error(`request ${script.id} was processed ${arrivals.length} times`);
      const lossy = this.#lossy;
      this.#judgeAnswer(script, this.asked.get(script.id)!, arrivals[0] ?? null, lossy);
    }
  }

  #judgeAnswer(script: ExchangeScript, stream: PeerStream, arrival: PeerStream | null, lossy: boolean): void {
    const { id, serverReset } = script;
    if (this.#gaveUp.has(id)) {
      // Its server hears of it unless it had done its part before.
      if (arrival !== null) expect(`${id} ${arrival.sentAll || arrival.over}`).toBe(`${id} true`);
      return;
    }
    if (stream.resetCode !== null && !stream.complete) {
      if (lossy) return;
      expect(`${id} reset by script: ${serverReset !== null}`).toBe(`${id} reset by script: true`);
      expect(stream.resetCode).toBe(serverReset!.code);
      judgePart(script, stream);
      return;
    }
    if (stream.header("x-answers") === null) {
      // Lost with the connection, or refused too often, or when too much of it was on its way.
      const unlucky =
        this.#conduct.goAwayAfter !== null || (script.refusals > 0 && script.request.body.length > 65_536);
      const excuse = lossy || unlucky ? "" : `: ${JSON.stringify(stream.head)}`;
      expect(`${id} is answered${excuse}`).toBe(`${id} is answered`);
      // A connection that is lost before it can be used may look as if there was none.
      if (!lossy) expect([id, stream.status]).toEqual([id, script.grpc ? 200 : 502]);
      return;
    }
    if (lossy && script.grpc && stream.trailer("grpc-status") === "4") {
      // A route's timeout ends the response of a gRPC call so.
      judgePart(script, stream);
      return;
    }
    expect([id, serverReset]).toEqual([id, null]);
    expect(stream.interims).toEqual(script.response.interims as Fields[]);
    judgeMessage(script.response, stream);
    if (!script.early && !lossy) expect([id, arrival?.complete]).toEqual([id, true]);
  }
}

/** Runs until every exchange is over; says which is not when that does not happen. */
export function runTo(play: Http2Play, run: (until: () => boolean) => void): void {
  try {
    run(() => play.over);
  } catch (error) {
    const what = error instanceof Error ? error.message.split("\n")[0] : "";
    throw new Error(`${what}; pending:\n${play.pending}`, { cause: error });
  }
}

function judgeArrival(script: ExchangeScript, arrival: PeerStream): void {
  if (arrival.complete) judgeMessage(script.request, arrival);
  else judgeBeginning(script.request, arrival);
}

function judgePart({ response }: ExchangeScript, stream: PeerStream): void {
  if (stream.head !== null) judgeBeginning(response, stream);
}

function judgeBeginning(wanted: Message, stream: PeerStream): void {
  // But for what the proxy says itself.
  expect(stream.head?.filter(([name]) => !name.startsWith("l5d-"))).toEqual([...wanted.head]);
  const body = stream.body();
  const at = body.findIndex((byte, index) => byte !== wanted.body[index]);
  if (at >= 0)
    throw new Error(`byte ${at} of ${wanted.body.length}, ${body.length} here, of ${JSON.stringify(wanted.head)}`);
}

function judgeMessage(wanted: Message, stream: PeerStream): void {
  judgeBeginning(wanted, stream);
  expect(stream.bodyBytes).toBe(wanted.body.length);
  expect(stream.trailers ?? []).toEqual(wanted.trailers as Fields);
}

function settingsOf({ streamWindow, connectionWindow, streamsMax }: ConnectionChoice): Http2Settings {
  return {
    ...PEER_SETTINGS,
    initialStreamWindowBytes: streamWindow,
    initialConnectionWindowBytes: connectionWindow,
    concurrentStreamsMax: streamsMax,
  };
}
