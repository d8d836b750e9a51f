import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseFlags } from "./flags.ts";
import type { InitOptions } from "./options.ts";

const PORTS = ["--incoming-proxy-port", "4143", "--outgoing-proxy-port", "4140"];
const PORTS_IN_SHORT = "-w -p 4143 -o4140 -u 2102 -g 2103 -r 80,8000-8010 -r 443".split(" ");

function parse(...args: string[]): InitOptions {
  const result = parseFlags(args);
  if (result.kind !== "options") throw new Error(JSON.stringify(result));
  return result.options;
}

function errorsOf(...args: string[]): readonly string[] {
  const result = parseFlags(args);
  return result.kind === "errors" ? result.errors : [];
}

test("the article's call", () => {
  expect(parse(...PORTS, "--proxy-uid", "2102", "--inbound-ports-to-ignore", "4190,4191")).toEqual({
    rules: {
      incomingPort: 4143,
      outgoingPort: 4140,
      proxyUid: 2102,
      proxyGid: null,
      portsToRedirect: [],
      inboundPortsToIgnore: [
        { low: 4190, high: 4190 },
        { low: 4191, high: 4191 },
      ],
      outboundPortsToIgnore: [],
      subnetsToIgnore: [],
    },
    host: {
      mode: "plain",
      netns: null,
      waitForLock: false,
      ipv6: "if-available",
      closeWaitTimeoutSecs: null,
      simulate: false,
      logFormat: "plain",
      logLevel: "info",
    },
  });
});

test("today's chart's call, with the flags that came later", () => {
  const { rules, host } = parse(
    ...PORTS_IN_SHORT,
    "--firewall-bin-path=iptables-nft",
    "--firewall-save-bin-path=iptables-nft-save",
    "--ipv6=false",
    "--inbound-ports-to-ignore=4190,4191,4567-4568",
    "--outbound-ports-to-ignore=4567,4568",
    "--subnets-to-ignore= 10.0.0.0/8 ,fd00::/8",
    "--netns=/run/netns/pod",
    "--timeout-close-wait-secs=3600",
    "--log-format=json",
    "--log-level=warning",
  );
  expect(rules).toMatchObject({
    proxyUid: 2102,
    proxyGid: 2103,
    portsToRedirect: [
      { low: 80, high: 80 },
      { low: 8000, high: 8010 },
      { low: 443, high: 443 },
    ],
    subnetsToIgnore: [
      { family: 4, cidr: "10.0.0.0/8" },
      { family: 6, cidr: "fd00::/8" },
    ],
  });
  expect(host).toEqual({
    mode: "nft",
    netns: "/run/netns/pod",
    waitForLock: true,
    ipv6: "off",
    closeWaitTimeoutSecs: 3600,
    simulate: false,
    logFormat: "json",
    logLevel: "warn",
  });
});

describe("which iptables", () => {
  const rows: { args: string[]; want: string }[] = [
    { args: [], want: "plain" },
    { args: ["--iptables-mode", ""], want: "plain" },
    { args: ["--iptables-mode", "legacy"], want: "legacy" },
    { args: ["--firewall-bin-path", "iptables-legacy"], want: "legacy" },
    { args: ["--firewall-bin-path", "iptables"], want: "plain" },
    { args: ["--firewall-bin-path", "iptables-legacy", "--iptables-mode", "nft"], want: "nft" },
  ];
  for (const { args, want } of rows) {
    test(args.join(" ") || "nothing given", () => {
      expect(parse(...PORTS, ...args).host.mode).toBe(want as InitOptions["host"]["mode"]);
    });
  }
});

describe("IPv6 and other switches", () => {
  const rows: { args: string[]; want: Partial<InitOptions["host"]> }[] = [
    { args: ["--ipv6"], want: { ipv6: "required" } },
    { args: ["--ipv6=true"], want: { ipv6: "required" } },
    { args: ["--ipv6=F"], want: { ipv6: "off" } },
    { args: ["--simulate", "--use-wait-flag=0"], want: { simulate: true, waitForLock: false } },
    { args: ["--simulate=false"], want: { simulate: false } },
    { args: ["--timeout-close-wait-secs", "0"], want: { closeWaitTimeoutSecs: null } },
  ];
  for (const { args, want } of rows) {
    test(args.join(" ") || "nothing given", () => {
      expect(parse(...PORTS, ...args).host).toMatchObject(want);
    });
  }
});

test("ids of -1 and 0 mean no rule", () => {
  expect(parse(...PORTS, "-u", "-1", "-g", "0").rules).toMatchObject({ proxyUid: null, proxyGid: null });
});

test("a removal needs no ports", () => {
  expect(parse("--cleanup", "--iptables-mode", "nft")).toMatchObject({ rules: null, host: { mode: "nft" } });
});

test("entries named twice count once", () => {
  const { rules } = parse(
    ...PORTS,
    "--inbound-ports-to-ignore",
    " 80,,90-91,80-80,",
    "--inbound-ports-to-ignore",
    "90-91",
  );
  expect(rules?.inboundPortsToIgnore).toEqual([
    { low: 80, high: 80 },
    { low: 90, high: 91 },
  ]);
});

describe("mistakes name the flag and the value", () => {
  const rows: { args: string[]; want: string }[] = [
    { args: ["-p", "0", "-o", "1"], want: '--incoming-proxy-port "0" is not valid' },
    { args: ["-p", "-1", "-o", "1"], want: '--incoming-proxy-port "-1" is not valid' },
    { args: ["-p", "1", "-o", "65536"], want: '--outgoing-proxy-port "65536" is not valid' },
    { args: ["-p", "1", "-o", "0x10"], want: '--outgoing-proxy-port "0x10" is not valid' },
    { args: ["-p", "1"], want: "--outgoing-proxy-port is not set" },
    { args: [...PORTS, "-u", "root"], want: '--proxy-uid "root" is not valid' },
    { args: [...PORTS, "-u", "-2"], want: '--proxy-uid "-2" is not valid' },
    { args: [...PORTS, "-u", "4294967295"], want: '--proxy-uid "4294967295" is not valid' },
    { args: [...PORTS, "-g", "1.5"], want: '--proxy-gid "1.5" is not valid' },
    { args: [...PORTS, "--inbound-ports-to-ignore", "1,x,3"], want: '--inbound-ports-to-ignore "x" is not valid' },
    { args: [...PORTS, "--inbound-ports-to-ignore", "5-2"], want: '--inbound-ports-to-ignore "5-2" is not valid' },
    {
      args: [...PORTS, "--outbound-ports-to-ignore", "1-2-3"],
      want: '--outbound-ports-to-ignore "1-2-3" is not valid',
    },
    { args: [...PORTS, "--outbound-ports-to-ignore", "9-"], want: '--outbound-ports-to-ignore "9-" is not valid' },
    { args: [...PORTS, "-r", "80,65536"], want: '--ports-to-redirect "65536" is not valid' },
    { args: [...PORTS, "--subnets-to-ignore", "10.0.0.0"], want: '--subnets-to-ignore "10.0.0.0" is not valid' },
    { args: [...PORTS, "--subnets-to-ignore", "10.0.0.0/33"], want: '--subnets-to-ignore "10.0.0.0/33" is not valid' },
    { args: [...PORTS, "--subnets-to-ignore", "010.0.0.0/8"], want: '--subnets-to-ignore "010.0.0.0/8" is not valid' },
    { args: [...PORTS, "--subnets-to-ignore", "fd00::/129"], want: '--subnets-to-ignore "fd00::/129" is not valid' },
    { args: [...PORTS, "--subnets-to-ignore", "fe80::%eth0/64"], want: '"fe80::%eth0/64" is not valid' },
    { args: [...PORTS, "--iptables-mode", "nftables"], want: '--iptables-mode "nftables" is not valid' },
    { args: [...PORTS, "--firewall-bin-path", "/sbin/iptables"], want: '--firewall-bin-path "/sbin/iptables"' },
    { args: [...PORTS, "--timeout-close-wait-secs", "1m"], want: '--timeout-close-wait-secs "1m" is not valid' },
    { args: [...PORTS, "--log-level", "loud"], want: '--log-level "loud" is not valid' },
    { args: [...PORTS, "--simulate=perhaps"], want: '--simulate "perhaps" is not valid' },
    { args: [...PORTS, "--no-such-flag"], want: "unknown option '--no-such-flag'" },
    { args: [...PORTS, "install"], want: "too many arguments" },
    { args: [...PORTS, "--proxy-uid"], want: "'-u, --proxy-uid <uid>' argument missing" },
  ];
  for (const { args, want } of rows) {
    test(args.join(" ") || "nothing given", () => {
      const errors = errorsOf(...args);
      expect(errors).toHaveLength(1);
      expect(errors[0]).toContain(want);
    });
  }
});

test("every mistake is reported at once", () => {
  expect(errorsOf("-p", "x", "-u", "y", "--iptables-mode", "z", "--subnets-to-ignore", "a,10.0.0.0/8,b")).toHaveLength(
    6,
  );
});

test("help lists every flag", () => {
  const help = parseFlags(["--help"]);
  expect(help.kind === "help" && help.text).toContain("--timeout-close-wait-secs");
});

test("any port, range or text gives options within bounds or an error that quotes it", () => {
  const item = fc.oneof(
    fc.integer({ min: -5, max: 70_000 }).map(String),
    fc.tuple(fc.integer({ min: 0, max: 70_000 }), fc.integer({ min: 0, max: 70_000 })).map((pair) => pair.join("-")),
    fc.string({ maxLength: 8 }).filter((text) => !text.includes(",") && text.trim() !== ""),
  );
  fc.assert(
    fc.property(item, (text) => {
      const result = parseFlags([...PORTS, `--inbound-ports-to-ignore=${text}`]);
      if (result.kind === "options") {
        const [range] = result.options.rules?.inboundPortsToIgnore ?? [];
        expect(range !== undefined && range.low >= 0 && range.low <= range.high && range.high <= 65_535).toBe(true);
      } else {
        expect(result.kind === "errors" && result.errors[0]).toContain(JSON.stringify(text));
      }
    }),
  );
});
