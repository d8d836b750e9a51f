/** Finds the TLS route for a connection by the server name its ClientHello asks for. */
import type { TlsRoute } from "../types/policy.ts";
import { HostMatcher, NO_HOST_MATCH } from "./host.ts";

export class TlsRouteTable {
  #routes: { readonly route: TlsRoute; readonly snis: HostMatcher }[];

  constructor(routes: readonly TlsRoute[]) {
    this.#routes = routes.map((route) => ({ route, snis: new HostMatcher(route.snis) }));
  }

  /** The most specific route, the first listed among equals; null when none matches. @param sni in lower case */
  find(sni: string): TlsRoute | null {
    let best: TlsRoute | null = null;
    let bestScore = NO_HOST_MATCH;
    for (const { route, snis } of this.#routes) {
      const score = snis.score(sni);
      if (score <= bestScore) continue;
      best = route;
      bestScore = score;
    }
    return best;
  }
}
