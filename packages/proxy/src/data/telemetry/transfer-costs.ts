import { type Counter, labels, type Registry } from "@bowline/metrics";
import { OUTBOUND_TRANSFER_COST } from "./families.ts";
import type { TcpSeries } from "./tcp-series.ts";

export type ZoneLocality = "Unknown" | "Local" | "Remote";

/** What the control plane's labels say of an endpoint's zone (proxy-facts §5.3). */
export function zoneLocality(endpointLabels: Readonly<Record<string, string>>): ZoneLocality {
  const { zone_locality: locality } = endpointLabels;
  switch (locality?.toLowerCase()) {
    case "local":
      return "Local";
    case "remote":
      return "Remote";
    default:
      return "Unknown";
  }
}

/**
 * Bytes to and from endpoints by zone. They are what the endpoints' own series count already, so the data path does
 * nothing for them: `collect` adds up what those have grown by since the last time.
 */
export class TransferCosts {
  readonly #registry: Registry;
  readonly #sources = new Map<Counter, Source>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Has the bytes of an endpoint's connections counted, from now on until `remove`. */
  add(locality: ZoneLocality, { sent, received }: TcpSeries): void {
    this.#add(sent, "Send", locality);
    this.#add(received, "Recv", locality);
  }

  remove({ sent, received }: TcpSeries): void {
    this.#remove(sent);
    this.#remove(received);
  }

  /** To be called before the metrics are read. */
  collect(): void {
    for (const [from, source] of this.#sources) source.collect(from);
  }

  // Endpoints with the same labels have the same counters: their bytes are to be counted once.
  #add(from: Counter, op: "Send" | "Recv", locality: ZoneLocality): void {
    const known = this.#sources.get(from);
    if (known !== undefined) {
      known.users += 1;
      return;
    }
    const text = labels([
      ["op", op],
      ["zone_locality", locality],
    ]);
    this.#sources.set(from, new Source(this.#registry.counter(OUTBOUND_TRANSFER_COST, text), from.value));
  }

  #remove(from: Counter): void {
    const source = this.#sources.get(from);
    if (source === undefined) return;
    source.collect(from);
    source.users -= 1;
    if (source.users === 0) this.#sources.delete(from);
  }
}

class Source {
  users = 1;
  readonly #into: Counter;
  #collected: number;

  constructor(into: Counter, collected: number) {
    this.#into = into;
    this.#collected = collected;
  }

  collect(from: Counter): void {
    this.#into.value += from.value - this.#collected;
    this.#collected = from.value;
  }
}
