import { VERSION } from "@bowline/contracts";
import type { BuildInfo } from "./process-metrics.ts";

/** Put here by scripts/build.ts when it makes the executable. */
declare const BOWLINE_BUILD: { readonly date: string; readonly gitSha: string } | undefined;

/** What this is a build of; run from its sources it has neither date nor commit. */
export function buildInfo(): BuildInfo {
  if (typeof BOWLINE_BUILD === "undefined") return { date: "", gitSha: "", profile: "source", version: VERSION };
  return { ...BOWLINE_BUILD, profile: "release", version: VERSION };
}
