import type { Command } from "commander";
import { CommandFailure } from "../io.ts";
import { isTree, mergeTree, type ValueTree } from "./set-flags.ts";

/** A flag that sets values, and what it makes of its argument. */
interface ValueFlag {
  readonly flags: string;
  readonly description: string;
  /** Where the argument goes; several get the same. */
  readonly paths: readonly string[];
  readonly parse?: (text: string) => unknown;
  /** For flags without an argument. */
  readonly fixed?: unknown;
  /** Not for `upgrade`: what is chosen once. */
  readonly installOnly?: true;
}

const VALUE_FLAGS: readonly ValueFlag[] = [
  flag("--cluster-domain <domain>", "domain of the cluster", ["clusterDomain"], { installOnly: true }),
  flag(
    "--identity-trust-domain <domain>",
    "trust domain of identities (default: the cluster's domain)",
    ["identityTrustDomain"],
    {
      installOnly: true,
    },
  ),
  flag("--identity-issuance-lifetime <duration>", "how long proxies' certificates hold", [
    "identity.issuer.issuanceLifetime",
  ]),
  flag("--identity-clock-skew-allowance <duration>", "by how much clocks may differ", [
    "identity.issuer.clockSkewAllowance",
  ]),
  flag("--identity-external-issuer", "the issuer's Secret is kept by somebody else", ["identity.issuer.scheme"], {
    fixed: "kubernetes.io/tls",
  }),
  flag("--identity-external-ca", "the ConfigMap of trust anchors is kept by somebody else", ["identity.externalCA"], {
    fixed: true,
  }),
  flag("--controller-replicas <count>", "of each program of the control plane", ["controllerReplicas"], {
    parse: integer,
  }),
  flag("--controller-uid <uid>", "user of the control plane's programs", ["controllerUID"], { parse: integer }),
  flag("--controller-gid <gid>", "group of the control plane's programs", ["controllerGID"], { parse: integer }),
  flag("--controller-log-level <level>", "panic, fatal, error, warn, info, debug or trace", ["controllerLogLevel"]),
  flag("--disable-h2-upgrade", "proxies do not join HTTP/1 requests over HTTP/2", ["enableH2Upgrade"], {
    fixed: false,
  }),
  flag("--disable-heartbeat", "accepted; there is no heartbeat", ["disableHeartBeat"], { fixed: true }),
  flag("--enable-endpoint-slices [boolean]", "accepted; EndpointSlices are always used", ["enableEndpointSlices"], {
    parse: boolean,
    fixed: true,
  }),
  flag("--linkerd-cni-enabled", "the CNI plugin redirects traffic; no linkerd-init", ["cniEnabled"], { fixed: true }),

  flag("--proxy-image <name>", "image of the proxy, without its version", ["proxy.image.name"]),
  flag("--proxy-version <version>", "version of the proxy's image", ["proxy.image.version"]),
  flag("--image-pull-policy <policy>", "Always, IfNotPresent or Never", ["imagePullPolicy"]),
  flag("--inbound-port <port>", "where the proxy takes what others send", ["proxy.ports.inbound"], { parse: integer }),
  flag("--outbound-port <port>", "where the proxy takes what the pod sends", ["proxy.ports.outbound"], {
    parse: integer,
  }),
  flag("--control-port <port>", "where the proxy answers tap", ["proxy.ports.control"], { parse: integer }),
  flag("--admin-port <port>", "where the proxy has its metrics", ["proxy.ports.admin"], { parse: integer }),
  flag("--skip-inbound-ports <ports>", "ports that are not redirected on the way in", ["proxyInit.ignoreInboundPorts"]),
  flag("--skip-outbound-ports <ports>", "ports that are not redirected on the way out", [
    "proxyInit.ignoreOutboundPorts",
  ]),
  flag("--proxy-uid <uid>", "user of the proxy", ["proxy.uid"], { parse: integer }),
  flag("--proxy-gid <gid>", "group of the proxy", ["proxy.gid"], { parse: integer }),
  flag("--proxy-log-level <filter>", "what the proxy logs", ["proxy.logLevel"]),
  flag("--proxy-cpu-request <quantity>", "CPU that a proxy gets for sure", ["proxy.resources.cpu.request"]),
  flag("--proxy-cpu-limit <quantity>", "CPU that a proxy gets at most", ["proxy.resources.cpu.limit"]),
  flag("--proxy-memory-request <quantity>", "memory that a proxy gets for sure", ["proxy.resources.memory.request"]),
  flag("--proxy-memory-limit <quantity>", "memory that a proxy gets at most", ["proxy.resources.memory.limit"]),
  flag("--default-inbound-policy <policy>", "who may reach pods that no policy is for", ["proxy.defaultInboundPolicy"]),
  flag(
    "--enable-external-profiles",
    "profiles for names outside of the cluster, too",
    ["proxy.enableExternalProfiles"],
    {
      fixed: true,
    },
  ),
];

/** Options that say where values come from. */
export interface SourceFlags {
  readonly ha?: boolean;
  readonly registry?: string;
  readonly values: readonly string[];
  readonly set: readonly string[];
  readonly setString: readonly string[];
  readonly setFile: readonly string[];
  readonly identityIssuerCertificateFile?: string;
  readonly identityIssuerKeyFile?: string;
  readonly identityTrustAnchorsFile?: string;
}

/** Declares the options that `install`, `upgrade` and `prune` have in common. */
export function declareSourceFlags(command: Command, of: "install" | "upgrade"): Command {
  for (const { flags, description, installOnly } of VALUE_FLAGS) {
    if (of === "install" || installOnly !== true) command.option(flags, description);
  }
  return command
    .option("--ha", "three of everything, on different machines, with bounded memory")
    .option("--registry <prefix>", "where the images are, in place of bowline/")
    .option("-f, --values <file>", "YAML file of values; may be repeated", collect, [])
    .option("--set <path=value>", "a value, such as proxy.logLevel=debug; may be repeated", collect, [])
    .option("--set-string <path=text>", "the same, always as text", collect, [])
    .option("--set-file <path=file>", "the same, from a file", collect, [])
    .option("--identity-issuer-certificate-file <file>", "PEM of the issuer's certificate")
    .option("--identity-issuer-key-file <file>", "PEM of the issuer's private key")
    .option("--identity-trust-anchors-file <file>", "PEM of the trust anchors");
}

/** What the flags that were given make of the values. */
export function flagValues(command: Command): ValueTree {
  const tree: ValueTree = {};
  const given = command.opts<SourceFlags & Record<string, unknown>>();
  if (given.registry !== undefined) mergeTree(tree, imagesOf(given.registry));
  for (const { flags, paths, parse, fixed } of VALUE_FLAGS) {
    const name = /^--([a-z0-9-]+)/.exec(flags)?.[1] ?? "";
    const argument = given[camelCase(name)];
    if (typeof argument !== "string" && argument !== true) continue;
    const value = argument === true ? fixed : argumentValue(name, argument, parse);
    for (const path of paths) mergeTree(tree, nested(path, value));
  }
  return tree;
}

function imagesOf(registry: string): ValueTree {
  const prefix = registry.replace(/\/+$/, "");
  return {
    controllerImage: `${prefix}/controller`,
    proxy: { image: { name: `${prefix}/proxy` } },
    debugContainer: { image: { name: `${prefix}/debug` } },
  };
}

function argumentValue(name: string, text: string, parse: ValueFlag["parse"]): unknown {
  try {
    return parse === undefined ? text : parse(text);
  } catch (error) {
    throw new CommandFailure(`--${name}: ${JSON.stringify(text)} ${error instanceof Error ? error.message : ""}`);
  }
}

function nested(path: string, value: unknown): ValueTree {
  const tree = path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
  return isTree(tree) ? tree : {};
}

function integer(text: string): number {
  if (!/^-?\d{1,10}$/.test(text)) throw new RangeError("is not a whole number");
  return Number(text);
}

function boolean(text: string): boolean {
  if (text !== "true" && text !== "false") throw new RangeError("is neither true nor false");
  return text === "true";
}

function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function collect(value: string, earlier: readonly string[]): string[] {
  return [...earlier, value];
}

function flag(flags: string, description: string, paths: readonly string[], more: Partial<ValueFlag> = {}): ValueFlag {
  return { flags, description, paths, ...more };
}
