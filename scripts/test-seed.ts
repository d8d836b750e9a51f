import { configureGlobal } from "fast-check";

/**
 * Loaded before each file of tests (bunfig.toml): properties draw the same examples in every run, so that a run that failed can be
 * run again, and so that a change is not blamed for what a roll of the dice has found. TEST_SEED=random (or a number) looks
 * elsewhere; what it finds prints its seed.
 */
const { TEST_SEED = "1" } = process.env;
if (TEST_SEED !== "random") configureGlobal({ seed: Number(TEST_SEED) });
