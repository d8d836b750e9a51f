import type { Direction } from "@bowline/contracts";
import { type Counter, type Histogram, joinLabels, labels, type SeriesGroup } from "@bowline/metrics";
import {
  INBOUND_DETECT_RESULTS,
  INBOUND_DETECT_SECONDS,
  OUTBOUND_DETECT_RESULTS,
  OUTBOUND_DETECT_SECONDS,
  OUTBOUND_PROTOCOLS,
} from "./families.ts";

export type DetectResult = "http/1" | "http/2" | "not_http" | "read_timeout" | "error";
export type Protocol = "http/1" | "http/2" | "tls" | "opaq";

/** What the connections to one server, inbound, or to one parent, outbound, turned out to speak (proxy-facts §5.3). */
export class DetectSeries {
  readonly #group: SeriesGroup;
  readonly #direction: Direction;
  readonly #scope: string;
  readonly #results = new Map<DetectResult, Counter>();
  readonly #protocols = new Map<Protocol, Counter>();
  #seconds: Histogram | null = null;

  /** @param scope the server's or the parent's labels */
  constructor(group: SeriesGroup, direction: Direction, scope: string) {
    this.#group = group;
    this.#direction = direction;
    this.#scope = scope;
  }

  detected(result: DetectResult, seconds: number): void {
    const counter = this.#results.get(result) ?? this.#makeResult(result);
    counter.value += 1;
    this.#seconds ??= this.#makeSeconds();
    this.#seconds.observe(seconds);
  }

  protocol(protocol: Protocol): void {
    if (this.#direction === "inbound") return;
    const counter = this.#protocols.get(protocol) ?? this.#makeProtocol(protocol);
    counter.value += 1;
  }

  #makeResult(result: DetectResult): Counter {
    const family = this.#direction === "inbound" ? INBOUND_DETECT_RESULTS : OUTBOUND_DETECT_RESULTS;
    const counter = this.#group.counter(family, joinLabels(labels([["result", result]]), this.#scope));
    this.#results.set(result, counter);
    return counter;
  }

  #makeSeconds(): Histogram {
    const family = this.#direction === "inbound" ? INBOUND_DETECT_SECONDS : OUTBOUND_DETECT_SECONDS;
    return this.#group.histogram(family, this.#scope);
  }

  #makeProtocol(protocol: Protocol): Counter {
    const text = joinLabels(labels([["protocol", protocol]]), this.#scope);
    const counter = this.#group.counter(OUTBOUND_PROTOCOLS, text);
    this.#protocols.set(protocol, counter);
    return counter;
  }
}
