import type { Labels } from "../query/selection.ts";
import type { MetricsStore } from "./metrics-store.ts";

/** A proxy to scrape. */
export interface ScrapeTarget {
  /** Of one run of one pod. */
  readonly id: string;
  readonly url: string;
  readonly labels: Labels;
}

export interface ScraperOptions {
  readonly store: MetricsStore;
  readonly targets: () => readonly ScrapeTarget[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Pages asked for at the same time. */
  readonly concurrency: number;
  /** Called for each target after each scrape: what went wrong, or null. */
  readonly onScrape: (target: ScrapeTarget, problem: string | null) => void;
}

/** A page longer than this is not a proxy's. */
const PAGE_BYTES_MAX = 32 * 1024 * 1024;

/** Fetches every proxy's metrics page again and again. A target that is slow holds up no other round than its own. */
export class Scraper {
  readonly #options: ScraperOptions;
  readonly #running = new Set<string>();
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(options: ScraperOptions) {
    this.#options = options;
  }

  start(): void {
    const round = (): void => {
      void this.scrapeAll();
    };
    this.#timer = setInterval(round, this.#options.intervalMs);
    round();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** One round. */
  async scrapeAll(): Promise<void> {
    const waiting = this.#options.targets().filter(({ id }) => !this.#running.has(id));
    for (const { id } of waiting) this.#running.add(id);
    const worker = async (): Promise<void> => {
      for (let target = waiting.pop(); target !== undefined; target = waiting.pop()) {
        this.#options.onScrape(target, await this.#scrape(target));
        this.#running.delete(target.id);
      }
    };
    await Promise.all(Array.from({ length: this.#options.concurrency }, worker));
    this.#options.store.forgetOld();
  }

  async #scrape(target: ScrapeTarget): Promise<string | null> {
    try {
      const response = await fetch(target.url, { signal: AbortSignal.timeout(this.#options.timeoutMs) });
      if (!response.ok) return `status ${response.status}`;
      const length = Number(response.headers.get("content-length") ?? 0);
      if (length > PAGE_BYTES_MAX) return `a page of ${length} bytes`;
      return this.#options.store.add(target.id, target.labels, await response.text());
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}
