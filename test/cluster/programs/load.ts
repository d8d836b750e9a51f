import { type Answer, Http1Connection } from "./http1-connection.ts";

export interface LoadOptions {
  readonly url: string;
  readonly workers: number;
  /** Between an answer and the next request of a worker. */
  readonly pauseMs: number;
  /** Every second worker opens a connection anew after so many requests; the others keep theirs. */
  readonly perConnection: number;
  readonly deadlineMs: number;
  /** The app that must answer. */
  readonly app: string;
}

export interface LoadReport {
  readonly sent: number;
  readonly succeeded: number;
  /** What went wrong, and how often: "status 503", "closed after 0 bytes of an answer". */
  readonly failed: Readonly<Record<string, number>>;
  /** Successes by the pod that answered. */
  readonly pods: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  /** The longest time of a failure, by what went wrong. */
  readonly slowestFailureMs: Readonly<Record<string, number>>;
}

/** A steady stream of requests, each of which is counted; a request fails unless it is answered in full, with 200, by the app meant. */
export class Load {
  readonly #options: LoadOptions;
  readonly #running: Promise<void>[];
  #stopping = false;
  #sent = 0;
  #succeeded = 0;
  #slowestMs = 0;
  readonly #failed: Record<string, number> = {};
  readonly #slowestFailureMs: Record<string, number> = {};
  readonly #pods: Record<string, number> = {};

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#running = Array.from({ length: options.workers }, (_, index) => this.#work(index % 2 === 1));
  }

  /** Ends it when the requests under way have been answered. */
  async stop(): Promise<LoadReport> {
    this.#stopping = true;
    await Promise.all(this.#running);
    return this.report();
  }

  report(): LoadReport {
    return {
      sent: this.#sent,
      succeeded: this.#succeeded,
      failed: { ...this.#failed },
      pods: { ...this.#pods },
      slowestMs: this.#slowestMs,
      slowestFailureMs: { ...this.#slowestFailureMs },
    };
  }

  async #work(reconnects: boolean): Promise<void> {
    let connection: Http1Connection | null = null;
    let left = 0;
    while (!this.#stopping) {
      this.#sent++;
      const startMs = performance.now();
      try {
        if (connection?.usable !== true) {
          connection = await this.#connect();
          left = this.#options.perConnection;
        }
        this.#judge(await this.#ask(connection), startMs);
      } catch (error) {
        this.#fail(error instanceof Error ? error.message : String(error), startMs);
      }
      left--;
      if (connection?.usable !== true || (reconnects && left <= 0)) {
        connection?.close();
        connection = null;
      }
      await Bun.sleep(this.#options.pauseMs);
    }
    connection?.close();
  }

  #connect(): Promise<Http1Connection> {
    const { hostname, port, host } = new URL(this.#options.url);
    return Http1Connection.open(hostname, Number(port || "80"), host, this.#options.deadlineMs);
  }

  #ask(connection: Http1Connection): Promise<Answer> {
    const { pathname, search } = new URL(this.#options.url);
    return connection.get(`${pathname}${search}`, { "x-meant-for": this.#options.app }, this.#options.deadlineMs);
  }

  #judge({ status, headers, body }: Answer, startMs: number): void {
    const [app, pod = ""] = body.split(" ");
    if (status !== 200) {
      this.#fail(`status ${status} ${headers["l5d-proxy-error"] ?? ""}`.trim(), startMs);
    } else if (app === this.#options.app) {
      this.#succeeded++;
      this.#pods[pod] = (this.#pods[pod] ?? 0) + 1;
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - startMs);
    } else {
      this.#fail(`answered by ${app}`, startMs);
    }
  }

  #fail(reason: string, startMs: number): void {
    this.#failed[reason] = (this.#failed[reason] ?? 0) + 1;
    const tookMs = performance.now() - startMs;
    this.#slowestFailureMs[reason] = Math.max(this.#slowestFailureMs[reason] ?? 0, tookMs);
  }
}
