export type Env = Readonly<Record<string, string | undefined>>;

/** Something in the environment that no program can make sense of. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

/** @throws SettingError */
export function portSetting(env: Env, name: string, fallback: number): number {
  const value = numberSetting(env, name, fallback);
  if (!Number.isInteger(value) || value < 0 || value > 65_535) throw new SettingError(`${name}=${value} is no port`);
  return value;
}

/** @throws SettingError */
export function numberSetting(env: Env, name: string, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new SettingError(`${name}=${text} is no number of 0 or more`);
  return value;
}

/** A share between 0 and 1. @throws SettingError */
export function shareSetting(env: Env, name: string, fallback: number): number {
  const value = numberSetting(env, name, fallback);
  if (value > 1) throw new SettingError(`${name}=${value} is more than 1`);
  return value;
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** "100ms", "1.5s", "2m"; in milliseconds. @throws SettingError */
export function durationSetting(env: Env, name: string, fallbackMs: number): number {
  const text = env[name];
  if (text === undefined || text === "") return fallbackMs;
  const match = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?$/.exec(text);
  if (match === null) throw new SettingError(`${name}=${text} is no duration such as 100ms or 2s`);
  return Number(match[1]) * (UNITS_MS[match[2] ?? "ms"] ?? 1);
}

/** `host:port`. @throws SettingError */
export function addressSetting(env: Env, name: string): string {
  const text = env[name] ?? "";
  if (!/^(?:\[[0-9a-fA-F:.]+\]|[^\s:]+):[0-9]+$/.test(text)) throw new SettingError(`${name}=${text} is no host:port`);
  return text;
}
