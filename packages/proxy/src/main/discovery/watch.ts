import { type Clock, GrpcError, GrpcStatus, toGrpcError } from "@bowline/grpc";
import { type BackoffParams, backoffMs } from "@bowline/model";

/** A call of the control plane that answers with a stream. */
export interface WatchSource<Request, Item> {
  /**
   * Starts the call. The stream ends when the server ended it in good order, and throws a GrpcError otherwise.
   * Aborting the signal cancels the call; what the stream does from then on is of no interest to anyone.
   */
  open(request: Request, signal: AbortSignal): AsyncIterable<Item>;
}

/** null is no limit. Contract: LINKERD2_PROXY_CONTROL_STREAM_*; none of them for a control plane on loopback. */
export interface StreamLimits {
  /** From the call to the first item; runs out with DEADLINE_EXCEEDED. Without it the idle limit stands in. */
  readonly initialTimeoutMs: number | null;
  /** From one item to the next; runs out as if the server had ended the stream. */
  readonly idleTimeoutMs: number | null;
  /** Of the whole stream; runs out as if the server had ended it. */
  readonly lifetimeMs: number | null;
}

/** What all watches of a control-plane service have in common. */
export interface WatchSettings {
  readonly limits: StreamLimits;
  readonly backoff: BackoffParams;
  readonly clock: Clock;
  /** 0 up to 1. */
  readonly random: () => number;
}

/** Who wants to know. An exception of one of these counts as a failure of the stream, with status UNKNOWN. */
export interface WatchObserver<Item> {
  /** `first`: of a new subscription, so that it stands for itself instead of building on what came before. */
  onItem(item: Item, first: boolean): void;
  /** The stream is lost, and will be asked for again. null: it ended in good order. */
  onAway(failure: GrpcError | null): void;
  /** The server says that asking again is of no use. Nothing follows. */
  onFinal(failure: GrpcError): void;
}

/**
 * Keeps one server stream of the control plane open: subscribes, and subscribes again with back-off whenever it ends,
 * until the status is one that `isFinal` names or stop() is called.
 *
 * The delay starts at its minimum again after a stream that brought something and lasted for as long as the delay before it,
 * or for a second: after a long outage a short one must not make it longer. A server that answers and hangs up at once is
 * thus not asked ten times a second for as long as it does so.
 */
export class Watch<Request, Item> {
  readonly #source: WatchSource<Request, Item>;
  readonly #request: Request;
  readonly #isFinal: (code: number) => boolean;
  readonly #observer: WatchObserver<Item>;
  readonly #settings: WatchSettings;
  /** null when no stream is open: while waiting to subscribe again, and when all is over. */
  #stream: AbortController | null = null;
  #openedMs = 0;
  #items = 0;
  #failuresInARow = 0;
  #delayMs = 0;
  /** To the next subscription when no stream is open, else to the next item. */
  #cancelTimer: () => void = () => {};
  #cancelLifetime: () => void = () => {};

  constructor(
    source: WatchSource<Request, Item>,
    request: Request,
    isFinal: (code: number) => boolean,
    observer: WatchObserver<Item>,
    settings: WatchSettings,
  ) {
    this.#source = source;
    this.#request = request;
    this.#isFinal = isFinal;
    this.#observer = observer;
    this.#settings = settings;
  }

  start(): void {
    this.#open();
  }

  /** Cancels the stream; the observer hears nothing any more. */
  stop(): void {
    this.#close();
  }

  #open(): void {
    const stream = new AbortController();
    this.#stream = stream;
    this.#items = 0;
    const { clock, limits } = this.#settings;
    this.#openedMs = clock.nowMs();
    this.#cancelTimer = this.#arm(limits.initialTimeoutMs ?? limits.idleTimeoutMs, () => this.#end(NO_FIRST_ITEM));
    this.#cancelLifetime = this.#arm(limits.lifetimeMs, () => this.#end(null));
    void this.#read(stream.signal);
  }

  async #read(signal: AbortSignal): Promise<void> {
    try {
      for await (const item of this.#source.open(this.#request, signal)) {
        if (signal.aborted) return;
        this.#onItem(item);
        if (signal.aborted) return;
      }
      if (!signal.aborted) this.#end(null);
    } catch (error) {
      // A stream that was cancelled from here ends with an error that says so.
      if (!signal.aborted) this.#end(toGrpcError(error));
    }
  }

  #onItem(item: Item): void {
    this.#items += 1;
    this.#cancelTimer();
    this.#cancelTimer = this.#arm(this.#settings.limits.idleTimeoutMs, () => this.#end(null));
    this.#observer.onItem(item, this.#items === 1);
  }

  #end(failure: GrpcError | null): void {
    const { clock } = this.#settings;
    this.#close();
    if (failure !== null && this.#isFinal(failure.code)) {
      this.#observer.onFinal(failure);
      return;
    }
    const hasLasted = clock.nowMs() - this.#openedMs >= Math.min(this.#delayMs, LASTING_MS);
    if (this.#items > 0 && hasLasted) this.#failuresInARow = 0;
    this.#delayMs = backoffMs(this.#settings.backoff, this.#failuresInARow, this.#settings.random());
    this.#failuresInARow += 1;
    this.#cancelTimer = clock.after(this.#delayMs, () => this.#open());
    this.#observer.onAway(failure);
  }

  #close(): void {
    this.#cancelTimer();
    this.#cancelLifetime();
    const stream = this.#stream;
    this.#stream = null;
    stream?.abort();
  }

  #arm(delayMs: number | null, run: () => void): () => void {
    return delayMs === null ? () => {} : this.#settings.clock.after(delayMs, run);
  }
}

const LASTING_MS = 1_000;
const NO_FIRST_ITEM = new GrpcError(GrpcStatus.DeadlineExceeded, "initial item not received within timeout");
