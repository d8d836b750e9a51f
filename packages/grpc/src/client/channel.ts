import type { Address } from "../byte-stream.ts";
import { GrpcError } from "../grpc-error.ts";
import { GrpcStatus } from "../status.ts";
import { type ChannelOptions, type ChannelSetup, type ChannelState, channelSetup } from "./channel-options.ts";
import type { ClientCall } from "./client-call.ts";
import { ClientSession, type SessionOwner } from "./client-session.ts";

/** How often connections are looked at: the grain of keep-alive and of the engine's limits on slow peers. */
const TICK_MS = 1_000;
/** A connection that lasted so long was no failure, even if no response ever came. */
const LASTING_MS = 10_000;

/** The connection being opened, until the server's SETTINGS are here. */
interface Attempt {
  readonly abort: AbortController;
  session: ClientSession | null;
  settle: ((error: Error | null) => void) | null;
}

/**
 * Connections to one service, opened when calls need them, and again, with back-off, after they failed. Usually there is
 * one; further ones are for calls beyond the number of streams that the server allows on each.
 */
export class GrpcChannel implements SessionOwner {
  readonly setup: ChannelSetup;
  readonly #sessions = new Map<ClientSession, { readonly sinceMs: number }>();
  /** Calls without a connection, in order of arrival. */
  readonly #waiting = new Set<ClientCall>();
  #attempt: Attempt | null = null;
  #cancelBackoff: (() => void) | null = null;
  #cancelTick: (() => void) | null = null;
  #lastError: Error | null = null;
  #state: ChannelState = "idle";
  #closed = false;

  constructor(options: ChannelOptions) {
    this.setup = channelSetup(options);
  }

  get state(): ChannelState {
    return this.#state;
  }

  /** Calls that wait for a connection or for room on one. */
  get waitingCalls(): number {
    return this.#waiting.size;
  }

  /** Ends the connections and with them, as CANCELLED, all calls. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const error = new GrpcError(GrpcStatus.Cancelled, "channel closed");
    this.#cancelBackoff?.();
    this.#cancelBackoff = null;
    this.#attempt?.abort.abort(error);
    for (const call of this.#waiting) call.end(error, true);
    for (const session of this.#sessions.keys()) session.close(error);
    this.#updateState();
  }

  // === for the calls ===

  /** Finds a connection for a call, or has it wait for one, or ends it. */
  dispatch(call: ClientCall): void {
    if (this.#closed) {
      call.end(new GrpcError(GrpcStatus.Cancelled, "channel closed"), true);
    } else if (this.#waiting.size > 0 || !this.#openSomewhere(call)) {
      this.#wait(call);
    }
  }

  /** A call ended before it had a connection. */
  forget(call: ClientCall): void {
    this.#waiting.delete(call);
  }

  // === from the sessions ===

  onSessionReady(session: ClientSession): void {
    if (this.#attempt?.session === session) this.#attempt.settle?.(null);
  }

  onSessionRoom(_session: ClientSession): void {
    this.#serveWaiting();
  }

  onSessionGoingAway(_session: ClientSession): void {
    this.#updateState();
    this.#connectIfWanted();
  }

  onSessionClosed(session: ClientSession, error: Error | null): void {
    const { sinceMs } = this.#sessions.get(session) ?? { sinceMs: 0 };
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) {
      this.#cancelTick?.();
      this.#cancelTick = null;
    }
    if (this.#closed) return;
    const reason = error ?? new Error("closed by the server");
    if (this.#attempt?.session === session) {
      this.#attempt.settle?.(reason);
    } else if (session.proved || this.setup.clock.nowMs() - sinceMs >= LASTING_MS) {
      this.setup.backoff.reset();
      this.#updateState();
      this.#connectIfWanted();
    } else {
      this.#onFailure(reason);
    }
  }

  // === waiting ===

  #openSomewhere(call: ClientCall): boolean {
    for (const session of this.#sessions.keys()) {
      if (session.usable && session.open(call)) return true;
    }
    return false;
  }

  #wait(call: ClientCall): void {
    if (this.#state === "failing" && !call.waitForReady) {
      call.end(this.#unavailable(), true);
    } else if (this.#waiting.size >= this.setup.waitingMax) {
      call.end(new GrpcError(GrpcStatus.Unavailable, "too many calls wait for a connection"), true);
    } else {
      this.#waiting.add(call);
      this.#connectIfWanted();
    }
  }

  #serveWaiting(): void {
    for (const call of this.#waiting) {
      if (!this.#openSomewhere(call)) break;
      this.#waiting.delete(call);
    }
    this.#connectIfWanted();
  }

  #unavailable(): GrpcError {
    const text = this.#lastError === null ? "no connection" : `no connection: ${this.#lastError.message}`;
    return new GrpcError(GrpcStatus.Unavailable, text, { cause: this.#lastError });
  }

  // === connecting ===

  #connectIfWanted(): void {
    if (this.#closed || this.#attempt !== null || this.#cancelBackoff !== null || this.#waiting.size === 0) return;
    const inUse = [...this.#sessions.keys()].filter((session) => session.usable).length;
    if (inUse >= this.setup.connectionsMax) return;
    const attempt: Attempt = { abort: new AbortController(), session: null, settle: null };
    this.#attempt = attempt;
    this.#updateState();
    this.#tryAddresses(attempt).then(
      () => this.#onAttemptEnd(null),
      (error: unknown) => this.#onAttemptEnd(error instanceof Error ? error : new Error(String(error))),
    );
  }

  #onAttemptEnd(error: Error | null): void {
    this.#attempt = null;
    if (this.#closed) return;
    if (error !== null) {
      this.#onFailure(error);
      return;
    }
    this.#updateState();
    this.#serveWaiting();
  }

  async #tryAddresses(attempt: Attempt): Promise<void> {
    const addresses = await this.setup.resolve(attempt.abort.signal);
    let lastError: unknown = new Error("the name has no addresses");
    for (const address of shuffled(addresses, this.setup.random)) {
      if (attempt.abort.signal.aborted) throw attempt.abort.signal.reason;
      try {
        return await this.#tryAddress(attempt, address);
      } catch (error) {
        // The next address may do better; the last one's error is the attempt's.
        lastError = error;
      }
    }
    throw lastError;
  }

  async #tryAddress(attempt: Attempt, address: Address): Promise<void> {
    const { clock, connect, connectTimeoutMs } = this.setup;
    const abort = new AbortController();
    const timeout = new Error(`no HTTP/2 connection to ${address.host}:${address.port} in ${connectTimeoutMs} ms`);
    const cancelTimeout = clock.after(connectTimeoutMs, () => abort.abort(timeout));
    const onAbort = () => abort.abort(attempt.abort.signal.reason);
    attempt.abort.signal.addEventListener("abort", onAbort);
    try {
      const stream = await connect(address, abort.signal);
      const session = new ClientSession(this, stream);
      this.#adopt(session);
      await this.#settings(attempt, session, abort.signal);
    } finally {
      cancelTimeout();
      attempt.abort.signal.removeEventListener("abort", onAbort);
    }
  }

  /** Waits for the server's SETTINGS. */
  #settings(attempt: Attempt, session: ClientSession, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        attempt.settle?.(signal.reason);
        session.close(signal.reason);
      };
      attempt.session = session;
      attempt.settle = (error) => {
        attempt.settle = null;
        // A session that was settled with an error must not be taken for a failed one again when it closes.
        if (error === null) attempt.session = null;
        signal.removeEventListener("abort", onAbort);
        if (error === null) resolve();
        else reject(error);
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort);
      session.begin();
    });
  }

  #adopt(session: ClientSession): void {
    this.#sessions.set(session, { sinceMs: this.setup.clock.nowMs() });
    if (this.#cancelTick === null) this.#scheduleTick();
  }

  #onFailure(error: Error): void {
    this.#lastError = error;
    this.#cancelBackoff ??= this.setup.clock.after(this.setup.backoff.nextMs(), () => {
      this.#cancelBackoff = null;
      this.#connectIfWanted();
      this.#updateState();
    });
    this.#updateState();
    if (this.#state !== "failing") return;
    for (const call of this.#waiting) {
      if (!call.waitForReady) call.end(this.#unavailable(), true);
    }
  }

  #scheduleTick(): void {
    this.#cancelTick = this.setup.clock.after(TICK_MS, () => {
      this.#scheduleTick();
      const nowMs = this.setup.clock.nowMs();
      for (const session of this.#sessions.keys()) session.tick(nowMs);
    });
  }

  #updateState(): void {
    const state = this.#currentState();
    if (state === this.#state) return;
    this.#state = state;
    this.setup.onState(state, state === "failing" ? this.#lastError : null);
  }

  #currentState(): ChannelState {
    if (this.#closed) return "closed";
    if ([...this.#sessions.keys()].some((session) => session.usable)) return "ready";
    if (this.#attempt !== null) return "connecting";
    return this.#cancelBackoff === null ? "idle" : "failing";
  }
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(Math.floor(random() * left.length), 1));
  return order;
}
