import { PROXY_ENV } from "@bowline/contracts";
import type { EnvReader } from "./env-reader.ts";
import { parseRatio, wholeNumber } from "./scalar-values.ts";

const parseCores = wholeNumber(1, 4096);

/**
 * How many data threads to run: CORES_MAX, or CORES_MAX_RATIO of the available CPUs, or one; at least CORES_MIN (whose
 * older name is CORES), at most what is available. A value that cannot be used costs a warning only, as in Linkerd.
 */
export function readDataThreads(env: EnvReader, cpusAvailable: number): number {
  const min = env.readLeniently(PROXY_ENV.coresMin, parseCores) ?? env.readLeniently(PROXY_ENV.cores, parseCores) ?? 1;
  const ratio = env.readLeniently(PROXY_ENV.coresMaxRatio, parseRatio);
  const byRatio = ratio === null ? null : Math.round(cpusAvailable * ratio);
  const wanted = env.readLeniently(PROXY_ENV.coresMax, parseCores) ?? byRatio ?? 1;
  return Math.max(1, Math.min(Math.max(wanted, min), cpusAvailable));
}
