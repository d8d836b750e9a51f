/** When something is due: at the minutes that match, or every so often. */
export type Schedule = MinuteSchedule | { readonly everyMs: number };

/** Which values each field of a wall clock may have. */
interface MinuteSchedule {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly daysOfMonth: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly daysOfWeek: ReadonlySet<number>;
  /** Where both days are restricted, either is enough (POSIX crontab). */
  readonly eitherDay: boolean;
  readonly timeZone: string;
}

const MACROS: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/**
 * Reads the five fields of a crontab line, one of its macros, or `@every` and a duration ("@every 1h30m").
 *
 * @param timeZone an IANA name
 * @throws Error saying which part is wrong
 */
export function parseSchedule(text: string, timeZone = "UTC"): Schedule {
  const every = /^@every ((?:[0-9.]+(?:ms|s|m|h))+)$/.exec(text.trim())?.[1];
  if (every !== undefined) return { everyMs: parseEvery(every) };
  const fields = (MACROS[text.trim()] ?? text).trim().split(/\s+/);
  const [minute, hour, day, month, weekday] = fields;
  if (fields.length !== 5 || weekday === undefined) {
    throw new Error(`a schedule has five fields, ${JSON.stringify(text)} has ${fields.length}`);
  }
  const daysOfWeek = parseField(weekday, 0, 7, DAYS, 0);
  return {
    minutes: parseField(minute ?? "", 0, 59),
    hours: parseField(hour ?? "", 0, 23),
    daysOfMonth: parseField(day ?? "", 1, 31),
    months: parseField(month ?? "", 1, 12, MONTHS, 1),
    daysOfWeek: new Set([...daysOfWeek].map((each) => each % 7)),
    eitherDay: !isAny(day) && !isAny(weekday),
    timeZone: knownTimeZone(timeZone),
  };
}

/**
 * The first minute after `afterMs` that the schedule names, in milliseconds of the epoch; undefined when there is none within
 * eight years, which is how far apart two 29ths of February can be.
 */
export function nextTime(schedule: Schedule, afterMs: number): number | undefined {
  // Whole seconds, as objects tell times.
  if ("everyMs" in schedule) return Math.floor((afterMs + schedule.everyMs) / 1000) * 1000;
  const clock = wallClock(schedule.timeZone);
  const endMs = afterMs + 8 * 366 * DAY_MS;
  let atMs = (Math.floor(afterMs / MINUTE_MS) + 1) * MINUTE_MS;
  while (atMs < endMs) {
    const now = clock(atMs);
    if (!hasDay(schedule, now)) {
      // To the next hour that may begin a day: time zones jump by whole or half hours, not by days.
      atMs += (60 - now.minute) * MINUTE_MS;
    } else if (!schedule.hours.has(now.hour)) {
      atMs += (60 - now.minute) * MINUTE_MS;
    } else if (!schedule.minutes.has(now.minute)) {
      atMs += MINUTE_MS;
    } else {
      return atMs;
    }
  }
  return undefined;
}

/** The last time after `fromMs` and not after `nowMs` that the schedule names, in milliseconds of the epoch. */
export function latestTime(schedule: Schedule, fromMs: number, nowMs: number): number | undefined {
  if ("everyMs" in schedule) {
    const times = Math.floor((nowMs - fromMs) / schedule.everyMs);
    return times < 1 ? undefined : Math.floor((fromMs + times * schedule.everyMs) / 1000) * 1000;
  }
  // Backwards in growing steps, so that a cluster that was down for long does not count every minute of it.
  for (const spanMs of LOOK_BACK_MS) {
    let latest: number | undefined;
    for (let at = nextTime(schedule, Math.max(fromMs, nowMs - spanMs)); at !== undefined && at <= nowMs; ) {
      latest = at;
      at = nextTime(schedule, at);
    }
    if (latest !== undefined || nowMs - spanMs <= fromMs) return latest;
  }
  return undefined;
}

const HOUR_MS = 3_600_000;
const LOOK_BACK_MS = [120_000, 2 * HOUR_MS, 48 * HOUR_MS, 62 * 24 * HOUR_MS, Number.POSITIVE_INFINITY];
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

interface WallClock {
  readonly minute: number;
  readonly hour: number;
  readonly day: number;
  readonly month: number;
  readonly weekday: number;
}

function hasDay(schedule: MinuteSchedule, now: WallClock): boolean {
  if (!schedule.months.has(now.month)) return false;
  const ofMonth = schedule.daysOfMonth.has(now.day);
  const ofWeek = schedule.daysOfWeek.has(now.weekday);
  return schedule.eitherDay ? ofMonth || ofWeek : ofMonth && ofWeek;
}

function wallClock(timeZone: string): (ms: number) => WallClock {
  if (timeZone === "UTC") {
    return (ms) => {
      const date = new Date(ms);
      return {
        minute: date.getUTCMinutes(),
        hour: date.getUTCHours(),
        day: date.getUTCDate(),
        month: date.getUTCMonth() + 1,
        weekday: date.getUTCDay(),
      };
    };
  }
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    minute: "numeric",
    hour: "numeric",
    day: "numeric",
    month: "numeric",
    weekday: "short",
  });
  return (ms) => {
    const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, value]));
    const number = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type));
    const weekday = DAYS.indexOf((parts.get("weekday") ?? "").toLowerCase());
    return { minute: number("minute"), hour: number("hour"), day: number("day"), month: number("month"), weekday };
  };
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: MINUTE_MS, h: HOUR_MS };

/** @throws Error for what is less than a second */
function parseEvery(text: string): number {
  const parts = Array.from(
    text.matchAll(/([0-9.]+)(ms|s|m|h)/g),
    ([, count, unit = ""]) => Number(count) * (UNITS_MS[unit] ?? 0),
  );
  const everyMs = parts.reduce((sum, part) => sum + part, 0);
  if (!(everyMs >= 1000)) throw new Error(`@every ${text} is not a second or more`);
  return everyMs;
}

/** @throws Error for a name no system knows */
function knownTimeZone(name: string): string {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return name;
  } catch (cause) {
    throw new Error(`unknown time zone ${JSON.stringify(name)}`, { cause });
  }
}

/** `*`, `5`, `1-5`, `mon`, each also with `/step`, joined by commas. */
function parseField(
  text: string,
  min: number,
  max: number,
  names: readonly string[] = [],
  firstName = 0,
): ReadonlySet<number> {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(\*|\?|[0-9a-z]+)(?:-([0-9a-z]+))?(?:\/([0-9]+))?$/i.exec(part);
    if (match === null) throw new Error(`${JSON.stringify(part)} is no part of a schedule`);
    const [, from = "", to, stepText] = match;
    const step = stepText === undefined ? 1 : Number(stepText);
    const value = (word: string): number => {
      const at = names.indexOf(word.toLowerCase());
      return at >= 0 ? at + firstName : Number(word);
    };
    const first = isAny(from) ? min : value(from);
    const openEnd = isAny(from) || stepText !== undefined ? max : first;
    const last = to === undefined ? openEnd : value(to);
    if (!(first >= min && last <= max && first <= last && step > 0)) {
      throw new Error(`${JSON.stringify(part)} is not between ${min} and ${max}`);
    }
    for (let each = first; each <= last; each += step) values.add(each);
  }
  return values;
}

function isAny(field: string | undefined): boolean {
  return field === "*" || field === "?";
}
