import type { Meter } from "@bowline/loop";
import { errnoName } from "@bowline/loop";
import { type Counter, type Gauge, joinLabels, labels, type SeriesGroup } from "@bowline/metrics";
import { TCP_CLOSE, TCP_OPEN, TCP_OPEN_CONNECTIONS, TCP_READ, TCP_WRITE } from "./families.ts";

/** The tcp_* series of one label set, counting every connection that has it as its meter. */
export class TcpSeries implements Meter {
  readonly received: Counter;
  readonly sent: Counter;
  readonly #group: SeriesGroup;
  readonly #labels: string;
  readonly #opened: Counter;
  readonly #open: Gauge;
  readonly #closed = new Map<number, Counter>();

  constructor(group: SeriesGroup, labelText: string) {
    this.#group = group;
    this.#labels = labelText;
    this.#opened = group.counter(TCP_OPEN, labelText);
    this.#open = group.gauge(TCP_OPEN_CONNECTIONS, labelText);
    this.received = group.counter(TCP_READ, labelText);
    this.sent = group.counter(TCP_WRITE, labelText);
  }

  opened(): void {
    this.#opened.value += 1;
    this.#open.value += 1;
    this.#group.pin();
  }

  closed(errno: number): void {
    this.#open.value -= 1;
    let counter = this.#closed.get(errno);
    if (counter === undefined) {
      const text = joinLabels(this.#labels, labels([["errno", errno === 0 ? "" : errnoName(errno)]]));
      counter = this.#group.counter(TCP_CLOSE, text);
      this.#closed.set(errno, counter);
    }
    counter.value += 1;
    this.#group.unpin();
  }
}
