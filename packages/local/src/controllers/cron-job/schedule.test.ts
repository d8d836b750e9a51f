import { describe, expect, test } from "bun:test";
import { latestTime, nextTime, parseSchedule } from "./schedule.ts";

function next(schedule: string, after: string, timeZone?: string): string | undefined {
  const at = nextTime(parseSchedule(schedule, timeZone), Date.parse(after));
  return at === undefined ? undefined : new Date(at).toISOString();
}

describe("a schedule", () => {
  const rows: [string, string, string][] = [
    ["* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00.000Z"],
    ["* * * * *", "2026-01-01T00:00:59.999Z", "2026-01-01T00:01:00.000Z"],
    ["*/15 * * * *", "2026-01-01T00:46:00Z", "2026-01-01T01:00:00.000Z"],
    ["5/20 * * * *", "2026-01-01T00:06:00Z", "2026-01-01T00:25:00.000Z"],
    ["0 3 * * *", "2026-01-01T03:00:00Z", "2026-01-02T03:00:00.000Z"],
    ["30 9-17/4 * * mon-fri", "2026-01-02T17:31:00Z", "2026-01-05T09:30:00.000Z"],
    ["0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00.000Z"],
    ["0 0 1,15 * *", "2026-01-02T00:00:00Z", "2026-01-15T00:00:00.000Z"],
    ["0 0 13 * 5", "2026-02-01T00:00:00Z", "2026-02-06T00:00:00.000Z"],
    ["0 0 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00.000Z"],
    ["0 0 ? JAN,jul *", "2026-02-01T00:00:00Z", "2026-07-01T00:00:00.000Z"],
    ["@hourly", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00.000Z"],
    ["@yearly", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00.000Z"],
  ];
  test.each(rows)("%p after %s is due at %s", (schedule, after, want) => {
    expect(next(schedule, after)).toBe(want);
  });

  test("follows its time zone, through the change of clocks and half hours", () => {
    expect(next("0 9 * * *", "2026-03-28T12:00:00Z", "Europe/Berlin")).toBe("2026-03-29T07:00:00.000Z");
    expect(next("0 9 * * *", "2026-03-27T12:00:00Z", "Europe/Berlin")).toBe("2026-03-28T08:00:00.000Z");
    expect(next("30 0 * * *", "2026-01-01T00:00:00Z", "Asia/Kolkata")).toBe("2026-01-01T19:00:00.000Z");
  });

  test("can be so and so long after the last time", () => {
    expect(next("@every 1h30m", "2026-01-01T00:00:10Z")).toBe("2026-01-01T01:30:10.000Z");
    const [from, now] = [Date.parse("2026-01-01T00:00:00Z"), Date.parse("2026-01-01T00:29:00Z")];
    expect(latestTime(parseSchedule("@every 10m"), from, now)).toBe(from + 20 * 60_000);
    expect(latestTime(parseSchedule("@every 30m"), from, now)).toBeUndefined();
  });

  test("is looked back over however long nobody looked", () => {
    const now = Date.parse("2026-06-15T12:34:56Z");
    const rows: [string, number, string | undefined][] = [
      ["* * * * *", 0, "2026-06-15T12:34:00.000Z"],
      ["0 3 * * *", 0, "2026-06-15T03:00:00.000Z"],
      ["0 0 1 1 *", 0, "2026-01-01T00:00:00.000Z"],
      ["0 0 1 1 *", Date.parse("2026-01-01T00:00:00Z"), undefined],
    ];
    for (const [text, from, want] of rows) {
      const latest = latestTime(parseSchedule(text), from, now);
      expect(latest === undefined ? undefined : new Date(latest).toISOString()).toBe(want);
    }
  });

  test("of a day that never comes is never due", () => {
    expect(next("0 0 31 2 *", "2026-01-01T00:00:00Z")).toBeUndefined();
  });

  const wrong = ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8"];
  test.each([
    ...wrong,
    "5-1 * * * *",
    "*/0 * * * *",
    "a * * * *",
    "1--2 * * * *",
    "@often",
    "@every 1 day",
    "@every 10ms",
  ])("%p is refused", (text) => {
    expect(() => parseSchedule(text)).toThrow();
  });

  test("refuses a time zone that nobody knows", () => {
    expect(() => parseSchedule("@daily", "Europe/Atlantis")).toThrow('unknown time zone "Europe/Atlantis"');
  });
});
