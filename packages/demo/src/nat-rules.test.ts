import { expect, test } from "bun:test";
import { differencesInRules } from "./nat-rules.ts";

const LISTING = `Chain PREROUTING (policy ACCEPT 67 packets, 4020 bytes)
 pkts bytes target     prot opt in     out     source               destination
   69  4140 PROXY_INIT_REDIRECT  all  --  any    any     anywhere             anywhere             /* proxy-init/install-proxy-init-prerouting/1541098423 */

Chain INPUT (policy ACCEPT 69 packets, 4140 bytes)
 pkts bytes target     prot opt in     out     source               destination

Chain OUTPUT (policy ACCEPT 3 packets, 240 bytes)
 pkts bytes target     prot opt in     out     source               destination
    3   240 PROXY_INIT_OUTPUT  all  --  any    any     anywhere             anywhere             /* proxy-init/install-proxy-init-output/1541098423 */

Chain POSTROUTING (policy ACCEPT 3 packets, 240 bytes)
 pkts bytes target     prot opt in     out     source               destination

Chain PROXY_INIT_OUTPUT (1 references)
 pkts bytes target     prot opt in     out     source               destination
    3   240 RETURN     all  --  any    any     anywhere             anywhere             owner UID match 2102 /* proxy-init/ignore-proxy-user-id/1541098423 */
    0     0 RETURN     all  --  any    lo      anywhere             anywhere             /* proxy-init/ignore-loopback/1541098423 */
    0     0 REDIRECT   tcp  --  any    any     anywhere             anywhere             /* proxy-init/redirect-all-outgoing-to-proxy-port/1541098423 */ redir ports 4140

Chain PROXY_INIT_REDIRECT (1 references)
 pkts bytes target     prot opt in     out     source               destination
    0     0 RETURN     tcp  --  any    any     anywhere             anywhere             tcp dpt:4190 /* proxy-init/ignore-port-4190/1541098423 */
  67K 4020K RETURN     tcp  --  any    any     anywhere             anywhere             tcp dpt:4191 /* proxy-init/ignore-port-4191/1541098423 */
    2   120 REDIRECT   tcp  --  any    any     anywhere             anywhere             /* proxy-init/redirect-all-incoming-to-proxy-port/1541098423 */ redir ports 4143
`;

const without = (pattern: RegExp): string =>
  LISTING.split("\n")
    .filter((line) => !pattern.test(line))
    .join("\n");

test("the article's listing is as it should be", () => {
  expect(differencesInRules(LISTING)).toEqual([]);
});

for (const { name, listing, want } of [
  { name: "an empty table", listing: "", want: "chain PREROUTING: missing" },
  {
    name: "a missing rule",
    listing: without(/ignore-loopback/),
    want: "chain PROXY_INIT_OUTPUT: RETURN (ignore-proxy",
  },
  { name: "a missing jump", listing: without(/init-output/), want: "chain OUTPUT: empty instead of PROXY_INIT_OUTPUT" },
  {
    name: "a foreign rule",
    listing: LISTING.replace(
      /(Chain INPUT .*\n.*\n)/,
      "$1    0     0 DROP       all  --  any    any     anywhere   anywhere\n",
    ),
    want: "chain INPUT: DROP (no comment) instead of empty",
  },
  {
    name: "a foreign chain",
    listing: `${LISTING}\nChain KUBE-SVC (0 references)\n`,
    want: "chain KUBE-SVC should not",
  },
]) {
  test(`${name} is told`, () => {
    expect(differencesInRules(listing).join("\n")).toContain(want);
  });
}
