import { parseFilter } from "./filter.ts";
import type { LogFormat } from "./format.ts";
import { Logger } from "./logger.ts";
import { LogPrinter, type LogSink } from "./printer.ts";

export interface OpenLogOptions {
  readonly filter: string;
  readonly format: LogFormat;
  /** When the process started; milliseconds since the epoch. */
  readonly startMs: number;
  /** Where log lines go: process.stdout. */
  readonly sink: LogSink;
  /** Where bad directives of the filter are reported: process.stderr. They do not keep the proxy from starting. */
  readonly stderr: (text: string) => void;
}

/** The main thread's logger, and the printer that records posted by data threads go to as well. */
export function openLog({ filter, format, startMs, sink, stderr }: OpenLogOptions): {
  readonly logger: Logger;
  readonly printer: LogPrinter;
} {
  for (const bad of parseFilter(filter).bad) stderr(`ignored in LINKERD2_PROXY_LOG: ${bad}\n`);
  const printer = new LogPrinter({ format, startMs, sink });
  const logger = new Logger({ filter, thread: 1, emit: (record) => printer.print(record) });
  return { logger, printer };
}
