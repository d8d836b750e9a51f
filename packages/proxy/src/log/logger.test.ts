import { describe, expect, test } from "bun:test";
import { formatRecord, type LogRecord } from "./format.ts";
import { Level } from "./level.ts";
import { isLoggingOff, Logger, wallClockMs } from "./logger.ts";
import { openLog } from "./open-log.ts";
import { LogPrinter } from "./printer.ts";
import { logTarget } from "./target.ts";

const TARGET = logTarget("inbound");
const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

function collect(filter: string): { logger: Logger; records: LogRecord[] } {
  const records: LogRecord[] = [];
  const logger = new Logger({ filter, thread: 2, emit: (record) => records.push(record), now: () => START_MS + 1.5 });
  return { logger, records };
}

describe("Logger", () => {
  test("emits what passes the filter, with everything a line needs", () => {
    const { logger, records } = collect("warn,linkerd2_proxy=info");
    logger.info(TARGET, "accepted", { peer: "10.0.0.1:1" });
    logger.debug(TARGET, "not this");
    logger.warn("elsewhere", "but this");
    logger.info("elsewhere", "not that");
    expect(records).toEqual([
      {
        level: Level.Info,
        target: TARGET,
        message: "accepted",
        fields: { peer: "10.0.0.1:1" },
        timeMs: START_MS + 1.5,
        thread: 2,
      },
      { level: Level.Warn, target: "elsewhere", message: "but this", fields: null, timeMs: START_MS + 1.5, thread: 2 },
    ]);
  });

  test("each level has its method", () => {
    const { logger, records } = collect("trace");
    logger.error(TARGET, "");
    logger.warn(TARGET, "");
    logger.info(TARGET, "");
    logger.debug(TARGET, "");
    logger.trace(TARGET, "");
    expect(records.map(({ level }) => level)).toEqual([1, 2, 3, 4, 5]);
  });

  test("the injected filter keeps headers out of the log", () => {
    const { logger, records } = collect("trace,[{headers}]=off,[{request}]=off");
    logger.debug(TARGET, "request", { headers: "authorization: x" });
    logger.debug(TARGET, "request", { method: "GET" });
    expect(records).toHaveLength(1);
  });

  test("a new filter holds at once; a bad one changes nothing", () => {
    const { logger } = collect("warn");
    expect(logger.enabled(Level.Info, TARGET)).toBe(false);
    expect(logger.setFilter("linkerd=trace")).toEqual([]);
    expect(logger.enabled(Level.Trace, TARGET)).toBe(true);
    expect(logger.setFilter("linkerd=loud")).toEqual(['linkerd=loud: "loud" is not a level']);
    expect(logger.filterText).toBe("linkerd=trace");
    expect(logger.enabled(Level.Trace, TARGET)).toBe(true);
    expect(logger.setFilter("off")).toEqual([]);
    expect(logger.enabled(Level.Error, TARGET)).toBe(false);
  });

  test("the default clock is the time of day", () => {
    expect(Math.abs(wallClockMs() - Date.now())).toBeLessThan(1_000);
  });

  test.each([
    ["off", true],
    [" OFF ", true],
    ["off,linkerd=info", false],
    ["", false],
  ] as const)("logging off: %p", (filter, off) => {
    expect(isLoggingOff(filter)).toBe(off);
  });
});

describe("formatRecord", () => {
  const record: LogRecord = {
    level: Level.Info,
    target: TARGET,
    message: "listening",
    fields: { addr: "0.0.0.0:4143", backlog: 0, cause: "not found", quote: 'a"b', empty: "", none: null },
    timeMs: START_MS + 1_000.002,
    thread: 1,
  };

  test("plain: uptime, level, thread, target, message, fields", () => {
    expect(formatRecord(record, "plain", START_MS)).toBe(
      '[     1.000002s]  INFO ThreadId(01) linkerd2_proxy::inbound: listening addr=0.0.0.0:4143 backlog=0 cause="not found" quote="a\\"b" empty="" none=null\n',
    );
    expect(formatRecord({ ...record, level: Level.Error, fields: null, thread: 12 }, "plain", START_MS + 5_000)).toBe(
      "[     0.000000s] ERROR ThreadId(12) linkerd2_proxy::inbound: listening\n",
    );
  });

  test("json: one object with the time of day", () => {
    const line = formatRecord(record, "json", START_MS);
    expect(line.endsWith("\n")).toBe(true);
    expect(JSON.parse(line)).toEqual({
      timestamp: "2026-01-02T03:04:06.000Z",
      level: "INFO",
      fields: { message: "listening", ...record.fields },
      target: TARGET,
      spans: [],
      threadId: "ThreadId(1)",
    });
  });

  test("text from peers cannot begin a line of its own or steer a terminal", () => {
    const evil = "x\n[     9.000000s] ERROR forged\u001b[31m";
    const line = formatRecord({ ...record, message: evil, fields: { host: evil } }, "plain", START_MS);
    expect(line.trimEnd()).not.toMatch(/\p{Cc}/u);
  });
});

describe("LogPrinter", () => {
  test("drops lines while their reader stalls, and says how many", () => {
    const lines: string[] = [];
    const sink = { writableLength: 0, write: (text: string) => lines.push(text) };
    const printer = new LogPrinter({ format: "plain", startMs: START_MS, sink });
    const record: LogRecord = {
      level: Level.Info,
      target: TARGET,
      message: "m",
      fields: null,
      timeMs: START_MS,
      thread: 3,
    };
    printer.print(record);
    sink.writableLength = 2 << 20;
    printer.print(record);
    printer.print(record);
    sink.writableLength = 0;
    printer.print(record);
    printer.print(record);
    const line = "[     0.000000s]  INFO ThreadId(03) linkerd2_proxy::inbound: m\n";
    const dropped =
      "[     0.000000s]  WARN ThreadId(03) linkerd2_proxy::log: log lines dropped: their reader is too slow dropped=2\n";
    expect(lines).toEqual([line, dropped, line, line]);
  });
});

describe("openLog", () => {
  test("prints to the sink, and says on stderr which directives it ignores", () => {
    const lines: string[] = [];
    let stderr = "";
    const { logger, printer } = openLog({
      filter: "warn,linkerd2_proxy=info,linkerd=loud",
      format: "json",
      startMs: START_MS,
      sink: { writableLength: 0, write: (text: string) => lines.push(text) },
      stderr: (text) => (stderr += text),
    });
    logger.info(TARGET, "from here");
    logger.debug(TARGET, "too much");
    printer.print({
      level: Level.Trace,
      target: TARGET,
      message: "from a data thread",
      fields: null,
      timeMs: START_MS,
      thread: 2,
    });
    expect(lines.map((line) => JSON.parse(line).fields.message)).toEqual(["from here", "from a data thread"]);
    expect(stderr).toBe('ignored in LINKERD2_PROXY_LOG: linkerd=loud: "loud" is not a level\n');
  });
});
