import { Timer, type TimerOwner } from "@bowline/loop";
import type { Http2Settings } from "@bowline/wire";
import type { Call } from "../call/call.ts";
import { CallQueue } from "../call/call-queue.ts";
import { Cause, connectCause } from "../failures.ts";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";
import { Http2Client } from "./relay.ts";
import { http2EndpointSettings } from "./settings.ts";

/** Connections to one endpoint at most, without those that only end what they have; what its stream limits leave no room for waits. */
const CONNECTIONS_MAX = 8;

/** What a server takes before it has said how many streams it allows (RFC 9113 §6.5.2). */
const STREAMS_FIRST_MAX = 100;

const RECONNECT_TIMER = 0;
const FAILFAST_TIMER = 1;

export interface KeepAlive {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/**
 * The HTTP/2 connections to one endpoint: mostly one. Further ones come when the server's stream limit leaves calls
 * waiting. While the endpoint cannot be reached it is tried again with backoff for as long as calls wait; those that have
 * waited for the failfast time fail, and so do new ones until a connection stands (proxy-facts §4.8).
 */
export class Http2Pool implements TimerOwner {
  readonly target: Target;
  /** PINGs while calls are open, where the endpoint is known to want them; null for none. */
  readonly keepAlive: KeepAlive | null;
  readonly settings: Http2Settings;
  /** Calls that a new connection gets before its server has said how many: not more than it said last time. */
  streamsMax: number = STREAMS_FIRST_MAX;
  readonly #side: Side;
  readonly #clients: Http2Client[] = [];
  readonly #waiting: CallQueue = new CallQueue();
  readonly #reconnectTimer: Timer = new Timer(this, RECONNECT_TIMER);
  readonly #failfastTimer: Timer = new Timer(this, FAILFAST_TIMER);
  #failures = 0;
  #failfast = false;
  /** When a call was last failed for that. */
  #failfastMs = 0;
  #retired = false;

  constructor(side: Side, target: Target) {
    this.#side = side;
    this.target = target;
    this.keepAlive = keepAliveOf(target);
    this.settings = http2EndpointSettings(side.plane.http2ClientSettings, target.meta?.http2 ?? null);
    side.http2Pools.add(this);
  }

  /** Sends the call, now or once a connection has room for it. */
  send(call: Call): void {
    const client = this.#clientWithRoom();
    if (client?.ask(call)) return;
    if (this.#failfast) {
      this.#failfastMs = this.#side.plane.reactor.nowMs;
      call.refuse(Cause.Failfast, this.target.name);
      return;
    }
    if (this.#waiting.length >= this.#side.httpQueueCapacity) {
      call.refuse(Cause.LoadShed, "");
      return;
    }
    this.#waiting.append(call);
    if (!this.#failfastTimer.scheduled) this.#scheduleFailfast();
    this.#connectIfWanted();
  }

  /** The endpoint is no longer one: no new calls; waiting ones are the caller's. */
  retire(): CallQueue {
    this.#retired = true;
    this.#reconnectTimer.cancel();
    this.#failfastTimer.cancel();
    // Backwards: one that closes leaves the list.
    for (let i = this.#clients.length - 1; i >= 0; i--) this.#clients[i]?.retire();
    this.#side.http2Pools.delete(this);
    return this.#waiting;
  }

  /** Closes connections that have carried nothing for `idleMs`; true when there is nothing left to look after. */
  expire(nowMs: number, idleMs: number): boolean {
    const clients = this.#clients;
    for (let i = clients.length - 1; i >= 0; i--) {
      const client = clients[i]!;
      if (client.connecting) continue;
      if (client.calls === 0 && nowMs - client.idleSinceMs >= idleMs) client.retire();
      else client.check(nowMs);
    }
    if (clients.length > 0 || this.#waiting.length > 0) return false;
    // An endpoint that has been found out of reach stays under watch until it is one no more.
    if (this.target.member?.reachable === false) return false;
    // So does one that calls are failed for, as long as there are any.
    if (this.#failfast && nowMs - this.#failfastMs < idleMs) return false;
    this.#reconnectTimer.cancel();
    this.#failfast = false;
    return true;
  }

  onConnected(client: Http2Client): void {
    this.#failures = 0;
    this.#failfast = false;
    this.target.member?.onReachable();
    this.onRoom(client);
  }

  /** The server has said how many streams it allows. */
  onLimit(client: Http2Client, streamsMax: number): void {
    this.streamsMax = Math.min(streamsMax, STREAMS_FIRST_MAX);
    this.onRoom(client);
  }

  onRoom(client: Http2Client): void {
    // The time is for waiting without getting on.
    if (client.hasRoom && this.#failfastTimer.scheduled) this.#scheduleFailfast();
    this.#serveWaiting(client);
    if (this.#waiting.length === 0) this.#failfastTimer.cancel();
    else this.#connectIfWanted();
  }

  onGoAway(_client: Http2Client): void {
    this.#connectIfWanted();
  }

  onConnectFailed(client: Http2Client, errno: number): void {
    this.#remove(client);
    this.#failures += 1;
    const { member } = this.target;
    if (this.#clients.some((other) => !other.connecting)) {
      // It can be reached, but does not take as many connections as there could be use for.
      for (let i = this.#clients.length - 1; i >= 0; i--) this.#serveWaiting(this.#clients[i]!);
    } else if (member !== null) {
      this.#failfastTimer.cancel();
      member.onUnreachable(this.#waiting);
    } else if (this.#side.direction === "inbound") {
      // The application's own port: nobody else will open it in the meantime.
      this.#failAll(connectCause(errno));
    }
    this.#reconnectLater();
  }

  onClosed(client: Http2Client): void {
    this.#remove(client);
    this.#connectIfWanted();
  }

  onTimer(kind: number): void {
    if (kind === RECONNECT_TIMER) {
      if (this.#wanted) this.#connect();
      return;
    }
    if (this.#waiting.length === 0) return;
    this.#failfast = this.#clients.every((client) => client.connecting);
    this.#failfastMs = this.#side.plane.reactor.nowMs;
    this.#failAll(Cause.Failfast);
  }

  get #wanted(): boolean {
    if (this.#retired) return false;
    return this.#waiting.length > 0 || this.#failfast || this.target.member?.reachable === false;
  }

  #serveWaiting(client: Http2Client): void {
    while (client.hasRoom) {
      const call = this.#waiting.shift();
      if (call === null) return;
      if (!client.ask(call)) {
        this.send(call);
        return;
      }
    }
  }

  /** One that is crowded only where there may be no further one. */
  #clientWithRoom(): Http2Client | null {
    const clients = this.#clients;
    let crowded: Http2Client | null = null;
    for (let i = 0; i < clients.length; i++) {
      const client = clients[i]!;
      if (!client.hasRoom) continue;
      if (!client.crowded) return client;
      crowded ??= client;
    }
    return crowded !== null && this.#mayConnect ? null : crowded;
  }

  #connectIfWanted(): void {
    if (this.#waiting.length === 0 || this.#retired || !this.#mayConnect) return;
    // One whose server has not said its limit may turn out to take all that wait.
    if (this.#clients.every((client) => client.goingAway || client.limitKnown)) this.#connect();
  }

  /** Neither are there as many as there may be, nor was one refused just now. */
  get #mayConnect(): boolean {
    if (this.#reconnectTimer.scheduled) return false;
    let usable = 0;
    for (const client of this.#clients) if (!client.goingAway) usable += 1;
    return usable < CONNECTIONS_MAX;
  }

  #connect(): void {
    const client = new Http2Client(this.#side, this);
    client.index = this.#clients.push(client) - 1;
    this.#side.http2Pools.add(this);
    const result = client.connect();
    if (result < 0) this.onConnectFailed(client, -result);
  }

  #reconnectLater(): void {
    if (!this.#wanted || this.#reconnectTimer.scheduled) return;
    const side = this.#side;
    side.plane.reactor.after(this.#reconnectTimer, side.connectBackoffMs(this.#failures - 1));
  }

  #scheduleFailfast(): void {
    this.#side.plane.reactor.after(this.#failfastTimer, this.#side.config.failfastTimeoutMs);
  }

  #failAll(cause: Cause): void {
    this.#failfastTimer.cancel();
    // Those that come while these fail wait for the next time.
    for (let left = this.#waiting.length; left > 0; left--) this.#waiting.shift()?.refuse(cause, this.target.name);
  }

  #remove(client: Http2Client): void {
    const last = this.#clients.pop()!;
    if (last !== client) {
      this.#clients[client.index] = last;
      last.index = client.index;
    }
    client.index = -1;
  }
}

function keepAliveOf(target: Target): KeepAlive | null {
  const params = target.meta?.http2 ?? null;
  if (params === null || params.keepAliveIntervalMs === null || params.keepAliveTimeoutMs === null) return null;
  return { intervalMs: params.keepAliveIntervalMs, timeoutMs: params.keepAliveTimeoutMs };
}
