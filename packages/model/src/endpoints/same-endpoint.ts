/** When two descriptions of an address say the same. */
import type { EndpointMeta, Http2Params, TlsIdentity } from "../types/endpoint.ts";

/** Whether nothing at all differs: such an update leaves the endpoint and its connections untouched. */
export function sameEndpoint(a: EndpointMeta, b: EndpointMeta): boolean {
  return a.ip === b.ip && a.port === b.port && a.weight === b.weight && sameLabels(a, b) && sameTransport(a, b);
}

/**
 * Whether a connection made to the one is as good for the other: same peer by the same protocols. Labels may differ.
 * An address that another pod took over has another identity or other labels; where only labels can tell (an unmeshed
 * pod), the old pod's connections end by themselves.
 */
export function sameTransport(a: EndpointMeta, b: EndpointMeta): boolean {
  return (
    a.ip === b.ip &&
    a.port === b.port &&
    a.hint === b.hint &&
    a.opaqueTransportPort === b.opaqueTransportPort &&
    a.authorityOverride === b.authorityOverride &&
    sameIdentity(a.tlsIdentity, b.tlsIdentity) &&
    sameHttp2(a.http2, b.http2)
  );
}

function sameLabels(a: EndpointMeta, b: EndpointMeta): boolean {
  const names = Object.keys(a.labels);
  if (names.length !== Object.keys(b.labels).length) return false;
  for (const name of names) {
    if (a.labels[name] !== b.labels[name]) return false;
  }
  return true;
}

function sameIdentity(a: TlsIdentity | null, b: TlsIdentity | null): boolean {
  if (a === null || b === null) return a === b;
  return a.id === b.id && a.serverName === b.serverName;
}

function sameHttp2(a: Http2Params | null, b: Http2Params | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.initialConnectionWindowBytes === b.initialConnectionWindowBytes &&
    a.initialStreamWindowBytes === b.initialStreamWindowBytes &&
    a.adaptiveWindow === b.adaptiveWindow &&
    a.keepAliveIntervalMs === b.keepAliveIntervalMs &&
    a.keepAliveTimeoutMs === b.keepAliveTimeoutMs &&
    a.keepAliveWhileIdle === b.keepAliveWhileIdle &&
    a.concurrentResetStreamsMax === b.concurrentResetStreamsMax &&
    a.frameBytesMax === b.frameBytesMax &&
    a.sendBufferBytesMax === b.sendBufferBytesMax
  );
}
