import type { LogFormat, LogLevel } from "./options.ts";

/** Writes one line per call. */
export type Log = (level: LogLevel, message: string) => void;

const SEVERITY: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3, trace: 4 };

// logrus, which Linkerd's proxy-init logs with, calls this level "warning".
const LEVEL_NAMES: Readonly<Record<LogLevel, string>> = {
  error: "error",
  warn: "warning",
  info: "info",
  debug: "debug",
  trace: "trace",
};

/** Log lines in the format of Linkerd's proxy-init, for those who parse them. */
export function createLog(format: LogFormat, threshold: LogLevel, write: (line: string) => void): Log {
  return (level, message) => {
    if (SEVERITY[level] > SEVERITY[threshold]) return;
    const time = new Date().toISOString();
    const name = LEVEL_NAMES[level];
    if (format === "json") write(`${JSON.stringify({ level: name, msg: message, time })}\n`);
    else write(`time="${time}" level=${name} msg=${JSON.stringify(message)}\n`);
  };
}
