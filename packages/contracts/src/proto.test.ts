import { describe, expect, test } from "bun:test";
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  destination,
  grpcRoute,
  httpRoute,
  httpTypes,
  identity,
  inbound,
  meta,
  net,
  opaqueRoute,
  outbound,
  tap,
  tlsRoute,
  transportHeader,
} from "./proto.ts";

const LOOPBACK = { ip: { ip: { case: "ipv4", value: 0x7f000001 } }, port: 8080 } as const;

/** Bytes as a Linkerd proxy or control plane would write them, worked out by hand from the encoding's rules. */
const GOLDEN: readonly Row[] = [
  row("an IPv4 address is a big-endian number in little-endian bytes", net.TcpAddressSchema, LOOPBACK, [
    "0a05 0d0100007f",
    "10 903f",
  ]),
  row(
    "an IPv6 address is two halves",
    net.IPAddressSchema,
    { ip: { case: "ipv6", value: { first: 0x20010db800000000n, last: 1n } } },
    ["1212", "09 00000000b80d0120", "11 0100000000000000"],
  ),
  row("a network", net.IPNetworkSchema, { ip: { ip: { case: "ipv4", value: 0x0a000000 } }, prefixLen: 8 }, [
    "0a05 0d0000000a",
    "10 08",
  ]),
  row(
    "an endpoint with all that it can say",
    destination.WeightedAddrSchema,
    {
      addr: LOOPBACK,
      weight: 10_000,
      metricLabels: { pod: "a" },
      tlsIdentity: { strategy: { case: "dnsLikeIdentity", value: { name: "x" } }, serverName: { name: "y" } },
      protocolHint: { protocol: { case: "h2", value: {} }, opaqueTransport: { inboundPort: 4143 } },
      authorityOverride: { authorityOverride: "z" },
      http2: { keepAlive: { interval: { seconds: 10n }, timeout: { seconds: 3n }, whileIdle: true } },
      resourceRef: { kind: { case: "default", value: "d" } },
    },
    [
      "0a0a 0a050d0100007f 10903f",
      "18 904e",
      "2208 0a03706f64 120161",
      "2a0a 0a030a0178 22030a0179",
      "3207 0a00 120308af20",
      "3a03 0a017a",
      "420c 120a 0a02080a 12020803 1801",
      "4a03 0a0164",
    ],
  ),
  row(
    "an identity by URI",
    destination.TlsIdentitySchema,
    { strategy: { case: "uriLikeIdentity", value: { uri: "spiffe://t/w" } } },
    ["1a0e 0a0c", hexOf("spiffe://t/w")],
  ),
  row("the opaque hint", destination.ProtocolHintSchema, { protocol: { case: "opaque", value: {} } }, ["1a00"]),
  row("endpoints to remove", destination.UpdateSchema, { update: { case: "remove", value: { addrs: [LOOPBACK] } } }, [
    "120c 0a0a 0a050d0100007f 10903f",
  ]),
  row("a service without endpoints", destination.UpdateSchema, noEndpoints(true), ["1a02 0801"]),
  row("a service that does not exist", destination.UpdateSchema, noEndpoints(false), ["1a00"]),
  row("a question about an address", destination.GetDestinationSchema, { path: "10.0.0.1:80", contextToken: "{}" }, [
    "120b",
    hexOf("10.0.0.1:80"),
    "1a02 7b7d",
  ]),
  row(
    "a profile",
    destination.DestinationProfileSchema,
    {
      routes: [{ isRetryable: true, metricsLabels: { route: "r" }, timeout: { nanos: 5 } }],
      retryBudget: { retryRatio: 0.5, minRetriesPerSecond: 10, ttl: { seconds: 10n } },
      dstOverrides: [{ authority: "a", weight: 5000 }],
      opaqueProtocol: true,
      fullyQualifiedName: "s",
      parentRef: { kind: { case: "resource", value: { kind: "Service", port: 80 } } },
    },
    [
      "0a12 1a0a 0a05726f757465 120172 2001 2a02 1005",
      "120b 0d0000003f 100a 1a02080a",
      "1a06 0a0161 108827",
      "2001",
      "2a0173",
      "3a0d 120b 1207 53657276696365 3050",
    ],
  ),
  row(
    "an outbound target by address",
    outbound.TrafficSpecSchema,
    { sourceWorkload: "w", target: { case: "addr", value: LOOPBACK } },
    ["0a0177", "120a 0a050d0100007f 10903f"],
  ),
  row(
    "a balancer over a service",
    outbound.BackendSchema,
    {
      kind: {
        case: "balancer",
        value: {
          discovery: { kind: { case: "dst", value: { path: "p" } } },
          load: { case: "peakEwma", value: { defaultRtt: { nanos: 30_000_000 }, decay: { seconds: 10n } } },
        },
      },
      queue: { capacity: 10_000, failfastTimeout: { seconds: 3n } },
    },
    ["1a14 0a05 0a03 0a0170 120b 0a05 108087a70e 1202 080a", "2207 08904e 12020803"],
  ),
  row(
    "the retry conditions of gRPC have the numbers of the status codes",
    outbound.GrpcRoute_Retry_ConditionsSchema,
    { cancelled: true, deadineExceeded: true, resourceExhausted: true, internal: true, unavailable: true },
    ["0801 2001 4001 6801 7001"],
  ),
  row(
    "a breaker",
    outbound.FailureAccrualSchema,
    {
      kind: {
        case: "consecutiveFailures",
        value: {
          maxFailures: 7,
          backoff: { minBackoff: { seconds: 1n }, jitterRatio: 0.5, respectRetryAfterHint: true },
        },
      },
      ejection: { minReadyEndpoints: 2 },
    },
    ["0a0f 0807 120b 0a020801 1d0000003f 2001", "1a02 0802"],
  ),
  row("a transport header with HTTP/1", transportHeader.HeaderSchema, header({ case: "http1", value: {} }), [
    "08 9221",
    "1a02 0a00",
  ]),
  row("a transport header with HTTP/2", transportHeader.HeaderSchema, header({ case: "http2", value: {} }), [
    "08 9221",
    "1a02 1200",
  ]),
  row("a transport header for opaque bytes", transportHeader.HeaderSchema, { port: 4242 }, ["08 9221"]),
  row("a transport header for a gateway", transportHeader.HeaderSchema, { port: 80, name: "n" }, ["08 50", "12016e"]),
];

test.each(GOLDEN)("$name", ({ schema, init, hex }) => {
  const bytes = toBinary(schema, create(schema, init));
  expect(bytes.toHex()).toBe(hex);
  expect(toBinary(schema, fromBinary(schema, Uint8Array.fromHex(hex))).toHex()).toBe(hex);
});

/** Which number chooses which member of a oneof: what two independent implementations most easily disagree on. */
const CHOICES: readonly { readonly message: DescMessage; readonly oneof: string; readonly numbers: object }[] = [
  {
    message: outbound.ProxyProtocolSchema,
    oneof: "kind",
    numbers: { detect: 1, opaque: 2, http1: 3, http2: 4, grpc: 5, tls: 6 },
  },
  {
    message: inbound.ProxyProtocolSchema,
    oneof: "kind",
    numbers: { detect: 1, opaque: 2, tls: 3, http1: 4, http2: 5, grpc: 6 },
  },
  { message: inbound.AuthnSchema, oneof: "permit", numbers: { unauthenticated: 1, meshTLS: 2 } },
  {
    message: outbound.HttpRoute_FilterSchema,
    oneof: "kind",
    numbers: { failureInjector: 1, requestHeaderModifier: 2, redirect: 3, responseHeaderModifier: 4 },
  },
  {
    message: outbound.TlsRoute_DistributionSchema,
    oneof: "kind",
    numbers: { empty: 1, firstAvailable: 2, randomAvailable: 3 },
  },
  { message: outbound.OpaqueRoute_FilterSchema, oneof: "kind", numbers: { invalid: 1, forbidden: 2 } },
  {
    message: destination.RequestMatchSchema,
    oneof: "match",
    numbers: { all: 1, any: 2, not: 3, path: 4, method: 5 },
  },
  { message: httpRoute.PathMatchSchema, oneof: "kind", numbers: { exact: 1, prefix: 2, regex: 3 } },
  { message: httpRoute.HeaderMatchSchema, oneof: "value", numbers: { exact: 2, regex: 3 } },
  { message: tlsRoute.SniMatchSchema, oneof: "match", numbers: { exact: 1, suffix: 2 } },
  { message: httpTypes.HttpMethodSchema, oneof: "type", numbers: { registered: 1, unregistered: 2 } },
  { message: meta.MetadataSchema, oneof: "kind", numbers: { default: 1, resource: 2 } },
  {
    message: tap.ObserveRequest_MatchSchema,
    oneof: "match",
    numbers: { all: 1, any: 2, not: 3, source: 4, destination: 5, http: 6, destinationLabel: 7, routeLabel: 8 },
  },
  {
    message: tap.TapEvent_HttpSchema,
    oneof: "event",
    numbers: { requestInit: 1, responseInit: 2, responseEnd: 3 },
  },
  { message: tap.EosSchema, oneof: "end", numbers: { grpcStatusCode: 1, resetErrorCode: 2 } },
];

test.each(CHOICES)("$message.typeName chooses by number", ({ message, oneof, numbers }) => {
  const choice = message.oneofs.find(({ name }) => name === oneof);
  const found = Object.fromEntries(choice?.fields.map((field) => [field.localName, field.number]) ?? []);
  expect(found).toEqual({ ...numbers });
});

describe("what calls are named on the wire", () => {
  const services = [
    destination.Destination,
    identity.Identity,
    inbound.InboundServerPolicies,
    outbound.OutboundPolicies,
  ];
  const paths = [...services, tap.Tap].flatMap(({ typeName, methods }) =>
    methods.map(({ name, methodKind }) => `/${typeName}/${name} ${methodKind}`),
  );
  test("services and methods", () => {
    expect(paths).toEqual([
      "/io.linkerd.proxy.destination.Destination/Get server_streaming",
      "/io.linkerd.proxy.destination.Destination/GetProfile server_streaming",
      "/io.linkerd.proxy.identity.Identity/Certify unary",
      "/io.linkerd.proxy.inbound.InboundServerPolicies/GetPort unary",
      "/io.linkerd.proxy.inbound.InboundServerPolicies/WatchPort server_streaming",
      "/io.linkerd.proxy.outbound.OutboundPolicies/Get unary",
      "/io.linkerd.proxy.outbound.OutboundPolicies/Watch server_streaming",
      "/io.linkerd.proxy.tap.Tap/Observe server_streaming",
    ]);
  });

  test("the packages that hold messages only", () => {
    const names = [opaqueRoute.ForbiddenSchema, grpcRoute.GrpcRouteMatchSchema, transportHeader.HeaderSchema];
    expect(names.map(({ typeName }) => typeName)).toEqual([
      "io.linkerd.proxy.opaque_route.Forbidden",
      "io.linkerd.proxy.grpc_route.GrpcRouteMatch",
      "transport.l5d.io.Header",
    ]);
  });
});

interface Row {
  readonly name: string;
  readonly schema: DescMessage;
  readonly init: MessageInitShape<DescMessage>;
  readonly hex: string;
}

/** `pieces` are hexadecimal, cut as is best to read. */
function row<D extends DescMessage>(name: string, schema: D, init: MessageInitShape<D>, pieces: string[]): Row {
  return { name, schema, init, hex: pieces.join("").replaceAll(" ", "") };
}

function hexOf(text: string): string {
  return new TextEncoder().encode(text).toHex();
}

function noEndpoints(exists: boolean): MessageInitShape<typeof destination.UpdateSchema> {
  return { update: { case: "noEndpoints", value: { exists } } };
}

function header(
  kind: MessageInitShape<typeof transportHeader.SessionProtocolSchema>["kind"],
): MessageInitShape<typeof transportHeader.HeaderSchema> {
  return { port: 4242, sessionProtocol: { kind } as MessageInitShape<typeof transportHeader.SessionProtocolSchema> };
}
