/** A rule of a listing, by what identifies it to a reader. */
interface ListedRule {
  readonly target: string;
  /** The comment without `proxy-init/` and the seconds. */
  readonly comment: string;
}

/** The rules that the article shows after proxy-init has run, by chain and in order. */
const WANTED: Readonly<Record<string, readonly ListedRule[]>> = {
  PREROUTING: [{ target: "PROXY_INIT_REDIRECT", comment: "install-proxy-init-prerouting" }],
  INPUT: [],
  OUTPUT: [{ target: "PROXY_INIT_OUTPUT", comment: "install-proxy-init-output" }],
  POSTROUTING: [],
  PROXY_INIT_OUTPUT: [
    { target: "RETURN", comment: "ignore-proxy-user-id" },
    { target: "RETURN", comment: "ignore-loopback" },
    { target: "REDIRECT", comment: "redirect-all-outgoing-to-proxy-port" },
  ],
  PROXY_INIT_REDIRECT: [
    { target: "RETURN", comment: "ignore-port-4190" },
    { target: "RETURN", comment: "ignore-port-4191" },
    { target: "REDIRECT", comment: "redirect-all-incoming-to-proxy-port" },
  ],
};

/** What differs from the article's rules in the output of `iptables -t nat -L -v`; empty when nothing does. */
export function differencesInRules(listing: string): string[] {
  const chains = parseListing(listing);
  const differences = Object.entries(WANTED).flatMap(([chain, rules]) => {
    const found = describe(chains.get(chain));
    const wanted = describe(rules);
    return found === wanted ? [] : [`chain ${chain}: ${found} instead of ${wanted}`];
  });
  const surplus = [...chains.keys()].filter((chain) => !Object.hasOwn(WANTED, chain));
  return [...differences, ...surplus.map((chain) => `chain ${chain} should not be there`)];
}

function parseListing(listing: string): Map<string, ListedRule[]> {
  const chains = new Map<string, ListedRule[]>();
  let rules: ListedRule[] = [];
  for (const line of listing.split("\n")) {
    const chain = /^Chain (\S+) /.exec(line)?.[1];
    if (chain !== undefined) {
      rules = [];
      chains.set(chain, rules);
      continue;
    }
    // Columns: packets, bytes, target; packets may be written as 12K.
    const rule = /^\s*\d+[KMGT]?\s+\d+[KMGT]?\s+(\S+)\s/.exec(line);
    if (rule === null) continue;
    const comment = /\/\* proxy-init\/(.*?)(?:\/\d+)? \*\//.exec(line)?.[1];
    rules.push({ target: rule[1] ?? "", comment: comment ?? "no comment" });
  }
  return chains;
}

function describe(rules: readonly ListedRule[] | undefined): string {
  if (rules === undefined) return "missing";
  return rules.length === 0 ? "empty" : rules.map(({ target, comment }) => `${target} (${comment})`).join(", ");
}
