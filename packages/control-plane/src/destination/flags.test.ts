import { describe, expect, test } from "bun:test";
import { DESTINATION_HELP, parseDestinationFlags } from "./flags.ts";

test("defaults are Linkerd's", () => {
  const flags = parseDestinationFlags([]);
  expect(flags).toMatchObject({
    listen: { host: "::", port: 8086 },
    admin: { host: "::", port: 9996 },
    streamQueueCapacity: 100,
    logLevel: "info",
    logFormat: "plain",
    settings: {
      clusterDomain: "cluster.local",
      controllerNamespace: "linkerd",
      identityTrustDomain: null,
      h2Upgrade: true,
      ipv6: true,
      transportHeader: false,
      http2: null,
      zoneWeights: false,
    },
  });
  expect([25, 3306, 11_211, 80].map((port) => flags.settings.defaultOpaquePorts.has(port))).toEqual([
    true,
    true,
    true,
    false,
  ]);
});

const ROWS: { args: string[]; want: object }[] = [
  { args: ["-addr", "127.0.0.1:1"], want: { listen: { host: "127.0.0.1", port: 1 } } },
  { args: ["--addr=[::1]:1"], want: { listen: { host: "::1", port: 1 } } },
  { args: ["-metrics-addr=:1"], want: { admin: { host: "::", port: 1 } } },
  { args: ["-outbound-transport-mode", "transport-header"], want: { settings: { transportHeader: true } } },
  { args: ["-enable-ipv6=false", "-enable-h2-upgrade=0"], want: { settings: { ipv6: false, h2Upgrade: false } } },
  {
    args: ["--ext-endpoint-zone-weights", "--cluster-domain=My.Org."],
    want: { settings: { zoneWeights: true, clusterDomain: "my.org" } },
  },
  { args: ["-identity-trust-domain=t.d"], want: { settings: { identityTrustDomain: "t.d" } } },
  { args: ["-log-level=warning", "-log-format=json"], want: { logLevel: "warn", logFormat: "json" } },
  {
    args: ['-meshed-http2-client-params={"keep_alive":{"interval":{"seconds":10},"timeout":{"seconds":3}}}'],
    want: { settings: { http2: { keepAlive: { interval: { seconds: 10n }, timeout: { seconds: 3n } } } } },
  },
  { args: ["-meshed-http2-client-params", ""], want: { settings: { http2: null } } },
];

for (const { args, want } of ROWS) {
  test(args.join(" "), () => {
    expect(parseDestinationFlags(args)).toMatchObject(want);
  });
}

describe("mistakes are refused", () => {
  const rows: { args: string[]; want: string }[] = [
    { args: ["serve"], want: '"serve" is not a flag' },
    { args: ["--nothing"], want: "there is no flag --nothing" },
    { args: ["--addr"], want: "--addr needs a value" },
    { args: ["--addr=8086"], want: '--addr: "8086" is not HOST:PORT' },
    { args: ["--addr=:65536"], want: '--addr: ":65536" is not HOST:PORT' },
    { args: ["--enable-ipv6=maybe"], want: '--enable-ipv6: "maybe" is neither true nor false' },
    { args: ["--stream-queue-capacity=0"], want: '--stream-queue-capacity: "0" is not a number above 0' },
    {
      args: ["--outbound-transport-mode=x"],
      want: '--outbound-transport-mode: "x" is none of transparent, transport-header',
    },
    { args: ["--log-level=loud"], want: '--log-level: "loud" is none of error, warn, info, debug' },
    { args: ["--meshed-http2-client-params={"], want: "--meshed-http2-client-params: " },
    { args: ['--meshed-http2-client-params={"other":1}'], want: "--meshed-http2-client-params: " },
  ];
  for (const { args, want } of rows) {
    test(args.join(" "), () => {
      expect(() => parseDestinationFlags(args)).toThrow(want);
    });
  }
});

test("help names every flag", () => {
  for (const { args } of ROWS) {
    for (const name of args.join(" ").matchAll(/-(addr|outbound-transport-mode|enable-[a-z0-9-]+|cluster-domain)/g)) {
      expect(DESTINATION_HELP).toContain(`--${name[1]}`);
    }
  }
});
