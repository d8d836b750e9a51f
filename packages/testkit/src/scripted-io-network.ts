import { Errno } from "@bowline/sys";
import type { ListenerFile } from "./scripted-io-files.ts";
import { ScriptedPeer } from "./scripted-io-peer.ts";
import { TcpEnd, type World } from "./scripted-io-tcp.ts";

/** What a connect to an address meets: an application, no listener, silence, or an errno from `connect` itself. */
export type ConnectOutcome = ((server: ScriptedPeer) => void) | "refuse" | "silence" | number;

/** How long Linux tries to connect before ETIMEDOUT: 1 + 2 + 4 … 64 s, with six retries. */
const CONNECT_TIMEOUT_MS = 127_000;
const SYN_RETRY_MS = 1000;
/** A connection that the network tears down lives up to this long. */
const TORN_WITHIN_MS = 300;

/** Who listens where, and how connections come to be. */
export class ScriptedNetwork {
  readonly outcomes: Map<string, ConnectOutcome> = new Map();
  readonly #world: World;
  readonly #listeners = new Map<string, ListenerFile>();
  #lastPort = 32_768;

  constructor(world: World) {
    this.#world = world;
  }

  listen(listener: ListenerFile): void {
    if (this.#listeners.get(listener.address)?.open) throw new Error(`${listener.address} has a listener`);
    this.#listeners.set(listener.address, listener);
  }

  /** An ephemeral port of the machine's own address. */
  newClientAddress(): string {
    this.#lastPort++;
    return `10.255.0.1:${this.#lastPort}`;
  }

  /** A client of the script begins to connect to the code under test. */
  connectClient(to: string, originalDestination: string, from: string = this.newClientAddress()): ScriptedPeer {
    const end = new TcpEnd(this.#world);
    const peer = new ScriptedPeer(this.#world, end, from, originalDestination === "" ? to : originalDestination);
    this.#world.agenda.after(this.#handshakeMs(), () => this.#enter(to, { end, from, originalDestination, peer }));
    return peer;
  }

  /** The code under test connects. @returns 0, or the errno with which `connect` itself fails */
  connectServer(end: TcpEnd, to: string, from: string): number {
    const outcome = this.outcomes.get(to) ?? (this.#listeners.has(to) ? "listener" : "refuse");
    if (typeof outcome === "number") return outcome;
    const { agenda, adversity } = this.#world;
    if (outcome === "silence") {
      agenda.after(CONNECT_TIMEOUT_MS, () => end.fail(Errno.ETIMEDOUT));
      return 0;
    }
    const decide = (): void => {
      if (end.closed) return;
      if (outcome === "refuse") end.fail(Errno.ECONNREFUSED);
      else if (outcome === "listener") this.#enter(to, { end, from, originalDestination: "", peer: null });
      else this.#meetServer(end, to, from, outcome);
    };
    // On the same machine the answer may be there before connect returns.
    const atOnce = adversity.connectMsMax === 0 && outcome !== "listener";
    if (atOnce && outcome === "refuse") return Errno.ECONNREFUSED;
    if (atOnce) decide();
    else agenda.after(this.#handshakeMs(), decide);
    return 0;
  }

  #meetServer(end: TcpEnd, to: string, from: string, serve: (server: ScriptedPeer) => void): void {
    const serverEnd = new TcpEnd(this.#world);
    const server = new ScriptedPeer(this.#world, serverEnd, to, from);
    end.establish(serverEnd);
    this.#maybeTear(end, serverEnd, server);
    serve(server);
  }

  /** The handshake with a listener; while its backlog is full Linux drops the SYN, and the client tries again. */
  #enter(to: string, client: Client): void {
    const { end, from, originalDestination, peer } = client;
    if (end.closed) return;
    const listener = this.#listeners.get(to);
    if (!listener?.open) {
      end.fail(Errno.ECONNREFUSED);
      return;
    }
    if (listener.waiting.length >= listener.backlogMax) {
      this.#world.agenda.after(SYN_RETRY_MS, () => this.#enter(to, client));
      return;
    }
    const accepted = new TcpEnd(this.#world);
    listener.waiting.push({ end: accepted, localAddress: to, peerAddress: from, originalDestination, peer });
    end.establish(accepted);
    this.#maybeTear(end, accepted, peer);
  }

  #maybeTear(one: TcpEnd, other: TcpEnd, peer: ScriptedPeer | null): void {
    const { random, agenda, adversity } = this.#world;
    if (!random.chance(adversity.networkReset)) return;
    agenda.after(random.fraction() * TORN_WITHIN_MS, () => {
      if (one.closed || other.closed) return;
      if (peer !== null) peer.torn = true;
      one.resetArrives();
      other.resetArrives();
    });
  }

  #handshakeMs(): number {
    return this.#world.random.fraction() * this.#world.adversity.connectMsMax;
  }
}

interface Client {
  readonly end: TcpEnd;
  readonly from: string;
  readonly originalDestination: string;
  readonly peer: ScriptedPeer | null;
}
