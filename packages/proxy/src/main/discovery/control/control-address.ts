import { lookup, Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import { parseIp } from "../../../config/address-values.ts";
import { BadValue } from "../../../config/bad-value.ts";
import type { ControlService, SocketAddr } from "../../../config/types.ts";

/** What of DNS a control-plane client needs. Rejections mean that there is no such record, or no answer. */
export interface Dns {
  srv(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>;
  /** IPv4 and IPv6 addresses. */
  addresses(name: string): Promise<readonly string[]>;
}

type RecordType = "SRV" | "A/AAAA";

/** Told of every lookup and whether it found something, for metrics. */
export type DnsObserver = (recordType: RecordType, found: boolean) => void;

const QUERY_TIMEOUT_MS = 2_000;
const QUERY_TRIES = 2;

/** The name server of /etc/resolv.conf; names that are no services are looked up as everything else on the host does. */
export function systemDns(): Dns {
  const resolver = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
  return {
    srv: (name) => resolver.resolveSrv(name),
    addresses: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
  };
}

/**
 * Where a service of the control plane is: SRV records first, which name each endpoint of a headless service with its
 * port, else A and AAAA records with the port of the configuration.
 */
export async function resolveControlService(
  { host, port }: ControlService,
  dns: Dns,
  observe: DnsObserver,
): Promise<SocketAddr[]> {
  if (host === "localhost" || host === "localhost.") return [{ ip: "127.0.0.1", port }];
  if (isIP(host) !== 0) return [{ ip: host, port }];
  const named = await resolveSrv(host, dns);
  observe("SRV", named !== null);
  if (named !== null) return named;
  try {
    const ips = await dns.addresses(host);
    observe("A/AAAA", ips.length > 0);
    return ips.map((ip) => ({ ip, port }));
  } catch (error) {
    observe("A/AAAA", false);
    throw new Error(`cannot resolve ${host}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** null when there are no SRV records, or when one of them is none of Kubernetes'. */
async function resolveSrv(host: string, dns: Dns): Promise<SocketAddr[] | null> {
  let records: Awaited<ReturnType<Dns["srv"]>>;
  try {
    records = await dns.srv(host);
  } catch {
    // Most names have none, and say so by an error.
    return null;
  }
  const addresses = records.map(({ name, port }) => {
    const ip = ipOfLabel(name.split(".")[0] ?? "");
    return ip === null ? null : { ip, port };
  });
  const valid = addresses.filter((address) => address !== null);
  return valid.length > 0 && valid.length === addresses.length ? valid : null;
}

/** A pod's name in DNS begins with its address, `10-1-2-3` or `fd00--1`: no further lookup is needed. */
function ipOfLabel(label: string): string | null {
  for (const separator of [".", ":"]) {
    const ip = parseIp(label.replaceAll("-", separator));
    if (!(ip instanceof BadValue)) return ip;
  }
  return null;
}

/** As metric labels and log lines name the service. */
export function controlAddr({ host, port }: ControlService): string {
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  return name.includes(":") ? `[${name}]:${port}` : `${name}:${port}`;
}

/** What requests carry as :authority: without the port when it is HTTP's own. */
export function controlAuthority(service: ControlService): string {
  return controlAddr(service).replace(/:80$/, "");
}
