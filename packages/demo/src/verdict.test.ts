import { expect, test } from "bun:test";
import { type Evidence, judge } from "./verdict.ts";

const caller = { sent: 1000, succeeded: 985, failed: 15, unanswered: 0 };
const totals = { succeeded: 985, failed: 15, latencyMs: null, open: 0 };
const outbound = { label: "outbound", direction: "outbound", target: "10.0.0.2:80" } as const;
const inbound = { label: "inbound", direction: "inbound", target: "10.0.0.2:80" } as const;
const GOOD: Evidence = {
  caller,
  counted: [
    { source: outbound, totals },
    { source: inbound, totals },
  ],
  ruleDifferences: [],
  proxyEnds: ["0", "0"],
};

const inboundCounts = (succeeded: number, failed: number): Evidence => ({
  ...GOOD,
  counted: [
    { source: outbound, totals },
    { source: inbound, totals: { ...totals, succeeded, failed } },
  ],
});

/** How many findings are bad, and what one of those says. */
const CASES: readonly (readonly [name: string, evidence: Evidence, bad: number, saying: string])[] = [
  ["all is well", GOOD, 0, ""],
  ["a request that was sent again", inboundCounts(990, 15), 0, ""],
  ["a proxy that saw nothing", inboundCounts(0, 0), 1, "inbound: the proxy counted 0 responses"],
  ["a proxy that saw half", inboundCounts(492, 8), 1, "the caller got 1000"],
  ["a proxy that takes failures for successes", inboundCounts(1000, 0), 1, "0 of them failures"],
  ["an unanswered request", { ...GOOD, caller: { ...caller, unanswered: 1 } }, 1, "1 of them without an answer"],
  ["too many failures", { ...inboundCounts(960, 40), caller: { ...caller, succeeded: 960, failed: 40 } }, 2, "96.0 %"],
  ["rules that differ", { ...GOOD, ruleDifferences: ["web pod, chain INPUT: missing"] }, 1, "web pod, chain INPUT"],
  ["a proxy that had to be killed", { ...GOOD, proxyEnds: ["0", "SIGKILL"] }, 1, "ended with 0 and SIGKILL"],
  [
    "a caller that sent nothing",
    { ...GOOD, caller: { sent: 0, succeeded: 0, failed: 0, unanswered: 0 }, counted: [] },
    2,
    "sent 0 requests",
  ],
];

for (const [name, evidence, count, saying] of CASES) {
  test(name, () => {
    const bad = judge(evidence).filter(({ ok }) => !ok);
    expect(bad.map(({ text }) => text)).toHaveLength(count);
    expect(bad.map(({ text }) => text).join("\n")).toContain(saying);
  });
}
