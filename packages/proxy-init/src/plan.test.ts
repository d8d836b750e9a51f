import { expect, test } from "bun:test";
import fc from "fast-check";
import type { PortRange, RuleOptions, Subnet } from "./options.ts";
import { planRules } from "./plan.ts";
import { installed, transition, untouched } from "./transaction.ts";

const SECONDS = 1_541_098_423;

const article: RuleOptions = {
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
};

function freshText(options: RuleOptions, family: 4 | 6): string {
  const plan = planRules(options, family, SECONDS);
  const before = untouched(plan);
  return transition(before, installed(before, plan)) ?? "";
}

test("the article's rules, the same for both families", () => {
  expect(freshText(article, 4)).toBe(`*nat
:PROXY_INIT_REDIRECT - [0:0]
:PROXY_INIT_OUTPUT - [0:0]
-A PROXY_INIT_REDIRECT -p tcp -m tcp --dport 4190 -m comment --comment "proxy-init/ignore-port-4190/1541098423" -j RETURN
-A PROXY_INIT_REDIRECT -p tcp -m tcp --dport 4191 -m comment --comment "proxy-init/ignore-port-4191/1541098423" -j RETURN
-A PROXY_INIT_REDIRECT -p tcp -m comment --comment "proxy-init/redirect-all-incoming-to-proxy-port/1541098423" -j REDIRECT --to-ports 4143
-A PROXY_INIT_OUTPUT -m owner --uid-owner 2102 -m comment --comment "proxy-init/ignore-proxy-user-id/1541098423" -j RETURN
-A PROXY_INIT_OUTPUT -o lo -m comment --comment "proxy-init/ignore-loopback/1541098423" -j RETURN
-A PROXY_INIT_OUTPUT -p tcp -m comment --comment "proxy-init/redirect-all-outgoing-to-proxy-port/1541098423" -j REDIRECT --to-ports 4140
-A PREROUTING -m comment --comment "proxy-init/install-proxy-init-prerouting/1541098423" -j PROXY_INIT_REDIRECT
-A OUTPUT -m comment --comment "proxy-init/install-proxy-init-output/1541098423" -j PROXY_INIT_OUTPUT
COMMIT
`);
  expect(freshText(article, 6)).toBe(freshText(article, 4));
});

test("everything at once, for IPv6", () => {
  const options: RuleOptions = {
    incomingPort: 5143,
    outgoingPort: 5140,
    proxyUid: 2102,
    proxyGid: 2103,
    portsToRedirect: [
      { low: 80, high: 80 },
      { low: 8000, high: 8010 },
    ],
    inboundPortsToIgnore: [{ low: 4567, high: 4568 }],
    outboundPortsToIgnore: [
      { low: 443, high: 443 },
      { low: 9000, high: 9001 },
    ],
    subnetsToIgnore: [
      { family: 4, cidr: "10.0.0.0/8" },
      { family: 6, cidr: "fd00::/8" },
    ],
  };
  expect(freshText(options, 6)).toBe(`*nat
:PROXY_INIT_REDIRECT - [0:0]
:PROXY_INIT_OUTPUT - [0:0]
-A PROXY_INIT_REDIRECT -p tcp -m tcp --dport 4567:4568 -m comment --comment "proxy-init/ignore-port-4567:4568/1541098423" -j RETURN
-A PROXY_INIT_REDIRECT -s fd00::/8 -m comment --comment "proxy-init/ignore-subnet-fd00::/8/1541098423" -j RETURN
-A PROXY_INIT_REDIRECT -p tcp -m tcp --dport 80 -m comment --comment "proxy-init/redirect-port-80-to-proxy-port/1541098423" -j REDIRECT --to-ports 5143
-A PROXY_INIT_REDIRECT -p tcp -m tcp --dport 8000:8010 -m comment --comment "proxy-init/redirect-port-8000:8010-to-proxy-port/1541098423" -j REDIRECT --to-ports 5143
-A PROXY_INIT_OUTPUT -m owner --uid-owner 2102 -m comment --comment "proxy-init/ignore-proxy-user-id/1541098423" -j RETURN
-A PROXY_INIT_OUTPUT -m owner --gid-owner 2103 -m comment --comment "proxy-init/ignore-proxy-group-id/1541098423" -j RETURN
-A PROXY_INIT_OUTPUT -o lo -m comment --comment "proxy-init/ignore-loopback/1541098423" -j RETURN
-A PROXY_INIT_OUTPUT -p tcp -m tcp --dport 443 -m comment --comment "proxy-init/ignore-port-443/1541098423" -j RETURN
-A PROXY_INIT_OUTPUT -p tcp -m tcp --dport 9000:9001 -m comment --comment "proxy-init/ignore-port-9000:9001/1541098423" -j RETURN
-A PROXY_INIT_OUTPUT -p tcp -m comment --comment "proxy-init/redirect-all-outgoing-to-proxy-port/1541098423" -j REDIRECT --to-ports 5140
-A PREROUTING -m comment --comment "proxy-init/install-proxy-init-prerouting/1541098423" -j PROXY_INIT_REDIRECT
-A OUTPUT -m comment --comment "proxy-init/install-proxy-init-output/1541098423" -j PROXY_INIT_OUTPUT
COMMIT
`);
  expect(freshText(options, 4)).toContain("-s 10.0.0.0/8 ");
  expect(freshText(options, 4)).not.toContain("fd00");
});

const port = fc.integer({ min: 0, max: 65_535 });
const range: fc.Arbitrary<PortRange> = fc
  .tuple(port, port)
  .map(([a, b]) => ({ low: Math.min(a, b), high: Math.max(a, b) }));
const ranges = fc.uniqueArray(range, { selector: ({ low, high }) => `${low}:${high}`, maxLength: 20 });
const subnet: fc.Arbitrary<Subnet> = fc.oneof(
  fc.integer({ min: 0, max: 32 }).map((bits) => ({ family: 4 as const, cidr: `10.0.0.0/${bits}` })),
  fc.integer({ min: 0, max: 128 }).map((bits) => ({ family: 6 as const, cidr: `fd00::/${bits}` })),
);
const id = fc.option(fc.integer({ min: 1, max: 4_294_967_294 }));
const ruleOptions: fc.Arbitrary<RuleOptions> = fc.record({
  incomingPort: fc.integer({ min: 1, max: 65_535 }),
  outgoingPort: fc.integer({ min: 1, max: 65_535 }),
  proxyUid: id,
  proxyGid: id,
  portsToRedirect: ranges,
  inboundPortsToIgnore: ranges,
  outboundPortsToIgnore: ranges,
  subnetsToIgnore: fc.uniqueArray(subnet, { selector: ({ cidr }) => cidr, maxLength: 5 }),
});

test("whatever the options: exceptions come before redirects, nothing twice, every rule signed and in its family", () => {
  fc.assert(
    fc.property(ruleOptions, fc.constantFrom(4 as const, 6 as const), (options, family) => {
      for (const { rules, jump } of planRules(options, family, SECONDS)) {
        const targets = rules.map((rule) => / -j (\w+)/.exec(rule)?.[1]);
        expect(targets.lastIndexOf("RETURN")).toBeLessThan(targets.indexOf("REDIRECT"));
        expect(targets.every((target) => target === "RETURN" || target === "REDIRECT")).toBe(true);
        expect(new Set(rules).size).toBe(rules.length);
        for (const rule of [...rules, jump]) {
          expect(rule).toMatch(/-m comment --comment "proxy-init\/[a-z0-9:./-]+\/1541098423" -j /);
        }
        const sources = rules.flatMap((rule) => / -s (\S+)/.exec(` ${rule}`)?.[1] ?? []);
        expect(sources.every((cidr) => cidr.includes(":") === (family === 6))).toBe(true);
      }
    }),
    { numRuns: 50 },
  );
});

test("one rule per ignored or redirected port or range, however many", () => {
  fc.assert(
    fc.property(ruleOptions, (options) => {
      const [inbound, outbound] = planRules(options, 4, SECONDS);
      const ignored =
        options.inboundPortsToIgnore.length + options.subnetsToIgnore.filter((s) => s.family === 4).length;
      const owners = [options.proxyUid, options.proxyGid].filter((owner) => owner !== null).length;
      expect(inbound?.rules).toHaveLength(ignored + Math.max(options.portsToRedirect.length, 1));
      expect(outbound?.rules).toHaveLength(owners + 1 + options.outboundPortsToIgnore.length + 1);
    }),
    { numRuns: 50 },
  );
});
