import { GrpcError, GrpcStatus } from "@bowline/grpc";
import { canonicalIp } from "./ip.ts";

/** What a client asks about. */
export type Target =
  | {
      readonly kind: "service";
      readonly name: string;
      readonly namespace: string;
      /** One pod of the service, by its DNS name; "" for all. */
      readonly hostname: string;
      /** As it was asked for, without the dot that may end it. */
      readonly host: string;
      readonly port: number;
    }
  | { readonly kind: "address"; readonly ip: string; readonly port: number };

/** Who asks: what its injector gave the proxy. Empty texts where it did not. */
export interface Client {
  readonly namespace: string;
  readonly nodeName: string;
}

const DEFAULT_PORT = 80;
const NOBODY: Client = { namespace: "", nodeName: "" };

/**
 * Reads `host:port` or `host`, whose port is 80 then. Of names only those of services in this cluster mean something:
 * `service.namespace.svc.DOMAIN`, or with a pod's hostname before it.
 *
 * @throws GrpcError INVALID_ARGUMENT
 */
export function parseTarget(path: string, clusterDomain: string): Target {
  const { host, port } = splitPort(path);
  const ip = canonicalIp(host);
  return ip === null ? parseServiceName(host, port, clusterDomain) : { kind: "address", ip, port };
}

/** Reads a context token: JSON, or the older `ns:NAMESPACE`. One that is neither says nothing about its client. */
export function parseContextToken(token: string): Client {
  if (token === "") return NOBODY;
  try {
    const parsed: unknown = JSON.parse(token);
    return typeof parsed === "object" && parsed !== null ? clientOf(parsed) : NOBODY;
  } catch {
    const [, namespace] = /^ns:([^:]*)$/.exec(token) ?? [];
    return namespace === undefined ? NOBODY : { namespace, nodeName: "" };
  }
}

function clientOf(token: object): Client {
  const text = (name: string): string => {
    const value: unknown = Reflect.get(token, name);
    return typeof value === "string" ? value : "";
  };
  return { namespace: text("ns"), nodeName: text("nodeName") };
}

function splitPort(path: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::([0-9]+))?$/.exec(path);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw invalid(path, "not a host or host:port");
  const port = match?.[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  if (port < 1 || port > 65_535) throw invalid(path, "the port is not between 1 and 65535");
  return { host, port };
}

function parseServiceName(host: string, port: number, clusterDomain: string): Target {
  const name = (host.endsWith(".") ? host.slice(0, -1) : host).toLowerCase();
  const suffix = `.svc.${clusterDomain}`;
  const labels = name.endsWith(suffix) ? name.slice(0, -suffix.length).split(".") : [];
  if (labels.includes("")) throw invalid(host, "it has an empty label");
  const [first = "", second = "", third] = labels;
  if (labels.length === 2) {
    return { kind: "service", name: first, namespace: second, hostname: "", host: name, port };
  }
  if (labels.length === 3 && third !== undefined) {
    return { kind: "service", name: second, namespace: third, hostname: first, host: name, port };
  }
  throw invalid(host, `not a name such as SERVICE.NAMESPACE${suffix}`);
}

function invalid(path: string, reason: string): GrpcError {
  return new GrpcError(GrpcStatus.InvalidArgument, `invalid authority ${JSON.stringify(path)}: ${reason}`);
}
