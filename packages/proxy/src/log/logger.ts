import { fieldsPass, type LogFields, type LogFilter, parseFilter, targetLevel } from "./filter.ts";
import type { LogRecord } from "./format.ts";
import { Level } from "./level.ts";

export interface LoggerOptions {
  /** Directives as in LINKERD2_PROXY_LOG; bad ones are left out (parseFilter tells which). */
  readonly filter: string;
  /** 1 in the main thread, 2 and up in data threads. */
  readonly thread: number;
  /** Takes each record that passes: prints it in the main thread, posts it to there in a data thread. */
  readonly emit: (record: LogRecord) => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/**
 * One per thread. On hot paths ask enabled() before making a message. Targets are few and constant (see logTarget), so
 * the level of each is looked up in the filter once and remembered.
 */
export class Logger {
  readonly #thread: number;
  readonly #emit: (record: LogRecord) => void;
  readonly #now: () => number;
  #filter: LogFilter;
  readonly #levels = new Map<string, Level>();

  constructor({ filter, thread, emit, now = wallClockMs }: LoggerOptions) {
    this.#filter = parseFilter(filter).filter;
    this.#thread = thread;
    this.#emit = emit;
    this.#now = now;
  }

  /** The directives in force. */
  get filterText(): string {
    return this.#filter.text;
  }

  /**
   * Replaces the filter. Returns the directives that cannot be used; if there are any, nothing changes. A data thread
   * that is handed a text the main thread has accepted gets none.
   */
  setFilter(text: string): readonly string[] {
    const { filter, bad } = parseFilter(text);
    if (bad.length > 0) return bad;
    this.#filter = filter;
    this.#levels.clear();
    return [];
  }

  enabled(level: Level, target: string): boolean {
    if (level > this.#filter.levelMax) return false;
    let max = this.#levels.get(target);
    if (max === undefined) {
      max = targetLevel(this.#filter, target);
      this.#levels.set(target, max);
    }
    return level <= max;
  }

  error(target: string, message: string, fields: LogFields | null = null): void {
    this.log(Level.Error, target, message, fields);
  }

  warn(target: string, message: string, fields: LogFields | null = null): void {
    this.log(Level.Warn, target, message, fields);
  }

  info(target: string, message: string, fields: LogFields | null = null): void {
    this.log(Level.Info, target, message, fields);
  }

  debug(target: string, message: string, fields: LogFields | null = null): void {
    this.log(Level.Debug, target, message, fields);
  }

  trace(target: string, message: string, fields: LogFields | null = null): void {
    this.log(Level.Trace, target, message, fields);
  }

  log(level: Level, target: string, message: string, fields: LogFields | null): void {
    if (!this.enabled(level, target)) return;
    if (fields !== null && !fieldsPass(this.#filter, level, target, fields)) return;
    this.#emit({ level, target, message, fields, timeMs: this.#now(), thread: this.#thread });
  }
}

/** Whether LINKERD2_PROXY_LOG switches logging off altogether, so that there is no /proxy-log-level either. */
export function isLoggingOff(filter: string): boolean {
  return filter.trim().toLowerCase() === "off";
}

/** Finer than Date.now(), and the same clock in every thread. */
export function wallClockMs(): number {
  return performance.timeOrigin + performance.now();
}
