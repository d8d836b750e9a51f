import { describe, expect, test } from "bun:test";
import { formatHex, fuzz, loadInputs, tryInput } from "@bowline/testkit";
import { FUZZ_TARGETS } from "./targets.ts";

const SECONDS_EACH = 2;
/** `make fuzz` takes another one each time. */
const { FUZZ_SEED = "1" } = process.env;

describe.each(FUZZ_TARGETS.map((target) => [target.name, target] as const))("%s", (_name, target) => {
  test("what was once found stays mended", () => {
    for (const { bytes } of loadInputs(target.name)) tryInput(target, bytes);
  });

  test(`mutated messages, FUZZ_SEED=${FUZZ_SEED}`, () => {
    const { failure, inputs, ways } = fuzz(target, Number(FUZZ_SEED), { seconds: SECONDS_EACH });
    expect(failure === null ? "" : formatHex(failure.input, String(failure.error))).toBe("");
    // A target that takes nothing but a few ways through the code tries nothing.
    expect(ways).toBeGreaterThan(Math.min(20, inputs / 100));
  });
});
