/** Which backend of a rule, or override of a profile, takes a request. */

import type { Distribution } from "../types/policy.ts";
import type { Profile, ProfileOverride } from "../types/profile.ts";

/** None is available, or there is none. */
export const NO_BACKEND = -1;

/**
 * The index among the distribution's backends: the first available, or one of the available at random by weight.
 *
 * @param available by index; a backend in failfast is not
 * @param random uniform in [0, 1)
 */
export function chooseBackend<F>(
  distribution: Distribution<F>,
  available: (at: number) => boolean,
  random: () => number,
): number {
  switch (distribution.kind) {
    case "empty":
      return NO_BACKEND;
    case "first":
      for (let at = 0; at < distribution.backends.length; at += 1) if (available(at)) return at;
      return NO_BACKEND;
    case "random":
      return chooseWeighted(distribution.backends, available, random);
    default:
      return unreachable(distribution);
  }
}

/** As `chooseBackend`, among overrides of a profile without zero weights (`liveOverrides`). */
export function chooseOverride(
  overrides: readonly ProfileOverride[],
  available: (at: number) => boolean,
  random: () => number,
): number {
  return chooseWeighted(overrides, available, random);
}

/** A weight of zero sends nothing, and only zeroes split nothing: the traffic goes to the service itself. */
export function liveOverrides(profile: Profile): ProfileOverride[] {
  return profile.overrides.filter((override) => override.weight > 0);
}

/** Whether the profile decides where a target's requests go, rather than its outbound policy. */
export function profileDecides(profile: Profile | null): boolean {
  if (profile === null || profile.name === "") return false;
  return profile.routes.length > 0 || profile.overrides.some((override) => override.weight > 0);
}

function chooseWeighted(
  weighted: readonly { readonly weight: number }[],
  available: (at: number) => boolean,
  random: () => number,
): number {
  let sum = 0;
  for (let at = 0; at < weighted.length; at += 1) if (available(at)) sum += weighted[at]?.weight ?? 0;
  if (sum <= 0) return NO_BACKEND;
  let left = random() * sum;
  let chosen = NO_BACKEND;
  for (let at = 0; at < weighted.length; at += 1) {
    const weight = weighted[at]?.weight ?? 0;
    if (weight <= 0 || !available(at)) continue;
    chosen = at;
    left -= weight;
    if (left < 0) break;
  }
  return chosen;
}

function unreachable(distribution: never): never {
  throw new Error(`not a distribution: ${JSON.stringify(distribution)}`);
}
