export interface KeepAliveOptions {
  /** A ping goes out after so long without a byte from the peer; only while calls are open. */
  readonly intervalMs: number;
  /** The connection is given up when so long after a ping nothing has come. */
  readonly timeoutMs: number;
}

/** What is to be done about a silent connection. */
export const KeepAliveStep = { Nothing: 0, Ping: 1, GiveUp: 2 } as const;
export type KeepAliveStep = (typeof KeepAliveStep)[keyof typeof KeepAliveStep];

/** Finds out whether a silent peer is still there. It has no timer of its own: its owner asks about once a second. */
export class KeepAlive {
  readonly #options: KeepAliveOptions | null;
  #heardMs: number;
  /** When the ping that is not answered was sent; -1 when there is none. */
  #pingMs = -1;

  constructor(options: KeepAliveOptions | null, nowMs: number) {
    this.#options = options;
    this.#heardMs = nowMs;
  }

  /** Any byte from the peer shows that it is there. */
  onReceived(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#pingMs = -1;
  }

  /** A call opens on a connection that was without: its silence until now means nothing. */
  onFirstCall(nowMs: number): void {
    this.#heardMs = nowMs;
  }

  /** Answers once with Ping per silence; the caller sends it. */
  check(nowMs: number, openCalls: number): KeepAliveStep {
    const options = this.#options;
    if (options === null) return KeepAliveStep.Nothing;
    if (this.#pingMs >= 0) {
      return nowMs - this.#pingMs >= options.timeoutMs ? KeepAliveStep.GiveUp : KeepAliveStep.Nothing;
    }
    if (openCalls === 0 || nowMs - this.#heardMs < options.intervalMs) return KeepAliveStep.Nothing;
    this.#pingMs = nowMs;
    return KeepAliveStep.Ping;
  }
}
