import { Worker } from "node:worker_threads";
import { closeFd, openWakeup, wake } from "@bowline/loop";
import type { Snapshot } from "@bowline/metrics";
import type { BoundListener, DataThreadStart, FromData, ToData } from "../boundary.ts";
import type { Config } from "../config/types.ts";
import type { LogRecord } from "../log/format.ts";
import type { Logger } from "../log/logger.ts";
import { logTarget } from "../log/target.ts";
import type { Discovery, Holder } from "./discovery/discovery.ts";
import { closeListeners } from "./listeners.ts";

export interface DataThreadOptions {
  readonly config: Config;
  /** 2 for the first. */
  readonly thread: number;
  readonly listeners: readonly BoundListener[];
  /** How many file descriptors the process may have. */
  readonly fdsMax: number;
  readonly log: Logger;
  readonly onLog: (record: LogRecord) => void;
  readonly onDrained: () => void;
  /** Null without a control plane: the thread then asks nothing. */
  readonly discovery?: Discovery | null;
  /** Tests run another program as the data thread. */
  readonly program?: string | URL;
  /** A thread that has not turned for this long is stuck; it comes round every half second when idle. */
  readonly stallMs?: number;
}

const STALL_MS = 5_000;
/** Doubles with each replacement that did not come to run for a while, so that a fault at start makes no tight loop. */
const RESTART_DELAY_MS = 100;
const RESTART_DELAY_MAX_MS = 5_000;
const SETTLED_MS = 10_000;
/** A first thread that fails this often means that the proxy cannot run here. */
const START_ATTEMPTS = 3;
const SNAPSHOT_TIMEOUT_MS = 2_000;
const FDS_MAX = 1 << 20;
const TARGET = logTarget("data-thread");

/** Runs one data thread and replaces it when it dies or stops answering; its connections are reset then. */
export class DataThread {
  /** How often a thread had to be replaced. */
  restarts = 0;
  readonly #options: DataThreadOptions;
  readonly #wakeFd: number = openWakeup();
  readonly #beats = new Int32Array(new SharedArrayBuffer(4));
  readonly #openFds: Uint8Array;
  readonly #watch: ReturnType<typeof setInterval>;
  readonly #snapshots = new Map<number, (snapshot: Snapshot) => void>();
  #worker: Worker | null = null;
  /** The running worker in the eyes of discovery. */
  #holder: Holder | null = null;
  readonly #started = Promise.withResolvers<void>();
  #spawnedMs = 0;
  #hasStarted = false;
  #failuresInARow = 0;
  #nextId = 0;
  #beatSeen = 0;
  #beatSeenMs = 0;
  #draining = false;
  #listenersClosed = false;
  #stopped = false;

  constructor(options: DataThreadOptions) {
    this.#options = options;
    this.#openFds = new Uint8Array(new SharedArrayBuffer(Math.min(options.fdsMax, FDS_MAX)));
    const stallMs = options.stallMs ?? STALL_MS;
    this.#watch = setInterval(() => this.#checkBeat(stallMs), Math.min(1_000, stallMs / 2));
  }

  /** Starts the thread; resolves once it accepts connections, rejects when it cannot be made to. */
  start(): Promise<void> {
    this.#spawn();
    return this.#started.promise;
  }

  /** The thread's metrics; null when it does not answer in time, being replaced for example. */
  snapshot(): Promise<Snapshot | null> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const timeout = setTimeout(() => {
        this.#snapshots.delete(id);
        resolve(null);
      }, SNAPSHOT_TIMEOUT_MS);
      this.#snapshots.set(id, (snapshot) => {
        clearTimeout(timeout);
        resolve(snapshot);
      });
      this.#post({ kind: "snapshot", id });
    });
  }

  setLogFilter(text: string): void {
    this.#post({ kind: "log-filter", text });
  }

  drain(): void {
    this.#draining = true;
    this.#post({ kind: "drain" });
  }

  /** Ends the thread and everything it has open. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#watch);
    this.#releaseDiscovery();
    await this.#worker?.terminate();
    this.#closeAll();
    closeFd(this.#wakeFd);
  }

  #spawn(): void {
    const { config, thread, listeners, log, program } = this.#options;
    const start: DataThreadStart = {
      config,
      logFilter: log.filterText,
      thread,
      listeners,
      wakeFd: this.#wakeFd,
      beats: this.#beats,
      openFds: this.#openFds,
    };
    const worker = new Worker(program ?? dataThreadProgram(), { workerData: start });
    this.#worker = worker;
    const holder: Holder = { answer: (message) => this.#post(message) };
    this.#holder = holder;
    this.#spawnedMs = performance.now();
    this.#beatSeenMs = this.#spawnedMs;
    worker.on("message", (message: FromData) => this.#onMessage(message, holder));
    worker.on("error", (error: Error) => log.error(TARGET, `data thread failed: ${error.message}`, errorFields(error)));
    worker.on("exit", () => {
      if (worker === this.#worker && !this.#stopped) this.#replace();
    });
  }

  #onMessage(message: FromData, holder: Holder): void {
    switch (message.kind) {
      case "started":
        this.#hasStarted = true;
        this.#started.resolve();
        break;
      case "snapshot":
        this.#snapshots.get(message.id)?.(message.snapshot);
        this.#snapshots.delete(message.id);
        break;
      case "log":
        this.#options.onLog(message.record);
        break;
      case "stopped-accepting":
        this.#closeListeners();
        break;
      case "drained":
        this.#options.onDrained();
        break;
      case "discover":
      case "undiscover":
      case "resolve":
      case "unresolve":
        // What a dead thread said last would be held for nobody.
        if (holder === this.#holder) this.#options.discovery?.handle(holder, message);
        break;
    }
  }

  #releaseDiscovery(): void {
    if (this.#holder !== null) this.#options.discovery?.releaseAll(this.#holder);
    this.#holder = null;
  }

  #checkBeat(stallMs: number): void {
    const beat = Atomics.load(this.#beats, 0);
    const nowMs = performance.now();
    if (beat !== this.#beatSeen) {
      this.#beatSeen = beat;
      this.#beatSeenMs = nowMs;
    } else if (nowMs - this.#beatSeenMs > stallMs) {
      this.#beatSeenMs = nowMs;
      this.#options.log.error(TARGET, `data thread ${this.#options.thread} does not answer`, { stallMs });
      // Its exit event brings the replacement, so that no two threads ever use the same file descriptors.
      void this.#worker?.terminate();
    }
  }

  #replace(): void {
    this.restarts += 1;
    this.#worker = null;
    this.#releaseDiscovery();
    this.#closeAll();
    if (this.#draining) {
      // Nothing is left that could finish.
      this.#closeListeners();
      this.#options.onDrained();
      return;
    }
    const settled = performance.now() - this.#spawnedMs > SETTLED_MS;
    this.#failuresInARow = settled ? 1 : this.#failuresInARow + 1;
    const { thread, log } = this.#options;
    if (!this.#hasStarted && this.#failuresInARow >= START_ATTEMPTS) {
      this.#started.reject(new Error(`data thread ${thread} does not start; its error is in the log`));
      return;
    }
    const delayMs = Math.min(RESTART_DELAY_MS * 2 ** this.#failuresInARow, RESTART_DELAY_MAX_MS);
    log.warn(TARGET, "starting another data thread; connections were reset", {
      thread,
      restarts: this.restarts,
      delayMs,
    });
    setTimeout(() => {
      if (!this.#stopped) this.#spawn();
    }, delayMs);
  }

  /** Closes what the thread had open: with lingering off (see sys/socket.ts) its peers see resets. */
  #closeAll(): void {
    const open = this.#openFds;
    for (let fd = open.indexOf(1); fd >= 0; fd = open.indexOf(1, fd + 1)) {
      open[fd] = 0;
      closeFd(fd);
    }
  }

  /** Nobody accepts any more: clients are to be refused, not to wait in a backlog for the end of the process. */
  #closeListeners(): void {
    if (this.#listenersClosed) return;
    this.#listenersClosed = true;
    closeListeners([this.#options.listeners]);
  }

  #post(message: ToData): void {
    if (this.#worker === null) return;
    this.#worker.postMessage(message);
    wake(this.#wakeFd);
  }
}

/** In the compiled executable a worker is named by its path from the repository's root. */
function dataThreadProgram(): string | URL {
  const compiled = import.meta.url.includes("$bunfs");
  return compiled ? "./packages/proxy/src/data/worker.ts" : new URL("../data/worker.ts", import.meta.url);
}

function errorFields(error: Error): { stack: string } {
  return { stack: error.stack ?? "" };
}
