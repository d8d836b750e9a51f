/** Higher is more talkative. Off is a level of filters only; no record has it. */
export const Level = { Off: 0, Error: 1, Warn: 2, Info: 3, Debug: 4, Trace: 5 } as const;
export type Level = (typeof Level)[keyof typeof Level];

const NAMES: readonly string[] = ["OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
const LEVELS: readonly Level[] = [Level.Off, Level.Error, Level.Warn, Level.Info, Level.Debug, Level.Trace];

export function levelName(level: Level): string {
  return NAMES[level] ?? "OFF";
}

/** A level's name in any case, or its number, as filters write it; null if it is neither. */
export function parseLevel(text: string): Level | null {
  const index = /^[0-5]$/.test(text) ? Number(text) : NAMES.indexOf(text.toUpperCase());
  return LEVELS[index] ?? null;
}
