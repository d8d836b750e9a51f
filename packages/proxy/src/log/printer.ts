import { formatRecord, type LogFormat, type LogRecord } from "./format.ts";
import { Level } from "./level.ts";
import { logTarget } from "./target.ts";

export interface LogSink {
  write(text: string): unknown;
  /** Bytes written but not yet taken by the reader of the log. */
  readonly writableLength: number;
}

export interface LogPrinterOptions {
  readonly format: LogFormat;
  /** Uptime is counted from here; milliseconds since the epoch. */
  readonly startMs: number;
  /** process.stdout, unless a test listens. */
  readonly sink: LogSink;
}

/** What may wait for a reader that has stopped reading: some thousand lines, little beside the proxy's own memory. */
const WAITING_BYTES_MAX = 1 << 20;

const TARGET = logTarget("log");

/**
 * Prints records, in the main thread. When the reader stalls, records are dropped rather than kept without limit or
 * waited for, and the next line that gets through says how many.
 */
export class LogPrinter {
  readonly #options: LogPrinterOptions;
  #dropped = 0;

  constructor(options: LogPrinterOptions) {
    this.#options = options;
  }

  print(record: LogRecord): void {
    const { format, startMs, sink } = this.#options;
    if (sink.writableLength > WAITING_BYTES_MAX) {
      this.#dropped += 1;
      return;
    }
    if (this.#dropped > 0) {
      const fields = { dropped: this.#dropped };
      const message = "log lines dropped: their reader is too slow";
      this.#dropped = 0;
      sink.write(formatRecord({ ...record, level: Level.Warn, target: TARGET, message, fields }, format, startMs));
    }
    sink.write(formatRecord(record, format, startMs));
  }
}
