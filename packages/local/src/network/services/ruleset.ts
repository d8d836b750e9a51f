import { isIPv6 } from "node:net";
import { SERVICE_CIDR_V4, SERVICE_CIDR_V6 } from "../addresses.ts";
import { NODE_LINK } from "../names.ts";
import { type Backend, backendKey, type Translation } from "./translations.ts";

/** The one table of the node's namespace. */
export const TABLE = "inet bowline";

/** What changes from one state of the cluster to the next; the rest of the table is `FIXED`. */
export interface Ruleset {
  /** Rules by chain. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** Values by key, by set or map; of a set's elements the value is "". */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Definitions, by name, of the sets that rules fill: clients with their affinity. */
  readonly affinities: ReadonlyMap<string, string>;
}

/** The ruleset for these translations. Of two for the same address, protocol and port the first counts. */
export function rulesetOf(translations: readonly Translation[], nodeIps: readonly string[]): Ruleset {
  const chains = new Map<string, string[]>();
  const affinities = new Map<string, string>();
  const targets = { services4: new Map<string, string>(), services6: new Map<string, string>() };
  const hairpins = { hairpin4: new Map<string, string>(), hairpin6: new Map<string, string>() };
  for (const translation of translations) {
    const six = isIPv6(translation.ip);
    const target = targets[six ? "services6" : "services4"];
    const element = `${translation.ip} . ${translation.protocol} . ${translation.port}`;
    if (target.has(element) || translation.backends.length === 0) continue;
    target.set(element, `goto svc-${translation.key}`);
    addChains(translation, chains, affinities);
    for (const { ip } of translation.backends) {
      if (!nodeIps.includes(ip)) hairpins[six ? "hairpin6" : "hairpin4"].set(`${ip} . ${ip}`, "");
    }
  }
  return { chains, affinities, elements: new Map([...Object.entries(targets), ...Object.entries(hairpins)]) };
}

/**
 * Input for `nft -f`, which takes all of it or nothing: what leads from one ruleset to another. The clients that affinity
 * sets have learnt stay.
 *
 * @param from what is in force; null when that is not known: the table is made anew
 * @returns "" when there is nothing to do
 */
export function transaction(from: Ruleset | null, to: Ruleset): string {
  const before = from ?? EMPTY;
  const newChains = [...to.chains].filter(([chain, rules]) => !sameRules(before.chains.get(chain), rules));
  const goneChains = [...before.chains.keys()].filter((chain) => !to.chains.has(chain));
  const changedChains = newChains.filter(([chain]) => before.chains.has(chain)).map(([chain]) => chain);
  const lines = [
    ...[...to.affinities]
      .filter(([name]) => !before.affinities.has(name))
      .map(([name, definition]) => `add set ${TABLE} ${name} { ${definition} }`),
    ...newChains.map(([chain]) => `add chain ${TABLE} ${chain}`),
    ...[...changedChains, ...goneChains].map((chain) => `flush chain ${TABLE} ${chain}`),
    ...newChains.flatMap(([chain, rules]) => rules.map((rule) => `add rule ${TABLE} ${chain} ${rule}`)),
    ...elementChanges(before, to),
    ...goneChains.map((chain) => `delete chain ${TABLE} ${chain}`),
    ...[...before.affinities.keys()]
      .filter((name) => !to.affinities.has(name))
      .map((name) => `delete set ${TABLE} ${name}`),
  ];
  if (from !== null && lines.length === 0) return "";
  return `${[...(from === null ? FIXED : []), ...lines].join("\n")}\n`;
}

const EMPTY: Ruleset = { chains: new Map(), elements: new Map(), affinities: new Map() };

/**
 * Translation comes before routing, for what pods send and for the node's own connections. What is for a service address
 * and has not been translated has nowhere to go, and is told so.
 */
const FIXED: readonly string[] = [
  `add table ${TABLE}`,
  `delete table ${TABLE}`,
  `add table ${TABLE}`,
  `add map ${TABLE} services4 { type ipv4_addr . inet_proto . inet_service : verdict; }`,
  `add map ${TABLE} services6 { type ipv6_addr . inet_proto . inet_service : verdict; }`,
  `add set ${TABLE} hairpin4 { type ipv4_addr . ipv4_addr; }`,
  `add set ${TABLE} hairpin6 { type ipv6_addr . ipv6_addr; }`,
  `add chain ${TABLE} translate`,
  `add rule ${TABLE} translate ip daddr . meta l4proto . th dport vmap @services4`,
  `add rule ${TABLE} translate ip6 daddr . meta l4proto . th dport vmap @services6`,
  `add chain ${TABLE} prerouting { type nat hook prerouting priority -100; }`,
  `add rule ${TABLE} prerouting jump translate`,
  `add chain ${TABLE} output { type nat hook output priority -100; }`,
  `add rule ${TABLE} output jump translate`,
  // A pod that reached itself through a service would answer itself past the node, and wonder who that is.
  `add chain ${TABLE} postrouting { type nat hook postrouting priority 100; }`,
  `add rule ${TABLE} postrouting ip saddr . ip daddr @hairpin4 masquerade`,
  `add rule ${TABLE} postrouting ip6 saddr . ip6 daddr @hairpin6 masquerade`,
  `add chain ${TABLE} refuse`,
  `add rule ${TABLE} refuse meta l4proto tcp reject with tcp reset`,
  `add rule ${TABLE} refuse reject with icmpx port-unreachable`,
  `add chain ${TABLE} forward { type filter hook forward priority 0; }`,
  // What belongs to no connection would pass untranslated, and a reset that answers it would end one.
  `add rule ${TABLE} forward ct state invalid drop`,
  `add rule ${TABLE} forward ip daddr ${SERVICE_CIDR_V4} goto refuse`,
  `add rule ${TABLE} forward ip6 daddr ${SERVICE_CIDR_V6} goto refuse`,
  `add chain ${TABLE} local { type filter hook output priority 0; }`,
  // Service addresses that the node has itself, DNS, don't come this way.
  `add rule ${TABLE} local oifname ${NODE_LINK} ip daddr ${SERVICE_CIDR_V4} goto refuse`,
  `add rule ${TABLE} local oifname ${NODE_LINK} ip6 daddr ${SERVICE_CIDR_V6} goto refuse`,
];

function addChains(translation: Translation, chains: Map<string, string[]>, affinities: Map<string, string>): void {
  const { key, protocol, backends, affinitySeconds, ip } = translation;
  const family = isIPv6(ip) ? "ip6" : "ip";
  const translate = `meta l4proto ${protocol} dnat ${family} to`;
  if (affinitySeconds === null) {
    chains.set(`svc-${key}`, [`${translate} ${choice(backends)}`]);
    return;
  }
  const learnt: string[] = [];
  const chosen = backends.map((backend, index) => {
    const name = `${key}/${backendKey(backend)}`;
    const type = family === "ip6" ? "ipv6_addr" : "ipv4_addr";
    affinities.set(`aff-${name}`, `type ${type}; flags dynamic,timeout; timeout ${affinitySeconds}s;`);
    chains.set(`end-${name}`, [`update @aff-${name} { ${family} saddr } ${translate} ${target(backend)}`]);
    learnt.push(`${family} saddr @aff-${name} goto end-${name}`);
    return `${index} : goto end-${name}`;
  });
  chains.set(`svc-${key}`, [...learnt, `numgen random mod ${backends.length} vmap { ${chosen.join(", ")} }`]);
}

function choice(backends: readonly Backend[]): string {
  const [only] = backends;
  if (backends.length === 1 && only !== undefined) return target(only);
  const rows = backends.map(({ ip, port }, index) => `${index} : ${ip} . ${port}`);
  return `numgen random mod ${backends.length} map { ${rows.join(", ")} }`;
}

function target({ ip, port }: Backend): string {
  return isIPv6(ip) ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function elementChanges(from: Ruleset, to: Ruleset): string[] {
  return [...to.elements].flatMap(([set, elements]) => {
    const before = from.elements.get(set) ?? new Map<string, string>();
    const gone = [...before].filter(([key, value]) => elements.get(key) !== value).map(([key]) => key);
    const fresh = [...elements]
      .filter(([key, value]) => before.get(key) !== value)
      .map(([key, value]) => (value === "" ? key : `${key} : ${value}`));
    return [
      ...(gone.length > 0 ? [`delete element ${TABLE} ${set} { ${gone.join(", ")} }`] : []),
      ...(fresh.length > 0 ? [`add element ${TABLE} ${set} { ${fresh.join(", ")} }`] : []),
    ];
  });
}

function sameRules(a: readonly string[] | undefined, b: readonly string[]): boolean {
  return a !== undefined && a.length === b.length && a.every((rule, index) => rule === b[index]);
}
