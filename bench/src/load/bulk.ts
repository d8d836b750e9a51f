import { BACKEND_ADDRESS } from "../addresses.ts";
import type { BulkLoad } from "../cases.ts";
import type { Lab } from "../lab.ts";

export interface BulkReport {
  readonly bytes: number;
  readonly seconds: number;
}

const CHECKED_BYTES = 64 * 1024 * 1024;

/** @throws Error when the receiver fails or a stream ends early */
export async function runBulk(lab: Lab, port: number, load: BulkLoad, seconds: number): Promise<BulkReport> {
  const argv = [lab.bulk, "pull", BACKEND_ADDRESS, String(port), String(seconds), String(load.connections)];
  const [bytes, took] = (await lab.runLoad(argv, (seconds + 15) * 1000)).split(" ").map(Number);
  if (bytes === undefined || took === undefined || !(took > 0)) throw new Error("the bulk receiver printed no report");
  return { bytes, seconds: took };
}

/**
 * Compares the beginning of a stream with the pattern it must have.
 *
 * @throws Error when a byte differs
 */
export async function checkBulk(lab: Lab, port: number): Promise<void> {
  await lab.runLoad([lab.bulk, "check", BACKEND_ADDRESS, String(port), String(CHECKED_BYTES)], 15_000);
}
