/**
 * Where a request may go, as plain data: posted between threads and compared field by field.
 *
 * Everything in `types/` is JSON: no class, no function, no undefined. Times are milliseconds.
 */

/** The resource a piece of configuration stands for, as metric labels name it. A default has kind "default" and no group. */
export interface Meta {
  group: string;
  kind: string;
  namespace: string;
  name: string;
  /** 0 when the resource is not about one port. */
  port: number;
  section: string;
}

/** How to talk HTTP/2 to an endpoint; null leaves the proxy's own setting. Contract: destination.Http2ClientParams. */
export interface Http2Params {
  initialConnectionWindowBytes: number | null;
  initialStreamWindowBytes: number | null;
  adaptiveWindow: boolean | null;
  keepAliveIntervalMs: number | null;
  keepAliveTimeoutMs: number | null;
  keepAliveWhileIdle: boolean;
  concurrentResetStreamsMax: number | null;
  frameBytesMax: number | null;
  sendBufferBytesMax: number | null;
}

/** The name an endpoint proves by its certificate, and the name to ask for it by (SNI). */
export interface TlsIdentity {
  /** A DNS-like name or a URI (spiffe://…). */
  id: string;
  serverName: string;
}

/** One address of a service and what the control plane says about it. Contract: destination.WeightedAddr. */
export interface EndpointMeta {
  /** IPv4 dotted, or IPv6 in its canonical text form without brackets. */
  ip: string;
  port: number;
  /** As sent, 10000 for one; the balancer does not use it. */
  weight: number;
  /** The set's labels with the address's own laid over them. */
  labels: Record<string, string>;
  tlsIdentity: TlsIdentity | null;
  hint: "h2" | "opaque" | null;
  /** The proxy port at the endpoint that takes a transport header, where there is one. */
  opaqueTransportPort: number | null;
  authorityOverride: string | null;
  http2: Http2Params | null;
}

/** A change to what a destination resolves to, as it crosses from the main thread to a data thread. */
export type EndpointsUpdate =
  | { kind: "reset"; endpoints: EndpointMeta[] }
  /** `remove` names addresses as `endpointKey` writes them. Additions apply before removals. */
  | { kind: "delta"; add: EndpointMeta[]; remove: string[] }
  /** No endpoint: `exists` tells an empty service from one that does not exist. */
  | { kind: "gone"; exists: boolean };

/** An endpoint's address as a key: `ip:port`, an IPv6 address in brackets. */
export function endpointKey(endpoint: { readonly ip: string; readonly port: number }): string {
  return endpoint.ip.includes(":") ? `[${endpoint.ip}]:${endpoint.port}` : `${endpoint.ip}:${endpoint.port}`;
}
