import { expect, test } from "bun:test";
import { BACK_OFF_MAX_MS, BackOff } from "./back-off.ts";

/** Restarts a container that lives that long each time. @returns the delays before each restart, in seconds */
function delays(backOff: BackOff, livesMs: readonly number[]): number[] {
  let now = 1_000_000;
  return livesMs.map((lifeMs) => {
    const finished = now + lifeMs;
    now = backOff.readyAtMs(finished);
    backOff.restarted(now);
    return (now - finished) / 1000;
  });
}

test("the first restart is at once, then the delay doubles up to five minutes", () => {
  expect(delays(new BackOff(), Array(9).fill(500))).toEqual([0, 10, 20, 40, 80, 160, 300, 300, 300]);
});

test("ten good minutes make it forget", () => {
  const good = 2 * BACK_OFF_MAX_MS + 1;
  expect(delays(new BackOff(), [500, 500, 500, good, 500, good - 1])).toEqual([0, 10, 20, 0, 10, 20]);
});

test("an adopted container goes on where it was", () => {
  const adopted = (restarts: number) => BackOff.after(restarts, 999_900);
  expect([0, 1, 2, 3, 9].map((restarts) => delays(adopted(restarts), [100])[0])).toEqual([0, 10, 20, 40, 300]);
});
