import type { destination } from "@bowline/contracts/proto";
import type { EndpointMeta, Http2Params, TlsIdentity } from "@bowline/model";
import { parseDnsName, parseHostPort } from "../../../config/address-values.ts";
import { BadValue } from "../../../config/bad-value.ts";
import { convertAddress } from "./address.ts";
import { optionalDurationMs } from "./duration.ts";
import { InvalidMessage, lenient } from "./invalid-message.ts";

/** The highest port a transport header goes to; Linkerd takes 65535 for no port, too. */
const TRANSPORT_PORT_MAX = 65_534;

/**
 * What is known of one endpoint; null when it has no address that could be connected to. Anything else that is wrong
 * about it is left out and goes to `note`: the endpoint is then used without it, as by Linkerd's proxy.
 */
export function convertEndpoint(
  endpoint: destination.WeightedAddr,
  setLabels: Record<string, string>,
  note: (text: string) => void,
): EndpointMeta | null {
  const address = convertAddress(endpoint.addr);
  if (address === null) return null;
  const hint = endpoint.protocolHint?.protocol.case;
  const transportPort = endpoint.protocolHint?.opaqueTransport?.inboundPort ?? 0;
  return {
    ...address,
    weight: endpoint.weight,
    labels: { ...setLabels, ...endpoint.metricLabels },
    tlsIdentity: lenient(endpoint.tlsIdentity, note, convertTlsIdentity),
    hint: hint ?? null,
    opaqueTransportPort: transportPort > 0 && transportPort <= TRANSPORT_PORT_MAX ? transportPort : null,
    authorityOverride: lenient(endpoint.authorityOverride, note, convertAuthority),
    http2: endpoint.http2 === undefined ? null : convertHttp2Params(endpoint.http2, note),
  };
}

function convertTlsIdentity({ strategy, serverName }: destination.TlsIdentity): TlsIdentity {
  switch (strategy.case) {
    case "dnsLikeIdentity": {
      const id = dnsIdentity(strategy.value.name);
      return { id, serverName: serverName === undefined ? id : dnsIdentity(serverName.name) };
    }
    case "uriLikeIdentity": {
      const { uri } = strategy.value;
      if (!URL.canParse(uri)) throw new InvalidMessage(`"${uri}" is not a URI identity`);
      if (serverName === undefined) throw new InvalidMessage(`no server name for the URI identity "${uri}"`);
      return { id: uri, serverName: dnsIdentity(serverName.name) };
    }
    case undefined:
      throw new InvalidMessage("missing TLS identity");
  }
}

function dnsIdentity(name: string): string {
  const parsed = parseDnsName(name);
  if (parsed instanceof BadValue || parsed.endsWith(".")) throw new InvalidMessage(`"${name}" is not a DNS identity`);
  return parsed;
}

function convertAuthority({ authorityOverride }: destination.AuthorityOverride): string {
  const hasPort = /:[0-9]+$/.test(authorityOverride);
  const parsed = parseHostPort(hasPort ? authorityOverride : `${authorityOverride}:80`);
  if (parsed instanceof BadValue) throw new InvalidMessage(`"${authorityOverride}" is not an authority`);
  return authorityOverride;
}

function convertHttp2Params(
  { flowControl, keepAlive, internals }: destination.Http2ClientParams,
  note: (text: string) => void,
): Http2Params {
  const adaptive = flowControl?.adaptiveFlowControl === true;
  const connectionBytes = flowControl?.initialConnectionWindowSize ?? 0;
  const streamBytes = flowControl?.initialStreamWindowSize ?? 0;
  // Fixed windows are set together or not at all.
  const fixed = !adaptive && connectionBytes > 0 && streamBytes > 0;
  const times = lenient(keepAlive, note, keepAliveTimes);
  return {
    initialConnectionWindowBytes: fixed ? connectionBytes : null,
    initialStreamWindowBytes: fixed ? streamBytes : null,
    adaptiveWindow: adaptive || (fixed ? false : null),
    keepAliveIntervalMs: times?.intervalMs ?? null,
    keepAliveTimeoutMs: times?.timeoutMs ?? null,
    keepAliveWhileIdle: times !== null && keepAlive?.whileIdle === true,
    concurrentResetStreamsMax: internals?.maxConcurrentResetStreams || null,
    frameBytesMax: internals?.maxFrameSize || null,
    sendBufferBytesMax: internals?.maxSendBufSize || null,
  };
}

/** Pings need both; null when one is not given. */
function keepAliveTimes(
  keepAlive: destination.Http2ClientParams_KeepAlive,
): { intervalMs: number; timeoutMs: number } | null {
  const intervalMs = optionalDurationMs(keepAlive.interval);
  const timeoutMs = optionalDurationMs(keepAlive.timeout);
  return intervalMs === null || timeoutMs === null ? null : { intervalMs, timeoutMs };
}
