import type { LogFields, LogValue } from "./filter.ts";
import { type Level, levelName } from "./level.ts";

export type LogFormat = "plain" | "json";

/** Plain data: a data thread posts it to the main thread, which prints. */
export interface LogRecord {
  readonly level: Level;
  readonly target: string;
  readonly message: string;
  readonly fields: LogFields | null;
  /** Milliseconds since the epoch, with a fraction. */
  readonly timeMs: number;
  /** 1 is the main thread. */
  readonly thread: number;
}

/** One line with its newline. Plain lines begin with the uptime since startMs, JSON lines carry the time of day. */
export function formatRecord(record: LogRecord, format: LogFormat, startMs: number): string {
  return format === "json" ? formatJson(record) : formatPlain(record, startMs);
}

// [     1.000002s]  INFO ThreadId(01) linkerd2_proxy::inbound: message field=value
function formatPlain({ level, target, message, fields, timeMs, thread }: LogRecord, startMs: number): string {
  const uptime = (Math.max(0, timeMs - startMs) / 1000).toFixed(6).padStart(13);
  const threadId = `ThreadId(${String(thread).padStart(2, "0")})`;
  const pairs = Object.entries(fields ?? {}).map(([key, value]) => ` ${key}=${plainValue(value)}`);
  return `[${uptime}s] ${levelName(level).padStart(5)} ${threadId} ${target}: ${oneLine(message)}${pairs.join("")}\n`;
}

function formatJson({ level, target, message, fields, timeMs, thread }: LogRecord): string {
  const record = {
    timestamp: new Date(timeMs).toISOString(),
    level: levelName(level),
    fields: { message, ...fields },
    target,
    spans: [],
    threadId: `ThreadId(${thread})`,
  };
  return `${JSON.stringify(record)}\n`;
}

/** Quoted where it would otherwise read as several words, or could pass for another log line. */
function plainValue(value: LogValue): string {
  return typeof value === "string" && !/^[\x21\x23-\x7e]+$/.test(value) ? JSON.stringify(value) : String(value);
}

/** Text from peers ends up in messages: it must not be able to begin a line of its own or steer a terminal. */
function oneLine(message: string): string {
  return message.replace(/[\p{Cc}\u2028\u2029]/gu, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
