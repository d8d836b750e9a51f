import { expect, test } from "bun:test";
import { judgeStats, parseStats } from "./stat-verdict.ts";

const GOOD = [
  { name: "emoji", meshed: "1/1", success: 1, rps: 4 },
  { name: "vote-bot", meshed: "1/1", success: null, rps: null },
  { name: "voting", meshed: "1/1", success: 0.85, rps: 1 },
  { name: "web", meshed: "1/1", success: 0.92, rps: 2 },
];

function verdicts(changed: Partial<(typeof GOOD)[number]> & { name: string }): boolean[] {
  const rows = GOOD.map((row) => (row.name === changed.name ? { ...row, ...changed } : row));
  return judgeStats(parseStats(JSON.stringify(rows), 30)).map(({ ok }) => ok);
}

const ROWS: readonly [what: string, changed: Parameters<typeof verdicts>[0], ok: readonly boolean[]][] = [
  ["as it should be", { name: "web" }, [true, true, true, true]],
  ["a pod without a proxy", { name: "web", meshed: "1/2" }, [false, true, true, true]],
  ["emoji fails now and then", { name: "emoji", success: 0.95 }, [true, false, true, true]],
  ["a probe of emoji's was lost", { name: "emoji", success: 0.99 }, [true, true, true, true]],
  ["emoji is not called", { name: "emoji", success: null }, [true, false, true, true]],
  ["voting never fails", { name: "voting", success: 1 }, [true, true, false, false]],
  ["voting always fails", { name: "voting", success: 0 }, [true, true, false, true]],
  ["web never fails", { name: "web", success: 1 }, [true, true, true, false]],
  ["web fails more often than voting", { name: "web", success: 0.5 }, [true, true, true, false]],
];

test.each(ROWS)("%s", (_what, changed, ok) => {
  expect(verdicts(changed)).toEqual([...ok]);
});

test("requests are counted over the time of the measurement", () => {
  expect(parseStats(JSON.stringify(GOOD), 30).map(({ requests }) => requests)).toEqual([120, 0, 30, 60]);
});
