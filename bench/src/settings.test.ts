import { expect, test } from "bun:test";
import { CASES } from "./cases.ts";
import { parseSettings } from "./settings.ts";

const ALL = [...CASES.map(({ name }) => name), "destination"];

const good: { name: string; env: Record<string, string>; want: object }[] = [
  { name: "an empty environment runs everything", env: {}, want: { rounds: 5, secondsEach: 4, cases: ALL } },
  { name: "empty values are defaults", env: { ROUNDS: "", CASES: " " }, want: { rounds: 5, cases: ALL } },
  { name: "numbers", env: { ROUNDS: "2", SECONDS_EACH: " 9 " }, want: { rounds: 2, secondsEach: 9 } },
  {
    name: "cases keep the order of the table",
    env: { CASES: "tcp-bulk, http1-small" },
    want: { cases: ["http1-small", "tcp-bulk"] },
  },
  { name: "a limit of one's own", env: { LIMIT_SECONDS: "7" }, want: { limitSeconds: 7 } },
];
for (const { name, env, want } of good) {
  test(name, () => {
    expect(parseSettings(env)).toMatchObject(want);
  });
}

test("every mistake is told", () => {
  const mistakes = parseSettings({ ROUNDS: "0", SECONDS_EACH: "1.5", CASES: "http1-small,http3", LIMIT_SECONDS: "x" });
  expect(mistakes).toEqual([
    expect.stringContaining('ROUNDS="0"'),
    expect.stringContaining('SECONDS_EACH="1.5"'),
    expect.stringContaining('CASES="http3"'),
    expect.stringContaining('LIMIT_SECONDS="x"'),
  ]);
});
