import { DEFAULT_POLICIES } from "@bowline/contracts";
import { DEFAULT_VALUES, type Values } from "@bowline/control-plane";
import { isTree, type ValueTree } from "./set-flags.ts";

/** Values that are maps or lists of the user's own making, below which any name is good. */
const OPEN_PATHS =
  /^(podAnnotations|podLabels|commonLabels|nodeSelector|deploymentStrategy|\w+\.(namespace|object)Selector)$/;

/** Whether a value is the user's as a whole, so that it is replaced and never joined. */
export function isOpen(path: string): boolean {
  return OPEN_PATHS.test(path);
}

/** The paths in a tree that no value of Bowline has. Charts of Linkerd know values of which Bowline has no use. */
export function unknownPaths(tree: ValueTree, known: unknown = DEFAULT_VALUES, prefix = ""): string[] {
  return Object.entries(tree).flatMap(([key, value]) => {
    const path = prefix + key;
    if (!isTree(known) || !Object.hasOwn(known, key)) return [path];
    return isTree(value) && isTree(known[key]) && !isOpen(path) ? unknownPaths(value, known[key], `${path}.`) : [];
  });
}

/** The value that was perhaps meant: one that is spelt nearly so, or that ends alike. */
export function closestPath(path: string): string | undefined {
  const known = allPaths(DEFAULT_VALUES, "");
  const last = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  return (
    known.find((one) => editDistance(one.toLowerCase(), path.toLowerCase()) <= 2) ??
    known.find((one) => one.toLowerCase().endsWith(`.${last}`))
  );
}

/** What is wrong with values beyond their types; empty when nothing is. */
export function valueFaults(values: Values): string[] {
  return RULES.flatMap(([path, rule]) => {
    const value = path.split(".").reduce<unknown>((at, key) => (isTree(at) ? at[key] : undefined), values);
    const fault = rule(value);
    return fault === null ? [] : [`${path}: ${JSON.stringify(value)} ${fault}`];
  });
}

type Rule = (value: unknown) => string | null;

const oneOf =
  (...allowed: readonly string[]): Rule =>
  (value) =>
    allowed.includes(String(value)) ? null : `is none of ${allowed.filter((one) => one !== "").join(", ")}`;

const integer =
  (min: number, max: number): Rule =>
  (value) =>
    Number.isInteger(value) && Number(value) >= min && Number(value) <= max
      ? null
      : `is not a whole number of ${min} to ${max}`;

const matching =
  (pattern: RegExp, what: string): Rule =>
  (value) =>
    pattern.test(String(value)) ? null : `is not ${what}`;

const not =
  (unwanted: unknown, why: string): Rule =>
  (value) =>
    value === unwanted ? why : null;

const PORT = integer(1, 65_535);
const USER = integer(-1, 2 ** 31 - 1);
const DNS_LABEL = matching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "a name of lower-case letters, digits and -");
const DNS_NAME = matching(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/, "a DNS name");
const DNS_NAME_OR_NONE: Rule = (value) => (value === "" ? null : DNS_NAME(value));
const NUMBER = String.raw`(\d+(\.\d+)?(ns|us|ms|s|m|h))+`;
const DURATION = matching(new RegExp(`^(0|${NUMBER})$`), 'a duration such as "10s" or "24h0m0s"');
const DURATION_OR_NONE = matching(new RegExp(`^(0|${NUMBER})?$`), 'a duration such as "10s"');
const QUANTITY = matching(/^([+-]?\d+(\.\d+)?(m|k|[KMGTPE]i?)?)?$/, 'a quantity such as "100m" or "64Mi"');
const PORTS = matching(/^(\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*)?$/, 'a list of ports such as "25,3306,8000-8100"');
const NETWORKS = matching(
  /^[0-9a-fA-F:.]+\/\d{1,3}(,[0-9a-fA-F:.]+\/\d{1,3})*$/,
  'a list of networks such as "10.0.0.0/8,fd00::/8"',
);
const LOG_LEVEL = oneOf("panic", "fatal", "error", "warn", "info", "debug", "trace");
const PULL_POLICY = oneOf("Always", "IfNotPresent", "Never", "");

function resources(path: string): [path: string, rule: Rule][] {
  return ["cpu", "memory", "ephemeral-storage"].flatMap((kind): [string, Rule][] =>
    ["request", "limit"].map((bound): [string, Rule] => [`${path}.${kind}.${bound}`, QUANTITY]),
  );
}

const RULES: readonly [path: string, rule: Rule][] = [
  ["namespace", DNS_LABEL],
  ["clusterDomain", DNS_NAME],
  ["identityTrustDomain", DNS_NAME_OR_NONE],
  ["clusterNetworks", NETWORKS],
  ["imagePullPolicy", oneOf("Always", "IfNotPresent", "Never")],
  ["webhookFailurePolicy", oneOf("Ignore", "Fail")],
  ["controllerReplicas", integer(1, 100)],
  ["controllerLogLevel", LOG_LEVEL],
  ["controllerLogFormat", oneOf("plain", "json")],
  ["controllerUID", integer(1, 2 ** 31 - 1)],
  ["controllerGID", USER],
  ["identity.enabled", not(true, "is not possible: this version of Bowline has no identity service yet")],
  ["identity.issuer.scheme", oneOf("linkerd.io/tls", "kubernetes.io/tls")],
  ["identity.issuer.issuanceLifetime", DURATION],
  ["identity.issuer.clockSkewAllowance", DURATION],
  ["policyController.enabled", not(true, "is not possible: this version of Bowline has no policy controller yet")],
  ["proxyInjector.timeoutSeconds", integer(1, 30)],
  ["proxy.image.pullPolicy", PULL_POLICY],
  ["proxy.uid", integer(1, 2 ** 31 - 1)],
  ["proxy.gid", USER],
  ["proxy.logFormat", oneOf("plain", "json")],
  ["proxy.logHTTPHeaders", oneOf("off", "insecure")],
  ["proxy.accessLog", oneOf("", "apache", "json")],
  ["proxy.ports.admin", PORT],
  ["proxy.ports.control", PORT],
  ["proxy.ports.inbound", PORT],
  ["proxy.ports.outbound", PORT],
  ["proxy.opaquePorts", PORTS],
  ["proxy.requireIdentityOnInboundPorts", PORTS],
  ["proxy.defaultInboundPolicy", oneOf(...DEFAULT_POLICIES)],
  ["proxy.outboundTransportMode", oneOf("transport-header", "transparent")],
  ["proxy.outboundConnectTimeout", DURATION],
  ["proxy.inboundConnectTimeout", DURATION],
  ["proxy.outboundDiscoveryCacheUnusedTimeout", DURATION],
  ["proxy.inboundDiscoveryCacheUnusedTimeout", DURATION],
  ["proxy.shutdownGracePeriod", DURATION_OR_NONE],
  ["proxyInit.iptablesMode", oneOf("nft", "legacy", "plain")],
  ["proxyInit.ignoreInboundPorts", PORTS],
  ["proxyInit.ignoreOutboundPorts", PORTS],
  ["proxyInit.kubeAPIServerPorts", PORTS],
  ...resources("proxy.resources"),
  ...resources("destinationResources"),
  ...resources("proxyInjectorResources"),
];

/** The paths of all values, and of the maps they are in. */
function allPaths(value: unknown, prefix: string): string[] {
  if (!isTree(value)) return [];
  return Object.entries(value).flatMap(([key, child]) => [prefix + key, ...allPaths(child, `${prefix}${key}.`)]);
}

/** How many letters must be added, removed or changed (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
