import type { Message } from "@bufbuild/protobuf";
import type { status as code } from "@grpc/grpc-js";
import { waitFor } from "../wait-for.ts";

/** A gRPC status by its name: `"UNAVAILABLE"`. */
export type GrpcStatusName = keyof typeof code;

export interface Failure {
  readonly status: GrpcStatusName;
  readonly message: string;
}

/** One open call, as scripts see it. */
export interface Subscriber<M extends Message> {
  tell(message: M): void;
  end(failure: Failure | null): void;
}

/**
 * What is said to everyone who asks for one key. A script that has said nothing yet is silent: its streams are open and
 * empty.
 */
export abstract class StreamScript<M extends Message> {
  readonly #subscribers = new Set<Subscriber<M>>();
  #lasting: Failure | null = null;
  readonly #next: Failure[] = [];
  #subscriptions = 0;

  /** Streams that are open now. */
  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** Calls so far, refused ones included. */
  get subscriptions(): number {
    return this.#subscriptions;
  }

  /** Ends the open streams with a status; later calls end with it, too, until something else is said or `recover()`. */
  fail(status: GrpcStatusName, message = "as scripted"): void {
    this.#lasting = { status, message };
    this.#endAll(this.#lasting);
  }

  /** Later calls are answered again as they were before `fail()`. */
  recover(): void {
    this.#lasting = null;
  }

  /** Lets the next call fail, and no other; may be said several times. */
  failNext(status: GrpcStatusName, message = "as scripted"): void {
    this.#next.push({ status, message });
  }

  /** Ends the open streams in order; later calls are answered as before. */
  end(): void {
    this.#endAll(null);
  }

  /** Says something to the open streams, of which those that come later hear nothing. */
  say(message: M): void {
    for (const subscriber of this.#subscribers) subscriber.tell(message);
  }

  /**
   * Waits until so many streams are open.
   *
   * @throws Error after `timeoutMs`
   */
  async waitForSubscribers(count = 1, timeoutMs = 5_000): Promise<void> {
    const what = `${count} open streams, ${this.subscribers} when this was asked`;
    await waitFor(() => this.#subscribers.size === count, { what, timeoutMs });
  }

  /**
   * Waits until there were so many calls, from the beginning.
   *
   * @throws Error after `timeoutMs`
   */
  async waitForSubscriptions(count: number, timeoutMs = 5_000): Promise<void> {
    const what = `${count} calls, ${this.#subscriptions} when this was asked`;
    await waitFor(() => this.#subscriptions >= count, { what, timeoutMs });
  }

  /** Called by the server with each call. */
  subscribe(subscriber: Subscriber<M>): void {
    this.#subscriptions++;
    const failure = this.#next.shift() ?? this.#lasting;
    if (failure !== null) {
      subscriber.end(failure);
      return;
    }
    this.#subscribers.add(subscriber);
    for (const message of this.opening()) subscriber.tell(message);
  }

  /** Called by the server when a call is over. */
  unsubscribe(subscriber: Subscriber<M>): void {
    this.#subscribers.delete(subscriber);
  }

  /** What a new stream begins with. */
  protected abstract opening(): M[];

  #endAll(failure: Failure | null): void {
    const ending = [...this.#subscribers];
    this.#subscribers.clear();
    for (const subscriber of ending) subscriber.end(failure);
  }
}
