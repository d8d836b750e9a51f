import type { Labels, Selection } from "./selection.ts";

/** What was counted for one group of series. */
export interface Grouped<T> {
  readonly group: Labels;
  readonly value: T;
}

/** Responses within the window, and the time in seconds that they were counted over. */
export interface Responses {
  readonly success: number;
  readonly failure: number;
  readonly seconds: number;
}

/** Milliseconds; null where nothing was measured. */
export interface Latencies {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** Bytes per second. */
export interface ByteRates {
  readonly read: number;
  readonly written: number;
}

/**
 * The golden metrics of proxies, from wherever they are kept. Label names are those of Linkerd's Prometheus: a target's own are
 * `namespace`, `pod` and its workload's kind, others come from the proxy. Rejects with an Error that says what failed.
 */
export interface GoldenQueries {
  responses(selection: Selection, windowMs: number): Promise<readonly Grouped<Responses>[]>;
  latencies(selection: Selection, windowMs: number): Promise<readonly Grouped<Latencies>[]>;
  /** TCP connections that are open now. */
  connections(selection: Selection): Promise<readonly Grouped<number>[]>;
  bytes(selection: Selection, windowMs: number): Promise<readonly Grouped<ByteRates>[]>;
}
