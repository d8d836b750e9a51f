import { expect, test } from "bun:test";
import {
  BOWLINE_ENV,
  DIRECTION_ENV,
  IDENTITY_ENV,
  IGNORED_ENV,
  PROXY_ENV,
  PROXY_ENV_2018,
  SERVICE_ENV,
  SPIRE_BACKOFF_ENV,
} from "./env.ts";
import { L5D_HEADERS } from "./headers.ts";
import { METRIC } from "./metric-names.ts";

function leaves(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return Object.values(value as Record<string, unknown>).flatMap(leaves);
}

test("no two variables share a name, and all are Linkerd's or a well-known one", () => {
  const names = leaves([
    BOWLINE_ENV,
    DIRECTION_ENV,
    IDENTITY_ENV,
    IGNORED_ENV,
    PROXY_ENV,
    PROXY_ENV_2018,
    SERVICE_ENV,
    SPIRE_BACKOFF_ENV,
  ]);
  expect(new Set(names).size).toBe(names.length);
  const wellKnown = names.filter((name) => !/^LINKERD2_PROXY_[A-Z0-9_]+$/.test(name));
  expect(wellKnown).toEqual(["OTEL_RESOURCE_ATTRIBUTES", "HOSTNAME"]);
});

// Names put together from parts, written out once so that a search finds them and a slip shows.
const composed: [name: string, want: string][] = [
  [DIRECTION_ENV.inbound.maxIdleConnsPerEndpoint, "LINKERD2_PROXY_MAX_IDLE_CONNS_PER_ENDPOINT"],
  [DIRECTION_ENV.outbound.connectBackoff.jitter, "LINKERD2_PROXY_OUTBOUND_CONNECT_EXP_BACKOFF_JITTER"],
  [DIRECTION_ENV.inbound.http1PoolIdleTimeout, "LINKERD2_PROXY_INBOUND_HTTP1_CONNECTION_POOL_IDLE_TIMEOUT"],
  [DIRECTION_ENV.inbound.serverHttp2.keepAliveInterval, "LINKERD2_PROXY_INBOUND_SERVER_HTTP2_KEEP_ALIVE_INTERVAL"],
  [SERVICE_ENV.destination.addr, "LINKERD2_PROXY_DESTINATION_SVC_ADDR"],
  [SPIRE_BACKOFF_ENV.min, "LINKERD2_PROXY_LINKERD2_PROXY_IDENTITY_SPIRE_EXP_BACKOFF_MIN"],
];
test.each(composed)("%s", (name, want) => {
  expect(name).toBe(want);
});

test("header and metric names are what their formats allow, and none is there twice", () => {
  const headers = leaves(L5D_HEADERS);
  const metrics = leaves(METRIC);
  expect(headers.filter((name) => !/^l5d-[a-z-]+$/.test(name))).toEqual([]);
  expect(metrics.filter((name) => !/^[a-z][a-z0-9_]*$/.test(name))).toEqual([]);
  expect(new Set([...headers, ...metrics]).size).toBe(headers.length + metrics.length);
});
