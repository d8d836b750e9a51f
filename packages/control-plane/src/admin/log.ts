/** How much is logged: each level has those before it. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What logrus has beyond our levels is the nearest of them. */
const LOGRUS_LEVELS: Readonly<Record<string, LogLevel>> = {
  warning: "warn",
  trace: "debug",
  fatal: "error",
  panic: "error",
};

/** Reads a level by our names or logrus'; null when it is none. */
export function parseLogLevel(text: string): LogLevel | null {
  return LOG_LEVELS.find((level) => level === text) ?? LOGRUS_LEVELS[text] ?? null;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "plain" | "json";
  /** Takes one line at a time. */
  readonly write?: (line: string) => void;
  readonly now?: () => Date;
}

/** Lines in the form of Linkerd's control plane, which is logrus': `time="…" level=info msg="…" key=value`. */
export class Log {
  readonly #options: Required<LogOptions>;

  constructor(options: LogOptions) {
    const write = (line: string): void => void process.stderr.write(line);
    this.#options = { write, now: () => new Date(), ...options };
  }

  error(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#log("error", message, fields);
  }

  warn(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#log("warn", message, fields);
  }

  info(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#log("info", message, fields);
  }

  debug(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#log("debug", message, fields);
  }

  #log(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>): void {
    const { format, write, now } = this.#options;
    if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(this.#options.level)) return;
    const time = now()
      .toISOString()
      .replace(/\.\d+Z$/, "Z");
    // logrus writes warn out.
    const entries = { time, level: level === "warn" ? "warning" : level, msg: message, ...fields };
    write(format === "json" ? `${JSON.stringify(entries)}\n` : `${plainLine(entries)}\n`);
  }
}

function plainLine(entries: Readonly<Record<string, unknown>>): string {
  return Object.entries(entries)
    .map(([name, value]) => `${name}=${plainValue(name, value)}`)
    .join(" ");
}

function plainValue(name: string, value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const mustQuote = name === "time" || name === "msg" || !/^[\w./:@-]+$/.test(text);
  return mustQuote ? JSON.stringify(text) : text;
}
