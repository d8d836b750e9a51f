import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  parseDnsName,
  parseDnsSuffixes,
  parseHostPort,
  parseIp,
  parseIpSet,
  parseNetworks,
  parseSocketAddr,
  parseSocketAddrs,
  parseTcpUrl,
  parseTcpUrlSocketAddr,
} from "./address-values.ts";
import { BadValue, type Parser } from "./bad-value.ts";
import { parseIdentityId } from "./identity.ts";
import { parsePodIdentity } from "./legacy.ts";
import { mergePortRanges, parsePortRanges } from "./port-values.ts";
import {
  oneOf,
  parseBool,
  parseDuration,
  parseJitter,
  parseNonEmpty,
  parseOptionalDuration,
  parsePositiveDuration,
  parseRatio,
  parseSocketDuration,
  wholeNumber,
} from "./scalar-values.ts";

const BAD = Symbol("not valid");

function table<T>(name: string, parse: Parser<T>, rows: readonly (readonly [text: string, want: unknown])[]): void {
  describe(name, () => {
    for (const [text, want] of rows) {
      test(JSON.stringify(text), () => {
        const value = parse(text);
        if (want === BAD) expect(value).toBeInstanceOf(BadValue);
        else expect(value as unknown).toEqual(want);
      });
    }
  });
}

table("parseBool", parseBool, [
  ["true", true],
  ["false", false],
  ["True", BAD],
  ["1", BAD],
  ["", BAD],
  [" true", BAD],
]);

// The grammar itself is tested with contracts' parseDurationMs.
table("parseDuration", parseDuration, [
  ["10s", 10_000],
  ["0", 0],
  ["10", BAD],
  ["", BAD],
]);
table("parseOptionalDuration", parseOptionalDuration, [
  ["", null],
  ["1m", 60_000],
  ["x", BAD],
]);
table("parsePositiveDuration", parsePositiveDuration, [
  ["1ms", 1],
  ["0", BAD],
  ["0s", BAD],
  ["x", BAD],
]);
table("parseSocketDuration", parseSocketDuration, [
  ["0", 0],
  ["2147483647ms", 2_147_483_647],
  ["2147483648ms", BAD],
  ["365d", BAD],
  ["x", BAD],
]);
table("wholeNumber", wholeNumber(1, 10), [
  ["1", 1],
  ["010", 10],
  ["0", BAD],
  ["11", BAD],
  ["-1", BAD],
  ["+1", BAD],
  ["1.0", BAD],
  ["1e0", BAD],
  ["", BAD],
  [" 1", BAD],
]);
table("parseJitter", parseJitter, [
  ["0", 0],
  ["0.1", 0.1],
  ["1", 1],
  ["100.1", BAD],
  ["-0.1", BAD],
  ["NaN", BAD],
  ["", BAD],
]);
table("parseRatio", parseRatio, [
  ["0.5", 0.5],
  ["1", 1],
  ["0", BAD],
  ["1.01", BAD],
  ["Infinity", BAD],
]);
table("oneOf", oneOf(["deny", "audit"]), [
  ["deny", "deny"],
  ["Deny", BAD],
  ["", BAD],
]);
table("parseNonEmpty", parseNonEmpty, [
  ["x", "x"],
  ["", BAD],
]);

table("parseSocketAddr", parseSocketAddr, [
  ["127.0.0.1:4140", { ip: "127.0.0.1", port: 4140 }],
  ["0.0.0.0:0", { ip: "0.0.0.0", port: 0 }],
  ["[::]:4143", { ip: "::", port: 4143 }],
  ["[FD00:0:0:0:0:0:0:1]:65535", { ip: "fd00::1", port: 65535 }],
  ["::1:80", BAD],
  ["[127.0.0.1]:80", BAD],
  ["127.0.0.1", BAD],
  ["127.0.0.1:", BAD],
  ["127.0.0.1:65536", BAD],
  ["127.0.0.1:-1", BAD],
  [":80", BAD],
  ["localhost:80", BAD],
  ["256.0.0.1:80", BAD],
  ["127.0.0.1:80 ", BAD],
  ["tcp://127.0.0.1:80", BAD],
  ["", BAD],
]);
table("parseSocketAddrs", parseSocketAddrs, [
  ["127.0.0.1:4140", [{ ip: "127.0.0.1", port: 4140 }]],
  [
    "127.0.0.1:4140,[::1]:4140",
    [
      { ip: "127.0.0.1", port: 4140 },
      { ip: "::1", port: 4140 },
    ],
  ],
  ["127.0.0.1:1,127.0.0.1:2,127.0.0.1:3", BAD],
  ["127.0.0.1:1,", BAD],
  ["", BAD],
]);
table("parseHostPort", parseHostPort, [
  [
    "linkerd-dst-headless.linkerd.svc.cluster.local.:8086",
    { host: "linkerd-dst-headless.linkerd.svc.cluster.local.", port: 8086 },
  ],
  ["Localhost.:8086", { host: "localhost.", port: 8086 }],
  ["10.0.0.1:1", { host: "10.0.0.1", port: 1 }],
  ["[::ffff:10.0.0.1]:1", { host: "10.0.0.1", port: 1 }],
  ["my_service:80", { host: "my_service", port: 80 }],
  ["bad name:80", BAD],
  ["-x:80", BAD],
  ["name", BAD],
  ["name:80:90", BAD],
]);
table("parseTcpUrl", parseTcpUrl, [
  ["tcp://proxy-api.linkerd.svc.cluster.local:8086", { host: "proxy-api.linkerd.svc.cluster.local", port: 8086 }],
  ["TCP://127.0.0.1:80/", { host: "127.0.0.1", port: 80 }],
  ["http://127.0.0.1:80", BAD],
  ["tcp://127.0.0.1:80/x", BAD],
  ["tcp://127.0.0.1:80?x", BAD],
  ["tcp://127.0.0.1", BAD],
  ["tcp://user@127.0.0.1:80", BAD],
  ["tcp://", BAD],
  ["127.0.0.1:80", BAD],
  ["", BAD],
]);
table("parseTcpUrlSocketAddr", parseTcpUrlSocketAddr, [
  ["tcp://0.0.0.0:4143", { ip: "0.0.0.0", port: 4143 }],
  ["tcp://[::]:4143/", { ip: "::", port: 4143 }],
  ["tcp://localhost:4143", BAD],
]);
table("parseIp", parseIp, [
  ["10.0.2.42", "10.0.2.42"],
  ["::FFFF:10.0.2.42", "10.0.2.42"],
  ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["10.4.0.555", BAD],
  ["10.0.1.1/24", BAD],
  ["", BAD],
]);
table("parseIpSet", parseIpSet, [
  ["127.0.0.1", ["127.0.0.1"]],
  ["10.0.2.42, fd00::1,10.0.2.42", ["10.0.2.42", "fd00::1"]],
  ["", []],
  ["10.4.0.3,foobar,192.168.0.69", BAD],
]);
table("parseNetworks", parseNetworks, [
  ["10.0.0.0/8, fd00::/8,,", ["10.0.0.0/8", "fd00::/8"]],
  ["10.1.2.3/8", ["10.1.2.3/8"]],
  ["", []],
  ["10.0.0.0", BAD],
  ["10.0.0.0/33", BAD],
  ["fd00::/129", BAD],
  ["x/8", BAD],
]);
table("parseDnsName", parseDnsName, [
  ["web.ns.serviceaccount.identity.linkerd.cluster.local", "web.ns.serviceaccount.identity.linkerd.cluster.local"],
  ["mUlti.CasE.", "multi.case."],
  ["a..b", BAD],
  ["a .b", BAD],
  ["", BAD],
  [".", BAD],
  ["x".repeat(64), BAD],
]);
table("parseDnsSuffixes", parseDnsSuffixes, [
  [" a.b.c. , d.e.f. ", ["a.b.c.", "d.e.f."]],
  [".", ["."]],
  [",,,", []],
  ["a .b.c", BAD],
]);
table("parsePortRanges", parsePortRanges, [
  ["", []],
  [
    "1-2, 42,,80-420",
    [
      { lo: 1, hi: 2 },
      { lo: 42, hi: 42 },
      { lo: 80, hi: 420 },
    ],
  ],
  [
    "25,587,3306",
    [
      { lo: 25, hi: 25 },
      { lo: 587, hi: 587 },
      { lo: 3306, hi: 3306 },
    ],
  ],
  ["5-7,6-9,10,4", [{ lo: 4, hi: 10 }]],
  ["0-65535", [{ lo: 0, hi: 65535 }]],
  ["2-1", BAD],
  ["-1", BAD],
  ["1-", BAD],
  ["1-2-3", BAD],
  ["65536", BAD],
  ["1-65536", BAD],
  ["http", BAD],
]);
table("parseIdentityId", parseIdentityId, [
  ["web.ns.example", "web.ns.example"],
  ["spiffe://root.linkerd.cluster.local/ns/web", "spiffe://root.linkerd.cluster.local/ns/web"],
  ["spiffe://", BAD],
  ["a b", BAD],
]);
table("parsePodIdentity", (text) => parsePodIdentity(text, "emojivoto"), [
  [
    "emoji.deployment.$LINKERD2_PROXY_POD_NAMESPACE.linkerd-managed.linkerd.svc.cluster.local",
    "emoji.deployment.emojivoto.linkerd-managed.linkerd.svc.cluster.local",
  ],
  ["fixed.name", "fixed.name"],
  ["not a name", BAD],
]);

test("a pod identity cannot refer to a namespace that is not there", () => {
  expect(parsePodIdentity("a.$LINKERD2_PROXY_POD_NAMESPACE", null)).toBeInstanceOf(BadValue);
});

test("merged port ranges hold the same ports, sorted, with gaps between them", () => {
  const range = fc.tuple(fc.nat(60), fc.nat(10)).map(([lo, length]) => ({ lo, hi: lo + length }));
  const ports = (ranges: readonly { lo: number; hi: number }[]): number[] => {
    return [...new Set(ranges.flatMap(({ lo, hi }) => Array.from({ length: hi - lo + 1 }, (_, i) => lo + i)))].sort(
      (a, b) => a - b,
    );
  };
  fc.assert(
    fc.property(fc.array(range), (ranges) => {
      const merged = mergePortRanges(ranges);
      expect(ports(merged)).toEqual(ports(ranges));
      expect(merged.every(({ lo }, i) => i === 0 || lo > merged[i - 1]!.hi + 1)).toBe(true);
    }),
  );
});
