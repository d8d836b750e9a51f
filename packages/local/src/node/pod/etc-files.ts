import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Pod } from "@bowline/kube";

const CLUSTER_DOMAIN = "cluster.local";

/** A pod's name for itself: at most 63 characters, as the kernel and DNS labels have it. */
export function hostnameOf(pod: Pod): string {
  const given = pod.spec?.hostname;
  return (given === undefined || given === "" ? pod.metadata.name : given).slice(0, 63).replace(/[-.]+$/, "");
}

/** Writes /etc/hosts, /etc/hostname and /etc/resolv.conf of a pod's containers into the layer `directory`. */
export function writeEtcFiles(pod: Pod, directory: string, podIps: readonly string[], dnsIps: readonly string[]): void {
  const etc = join(directory, "etc");
  mkdirSync(etc, { recursive: true });
  const files = {
    hostname: `${hostnameOf(pod)}\n`,
    hosts: hostsFile(pod, podIps),
    "resolv.conf": resolvConf(pod, dnsIps, readFileSync("/etc/resolv.conf", "utf8")),
  };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(etc, name), text);
    chmodSync(join(etc, name), 0o644);
  }
  chmodSync(etc, 0o755);
  chmodSync(directory, 0o755);
}

export function hostsFile(pod: Pod, podIps: readonly string[]): string {
  const { spec, metadata } = pod;
  const hostname = hostnameOf(pod);
  const subdomain = spec?.subdomain;
  const full = subdomain ? `${hostname}.${subdomain}.${metadata.namespace}.svc.${CLUSTER_DOMAIN}\t` : "";
  return [
    "# Kubernetes-managed hosts file.",
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
    ...podIps.map((ip) => `${ip}\t${full}${hostname}`),
    ...(spec?.hostAliases ?? []).map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join("\t")}`),
    "",
  ].join("\n");
}

/** @param machine the machine's own resolv.conf, for pods that want no cluster DNS */
export function resolvConf(pod: Pod, dnsIps: readonly string[], machine: string): string {
  const { dnsPolicy = "ClusterFirst", dnsConfig = {}, hostNetwork } = pod.spec ?? {};
  const ofMachine = dnsPolicy === "Default" || (dnsPolicy === "ClusterFirst" && hostNetwork === true);
  const base = dnsPolicy === "None" ? EMPTY : ofMachine ? parseResolvConf(machine) : clusterDns(pod, dnsIps);
  const options = new Map([
    ...base.options,
    ...(dnsConfig.options ?? []).map(({ name = "", value }) => [name, value] as const),
  ]);
  const search = [...new Set([...base.search, ...(dnsConfig.searches ?? [])])];
  const nameservers = [...new Set([...base.nameservers, ...(dnsConfig.nameservers ?? [])])];
  const lines = [
    ...(search.length === 0 ? [] : [`search ${search.join(" ")}`]),
    ...nameservers.map((address) => `nameserver ${address}`),
    ...(options.size === 0
      ? []
      : [
          `options ${Array.from(options, ([name, value]) => (value === undefined ? name : `${name}:${value}`)).join(" ")}`,
        ]),
  ];
  return `${lines.join("\n")}\n`;
}

interface ResolverSettings {
  readonly search: readonly string[];
  readonly nameservers: readonly string[];
  readonly options: readonly (readonly [name: string, value: string | undefined])[];
}

const EMPTY: ResolverSettings = { search: [], nameservers: [], options: [] };

function clusterDns(pod: Pod, dnsIps: readonly string[]): ResolverSettings {
  const service = `svc.${CLUSTER_DOMAIN}`;
  return {
    search: [`${pod.metadata.namespace}.${service}`, service, CLUSTER_DOMAIN],
    nameservers: dnsIps,
    options: [["ndots", "5"]],
  };
}

function parseResolvConf(text: string): ResolverSettings {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+/));
  const of = (keyword: string) => lines.filter(([word]) => word === keyword).map(([, ...rest]) => rest);
  return {
    search: of("search").at(-1) ?? [],
    nameservers: of("nameserver").flat(),
    options: of("options")
      .flat()
      .map((option) => {
        const [name = "", value] = option.split(":");
        return [name, value];
      }),
  };
}
