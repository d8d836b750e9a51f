import { describe, expect, test } from "bun:test";
import { destination, net } from "@bowline/contracts/proto";
import { create, fromJson, type JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { parseIp } from "../../../config/address-values.ts";
import { addressMessage, convertAddress } from "./address.ts";
import { convertUpdate } from "./update.ts";

const ADDR = { ip: { ipv4: 0x0a00_0001 }, port: 80 };
const BARE = {
  ip: "10.0.0.1",
  port: 80,
  weight: 0,
  labels: {},
  tlsIdentity: null,
  hint: null,
  opaqueTransportPort: null,
  authorityOverride: null,
  http2: null,
};
const NO_PARAMS = {
  initialConnectionWindowBytes: null,
  initialStreamWindowBytes: null,
  adaptiveWindow: null,
  keepAliveIntervalMs: null,
  keepAliveTimeoutMs: null,
  keepAliveWhileIdle: false,
  concurrentResetStreamsMax: null,
  frameBytesMax: null,
  sendBufferBytesMax: null,
};

function convert(json: JsonObject): { step: unknown; notes: string[] } {
  const notes: string[] = [];
  return { step: convertUpdate(fromJson(destination.UpdateSchema, json), (text) => notes.push(text)), notes };
}

describe("steps of a resolution", () => {
  const rows: { name: string; message: JsonObject; want: unknown }[] = [
    { name: "nothing", message: {}, want: null },
    { name: "an empty service", message: { noEndpoints: { exists: true } }, want: { kind: "none", exists: true } },
    { name: "no service", message: { noEndpoints: {} }, want: { kind: "none", exists: false } },
    {
      name: "removal, of addresses only",
      message: { remove: { addrs: [ADDR, {}, { ip: { ipv6: { first: "0", last: "1" } }, port: 81 }] } },
      want: { kind: "remove", keys: ["10.0.0.1:80", "[::1]:81"] },
    },
    { name: "addition", message: { add: { addrs: [{ addr: ADDR }] } }, want: { kind: "add", endpoints: [BARE] } },
    {
      name: "addition of what has no address",
      message: {
        add: {
          addrs: [{}, { addr: { port: 80 } }, { addr: { ...ADDR, port: 0 } }, { addr: { ...ADDR, port: 65_536 } }],
        },
      },
      want: { kind: "add", endpoints: [] },
    },
  ];
  test.each(rows)("$name", ({ message, want }) => {
    expect(convert(message)).toEqual({ step: want, notes: [] });
  });
});

describe("an endpoint", () => {
  const identity = (tlsIdentity: JsonObject): JsonObject => ({ tlsIdentity });
  const rows: { name: string; endpoint: JsonObject; want: object; note?: string }[] = [
    {
      name: "its own labels lie over the set's",
      endpoint: { metricLabels: { pod: "a", zone: "mine" } },
      want: { labels: { service: "web", zone: "mine", pod: "a" } },
    },
    { name: "its weight", endpoint: { weight: 10_000 }, want: { weight: 10_000 } },
    { name: "h2", endpoint: { protocolHint: { h2: {} } }, want: { hint: "h2" } },
    {
      name: "opaque, with a transport header",
      endpoint: { protocolHint: { opaque: {}, opaqueTransport: { inboundPort: 4143 } } },
      want: { hint: "opaque", opaqueTransportPort: 4143 },
    },
    { name: "port 0 for the header", endpoint: { protocolHint: { opaqueTransport: {} } }, want: {} },
    {
      name: "port 65535 for the header, as in Linkerd",
      endpoint: { protocolHint: { opaqueTransport: { inboundPort: 65_535 } } },
      want: {},
    },
    {
      name: "a DNS-like identity",
      endpoint: identity({ dnsLikeIdentity: { name: "a.ns.serviceaccount.identity.linkerd.cluster.local" } }),
      want: {
        tlsIdentity: {
          id: "a.ns.serviceaccount.identity.linkerd.cluster.local",
          serverName: "a.ns.serviceaccount.identity.linkerd.cluster.local",
        },
      },
    },
    {
      name: "a DNS-like identity with a server name",
      endpoint: identity({ dnsLikeIdentity: { name: "a.id" }, serverName: { name: "b.name" } }),
      want: { tlsIdentity: { id: "a.id", serverName: "b.name" } },
    },
    {
      name: "a URI identity",
      endpoint: identity({ uriLikeIdentity: { uri: "spiffe://td/vm" }, serverName: { name: "vm.td" } }),
      want: { tlsIdentity: { id: "spiffe://td/vm", serverName: "vm.td" } },
    },
    {
      name: "a URI identity without a server name",
      endpoint: identity({ uriLikeIdentity: { uri: "spiffe://td/vm" } }),
      want: {},
      note: "no server name for the URI identity",
    },
    {
      name: "a URI that is none",
      endpoint: identity({ uriLikeIdentity: { uri: "vm" }, serverName: { name: "vm.td" } }),
      want: {},
      note: '"vm" is not a URI identity',
    },
    {
      name: "a DNS name with a dot at its end",
      endpoint: identity({ dnsLikeIdentity: { name: "a.id." } }),
      want: {},
      note: '"a.id." is not a DNS identity',
    },
    {
      name: "a bad server name",
      endpoint: identity({ dnsLikeIdentity: { name: "a.id" }, serverName: { name: "" } }),
      want: {},
      note: '"" is not a DNS identity',
    },
    { name: "an empty identity", endpoint: identity({}), want: {}, note: "missing TLS identity" },
    {
      name: "an authority instead of the request's",
      endpoint: { authorityOverride: { authorityOverride: "web.ns.svc.west.local:8080" } },
      want: { authorityOverride: "web.ns.svc.west.local:8080" },
    },
    {
      name: "an authority without a port",
      endpoint: { authorityOverride: { authorityOverride: "web.ns.svc.west.local" } },
      want: { authorityOverride: "web.ns.svc.west.local" },
    },
    {
      name: "an authority that is none",
      endpoint: { authorityOverride: { authorityOverride: "a b" } },
      want: {},
      note: '"a b" is not an authority',
    },
    { name: "no figures for HTTP/2", endpoint: { http2: {} }, want: { http2: NO_PARAMS } },
    {
      name: "figures for HTTP/2",
      endpoint: {
        http2: {
          flowControl: { initialConnectionWindowSize: 100, initialStreamWindowSize: 10 },
          keepAlive: { interval: "10s", timeout: "3s", whileIdle: true },
          internals: { maxConcurrentResetStreams: 1, maxFrameSize: 16_384, maxSendBufSize: 3 },
        },
      },
      want: {
        http2: {
          initialConnectionWindowBytes: 100,
          initialStreamWindowBytes: 10,
          adaptiveWindow: false,
          keepAliveIntervalMs: 10_000,
          keepAliveTimeoutMs: 3_000,
          keepAliveWhileIdle: true,
          concurrentResetStreamsMax: 1,
          frameBytesMax: 16_384,
          sendBufferBytesMax: 3,
        },
      },
    },
    {
      name: "adaptive windows need no figures",
      endpoint: { http2: { flowControl: { adaptiveFlowControl: true, initialStreamWindowSize: 10 } } },
      want: { http2: { ...NO_PARAMS, adaptiveWindow: true } },
    },
    {
      name: "one window alone is none",
      endpoint: { http2: { flowControl: { initialStreamWindowSize: 10 } } },
      want: { http2: NO_PARAMS },
    },
    {
      name: "pings need both times",
      endpoint: { http2: { keepAlive: { interval: "10s", whileIdle: true } } },
      want: { http2: NO_PARAMS },
    },
    {
      name: "pings at a negative interval",
      endpoint: { http2: { keepAlive: { interval: "-1s", timeout: "1s" } } },
      want: { http2: NO_PARAMS },
      note: "negative duration",
    },
  ];
  test.each(rows)("$name", ({ endpoint, want, note }) => {
    const setLabels = "labels" in want ? { service: "web", zone: "of the set" } : {};
    const { step, notes } = convert({ add: { addrs: [{ addr: ADDR, ...endpoint }], metricLabels: setLabels } });
    expect(step).toEqual({ kind: "add", endpoints: [{ ...BARE, ...want }] });
    expect(notes).toEqual(note === undefined ? [] : [expect.stringContaining(note)]);
  });
});

describe("addresses", () => {
  const rows: { name: string; first: bigint; last: bigint; ip: string }[] = [
    { name: "IPv6", first: 0x2001_0db8_0000_0000n, last: 0x0000_0000_0000_0001n, ip: "2001:db8::1" },
    {
      name: "IPv6, all bits",
      first: 2n ** 64n - 1n,
      last: 2n ** 64n - 1n,
      ip: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    },
    { name: "IPv4 within IPv6", first: 0n, last: 0xffff_0a01_0203n, ip: "10.1.2.3" },
  ];
  test.each(rows)("$name", ({ first, last, ip }) => {
    const address = create(net.TcpAddressSchema, { ip: { ip: { case: "ipv6", value: { first, last } } }, port: 80 });
    expect(convertAddress(address)).toEqual({ ip, port: 80 });
  });

  test("come back as they went", () => {
    const half = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const ipv6 = fc.record({ first: half, last: half }).map((value) => ({ case: "ipv6", value }) as const);
    const ipv4 = fc.nat(2 ** 32 - 1).map((value) => ({ case: "ipv4", value }) as const);
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), fc.integer({ min: 1, max: 65_535 }), (ip, port) => {
        const text = convertAddress(create(net.TcpAddressSchema, { ip: { ip }, port }));
        if (text === null) throw new Error("an address was left out");
        expect(convertAddress(addressMessage(text))).toEqual(text);
        expect(parseIp(text.ip)).toBe(text.ip);
      }),
    );
  });
});
