/** Which host names a route is for. Case does not matter, nor a trailing dot of the request's where the route has none. */
import type { HostMatch } from "../types/policy.ts";

export const NO_HOST_MATCH = -1;
/** What a route without hosts scores: less than any that names one. */
export const ANY_HOST = 0;

/** A route's hosts, ready to be matched. */
export class HostMatcher {
  /** Each with the same and a trailing dot, which a request may have. */
  #exact: { readonly host: string; readonly dotted: string }[];
  /** With a dot before and no dot behind: the labels must be followed by at least one more. */
  #suffixes: string[];

  constructor(hosts: readonly HostMatch[]) {
    this.#exact = [];
    this.#suffixes = [];
    for (const host of hosts) {
      if (host.kind === "exact") {
        const name = host.host.toLowerCase();
        this.#exact.push({ host: name, dotted: `${name}.` });
      } else {
        this.#suffixes.push(`.${host.reverseLabels.toReversed().join(".")}`.toLowerCase());
      }
    }
  }

  /**
   * How long the match of the best of them is: an exact one is longer than any suffix of the same name.
   *
   * @param host in lower case, without a port
   */
  score(host: string): number {
    if (this.#exact.length === 0 && this.#suffixes.length === 0) return ANY_HOST;
    if (host === "") return NO_HOST_MATCH;
    let best = NO_HOST_MATCH;
    for (const exact of this.#exact) {
      if (host === exact.host || host === exact.dotted) best = Math.max(best, exact.host.length);
    }
    if (best !== NO_HOST_MATCH) return best;
    for (const suffix of this.#suffixes) {
      if (host.endsWith(suffix) || (host.endsWith(".") && host.slice(0, -1).endsWith(suffix))) {
        best = Math.max(best, suffix.length);
      }
    }
    return best;
  }
}
