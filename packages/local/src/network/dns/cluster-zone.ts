import { isIP } from "node:net";
import type { EndpointSlice, Service } from "@bowline/kube";
import type { Answer } from "dns-packet";
import type { ServiceIndex } from "../services/service-index.ts";
import { addressOfReverseName, dashed, undashed } from "./reverse-name.ts";

/** What the cluster itself knows of a name. */
export interface ZoneAnswer {
  readonly rcode: "NOERROR" | "NXDOMAIN";
  readonly answers: readonly Answer[];
  readonly additionals: readonly Answer[];
  /** The answer is an alias of this name, which may be anybody's. */
  readonly alias?: string;
}

export interface ZoneOptions {
  readonly index: Pick<ServiceIndex, "service" | "slices" | "servicesWith">;
  hasNamespace(name: string): boolean;
  /** Without dots at its ends. */
  readonly domain: string;
  readonly dnsIps: readonly string[];
  /** Whether an address is a pod's or a service's, so that nobody outside knows of it. */
  isOurs(ip: string): boolean;
}

/** Pods come and go: nobody should remember for long. */
const TTL_SECONDS = 5;

const NXDOMAIN: ZoneAnswer = { rcode: "NXDOMAIN", answers: [], additionals: [] };
const NODATA: ZoneAnswer = { rcode: "NOERROR", answers: [], additionals: [] };

/** RFC 1035 §2.3.4: what fits into a packet. */
const NAME = /^(?=.{1,253}$)[^.]{1,63}(\.[^.]{1,63})*$/;

interface Endpoint {
  readonly ip: string;
  /** Its label under the service's name: the pod's hostname, where it has one. */
  readonly label: string;
  readonly ports: EndpointSlice["ports"];
}

interface NamedPort {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
}

/** The names of services and pods, as the Kubernetes DNS specification 1.1.0 has them. */
export class ClusterZone {
  readonly #options: ZoneOptions;

  constructor(options: ZoneOptions) {
    this.#options = options;
  }

  /**
   * @param name in lower case, without a dot at its end
   * @returns undefined when the name is not the cluster's
   */
  answer(name: string, type: string): ZoneAnswer | undefined {
    const { domain } = this.#options;
    const address = addressOfReverseName(name);
    if (address !== undefined) return this.#reverse(name, address, type);
    if (name === domain) return this.#apex(type);
    if (!name.endsWith(`.${domain}`)) return undefined;
    const labels = name.slice(0, -domain.length - 1).split(".");
    switch (labels.pop()) {
      case "svc":
        return this.#inServices(name, labels, type);
      case "pod":
        return this.#inPods(name, labels, type);
      case "dns":
        return labels.join(".") === "ns" ? addresses(name, type, this.#options.dnsIps) : NXDOMAIN;
      case "dns-version":
        return labels.length > 0 ? NXDOMAIN : only(type, { name, type: "TXT", ttl: TTL_SECONDS, data: "1.1.0" });
      default:
        return NXDOMAIN;
    }
  }

  /** For negative answers (RFC 2308): how long they may be believed. */
  soa(): Answer {
    const { domain } = this.#options;
    return {
      name: domain,
      type: "SOA",
      ttl: TTL_SECONDS,
      data: {
        mname: `ns.dns.${domain}`,
        rname: `hostmaster.${domain}`,
        serial: 1,
        refresh: 7200,
        retry: 1800,
        expire: 86_400,
        minimum: TTL_SECONDS,
      },
    };
  }

  #apex(type: string): ZoneAnswer {
    const { domain } = this.#options;
    if (type === "SOA") return { ...NODATA, answers: [this.soa()] };
    return only(type, { name: domain, type: "NS", ttl: TTL_SECONDS, data: `ns.dns.${domain}` });
  }

  #inPods(name: string, labels: readonly string[], type: string): ZoneAnswer {
    const [namespace = "", label, ...more] = labels.toReversed();
    if (labels.length === 0) return NODATA;
    if (more.length > 0 || !this.#options.hasNamespace(namespace)) return NXDOMAIN;
    if (label === undefined) return NODATA;
    const ip = undashed(label);
    return ip === undefined ? NXDOMAIN : addresses(name, type, [ip]);
  }

  #inServices(name: string, labels: readonly string[], type: string): ZoneAnswer {
    const [namespace = "", serviceName, ...more] = labels.toReversed();
    if (labels.length === 0) return NODATA;
    if (serviceName === undefined) return this.#options.hasNamespace(namespace) ? NODATA : NXDOMAIN;
    const service = this.#options.index.service(namespace, serviceName);
    if (service === undefined) return NXDOMAIN;
    const [label, portLabel, ...rest] = more;
    if (rest.length > 0) return NXDOMAIN;
    if (label === undefined) return this.#ofService(name, service, type);
    if (label.startsWith("_")) return this.#ofPort(name, service, label, portLabel, type);
    return portLabel === undefined ? this.#ofEndpoint(name, service, label, type) : NXDOMAIN;
  }

  #ofService(name: string, service: Service, type: string): ZoneAnswer {
    const external = service.spec?.type === "ExternalName" ? (service.spec.externalName ?? "") : undefined;
    if (external !== undefined) return alias(name, external.toLowerCase().replace(/\.$/, ""), type);
    if (type === "SRV") return this.#serviceRecords(name, service, () => true);
    if (!isHeadless(service)) return addresses(name, type, clusterIps(service));
    const ips = this.#endpoints(service).map(({ ip }) => ip);
    return ips.length === 0 ? NXDOMAIN : addresses(name, type, ips);
  }

  #ofEndpoint(name: string, service: Service, label: string, type: string): ZoneAnswer {
    const ips = this.#endpoints(service).flatMap((endpoint) => (endpoint.label === label ? endpoint.ip : []));
    return ips.length === 0 ? NXDOMAIN : addresses(name, type, ips);
  }

  #ofPort(name: string, service: Service, protocol: string, port: string | undefined, type: string): ZoneAnswer {
    const fits = (of: NamedPort): boolean =>
      `_${of.protocol}` === protocol && (port === undefined || `_${of.name}` === port);
    const found = this.#serviceRecords(name, service, fits);
    if (found.answers.length === 0) return NXDOMAIN;
    return port === undefined || type !== "SRV" ? NODATA : found;
  }

  #serviceRecords(name: string, service: Service, fits: (port: NamedPort) => boolean): ZoneAnswer {
    const base = `${service.metadata.name}.${service.metadata.namespace}.svc.${this.#options.domain}`;
    const targets = isHeadless(service)
      ? this.#endpoints(service).map(({ ip, label, ports }) => ({ host: `${label}.${base}`, ips: [ip], ports }))
      : [{ host: base, ips: clusterIps(service), ports: service.spec?.ports }];
    const found = targets.flatMap(({ host, ips, ports }) =>
      (ports ?? []).flatMap((of) => {
        const named = { name: of.name ?? "", protocol: (of.protocol ?? "TCP").toLowerCase(), port: of.port ?? 0 };
        return fits(named) ? [{ host, ips, port: named.port }] : [];
      }),
    );
    const weight = Math.max(1, Math.floor(100 / Math.max(1, found.length)));
    return {
      rcode: "NOERROR",
      answers: found.map(({ host, port }) => ({
        name,
        type: "SRV",
        ttl: TTL_SECONDS,
        data: { target: host, port, priority: 0, weight },
      })),
      additionals: [...new Map(found.map(({ host, ips }) => [host, ips]))].flatMap(([host, ips]) =>
        ips.map((ip) => addressRecord(host, ip)),
      ),
    };
  }

  #reverse(name: string, ip: string, type: string): ZoneAnswer | undefined {
    const { domain } = this.#options;
    const names = this.#options.index.servicesWith(ip).flatMap((service) => {
      const base = `${service.metadata.name}.${service.metadata.namespace}.svc.${domain}`;
      if (clusterIps(service).includes(ip)) return [base];
      return this.#endpoints(service).flatMap((endpoint) => (endpoint.ip === ip ? `${endpoint.label}.${base}` : []));
    });
    if (names.length === 0) return this.#options.isOurs(ip) ? NXDOMAIN : undefined;
    if (type !== "PTR") return NODATA;
    return { ...NODATA, answers: names.map((data) => ({ name, type: "PTR", ttl: TTL_SECONDS, data })) };
  }

  #endpoints(service: Service): Endpoint[] {
    const { name, namespace = "" } = service.metadata;
    const all = service.spec?.publishNotReadyAddresses === true;
    const found = new Map<string, Endpoint>();
    for (const slice of this.#options.index.slices(namespace, name)) {
      for (const { addresses: ips, conditions, hostname } of slice.endpoints) {
        if (!all && conditions?.ready === false) continue;
        for (const ip of ips) found.set(ip, { ip, label: hostname ?? dashed(ip), ports: slice.ports });
      }
    }
    return [...found.values()];
  }
}

function isHeadless({ spec }: Service): boolean {
  return spec?.clusterIP === "None" || spec?.clusterIPs?.[0] === "None";
}

function clusterIps({ spec }: Service): string[] {
  return (spec?.clusterIPs ?? [spec?.clusterIP ?? ""]).filter((ip) => isIP(ip) !== 0);
}

/** Those of the family asked for; of the other one, there is a name without such records. */
function addresses(name: string, type: string, ips: readonly string[]): ZoneAnswer {
  const records = ips.map((ip) => addressRecord(name, ip));
  return { ...NODATA, answers: records.filter((record) => record.type === type || type === "ANY") };
}

function addressRecord(name: string, ip: string): Answer {
  return { name, type: isIP(ip) === 6 ? "AAAA" : "A", ttl: TTL_SECONDS, data: ip };
}

function alias(name: string, target: string, type: string): ZoneAnswer {
  if (!NAME.test(target)) return NXDOMAIN;
  if (isIP(target) !== 0) return addresses(name, type, [target]);
  const answers: Answer[] = [{ name, type: "CNAME", ttl: TTL_SECONDS, data: target }];
  return type === "CNAME" ? { ...NODATA, answers } : { ...NODATA, answers, alias: target };
}

function only(type: string, record: Answer): ZoneAnswer {
  return record.type === type ? { ...NODATA, answers: [record] } : NODATA;
}
