import type { GrpcError } from "@bowline/grpc";
import type { WatchSource } from "../watch.ts";

/** One call that was made, to be answered by the test. */
export class ScriptedStream<Request, Item> {
  readonly request: Request;
  readonly signal: AbortSignal;
  readonly #events: ({ item: Item } | { failure: GrpcError | null })[] = [];
  #wake: () => void = () => {};

  constructor(request: Request, signal: AbortSignal) {
    this.request = request;
    this.signal = signal;
  }

  get cancelled(): boolean {
    return this.signal.aborted;
  }

  send(...items: Item[]): void {
    for (const item of items) this.#events.push({ item });
    this.#wake();
  }

  /** Ends the stream: in good order when no failure is given. */
  end(failure: GrpcError | null = null): void {
    this.#events.push({ failure });
    this.#wake();
  }

  async *items(): AsyncIterable<Item> {
    for (;;) {
      const event = this.#events.shift();
      if (event === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      } else if ("item" in event) {
        yield event.item;
      } else if (event.failure === null) {
        return;
      } else {
        throw event.failure;
      }
    }
  }
}

/** A control-plane call whose every stream the test answers itself. */
export class ScriptedSource<Request, Item> implements WatchSource<Request, Item> {
  readonly streams: ScriptedStream<Request, Item>[] = [];

  open(request: Request, signal: AbortSignal): AsyncIterable<Item> {
    const stream = new ScriptedStream<Request, Item>(request, signal);
    this.streams.push(stream);
    return stream.items();
  }

  /** The stream opened last. */
  get last(): ScriptedStream<Request, Item> {
    const stream = this.streams.at(-1);
    if (stream === undefined) throw new Error("no stream was opened");
    return stream;
  }

  /** Streams that the proxy has not cancelled. */
  get held(): number {
    return this.streams.filter(({ cancelled }) => !cancelled).length;
  }
}
