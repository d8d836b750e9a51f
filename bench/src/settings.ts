import { CASES } from "./cases.ts";
import { DESTINATION_CASE } from "./destination.ts";

/** What one run does; every value can be changed by the environment variable of the same name in capitals. */
export interface Settings {
  /** Every proxy is measured this often per case. */
  readonly rounds: number;
  readonly secondsEach: number;
  /** Names of the cases to run, in the order of the table of cases. */
  readonly cases: readonly string[];
  /** A run that takes longer is ended as failed. */
  readonly limitSeconds: number;
}

/** The environment to settings, or every mistake in it, one line each. */
export function parseSettings(env: Readonly<Record<string, string | undefined>>): Settings | readonly string[] {
  const mistakes: string[] = [];
  const positive = (name: string, fallback: number): number => {
    const text = env[name]?.trim();
    if (text === undefined || text === "") return fallback;
    if (/^[1-9][0-9]{0,5}$/.test(text)) return Number(text);
    mistakes.push(`${name}="${text}" is not valid: expected a whole number from 1`);
    return fallback;
  };
  const rounds = positive("ROUNDS", 5);
  const secondsEach = positive("SECONDS_EACH", 4);
  const known = [...CASES.map((benchCase) => benchCase.name), DESTINATION_CASE];
  const { CASES: text = "" } = env;
  const wanted = text.split(/[\s,]+/).filter(Boolean);
  for (const name of wanted) {
    if (!known.includes(name)) mistakes.push(`CASES="${name}" is not valid: expected some of ${known.join(", ")}`);
  }
  const cases = wanted.length === 0 ? known : known.filter((name) => wanted.includes(name));
  // Generous: twice the time that measuring, warming up and starting four proxies takes.
  const limitSeconds = positive("LIMIT_SECONDS", 120 + 2 * cases.length * (30 + rounds * 4 * (secondsEach + 2)));
  return mistakes.length > 0 ? mistakes : { rounds, secondsEach, cases, limitSeconds };
}
