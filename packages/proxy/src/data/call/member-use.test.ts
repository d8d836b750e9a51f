import { expect, test } from "bun:test";
import { Balancer, Verdict } from "@bowline/model";
import { ScriptedIo } from "@bowline/testkit";
import { Member } from "../pool/member.ts";
import { ScriptedPlane } from "../testing/plane-world.case.test.ts";
import { MemberUse } from "./member-use.ts";

const LOAD = {
  kind: "penalty-peak-ewma",
  defaultRttMs: 1,
  decayMs: 10_000,
  penaltyMs: 5000,
  penaltyDecayMs: 0,
  retryAfterMaxMs: 300_000,
} as const;

function scene(load: typeof LOAD | { kind: "peak-ewma"; defaultRttMs: number; decayMs: number }) {
  const { plane } = new ScriptedPlane(new ScriptedIo({ seed: 1 }));
  const target = plane.outbound.endpointTarget(
    {
      ip: "10.0.0.1",
      port: 80,
      weight: 1,
      labels: {},
      tlsIdentity: null,
      hint: null,
      opaqueTransportPort: null,
      authorityOverride: null,
      http2: null,
    },
    "",
  );
  const owner = { onMemberChanged() {}, onMemberReachable() {}, onMemberUnreachable() {}, onMemberRefused() {} };
  const member = new Member(owner, plane, "10.0.0.1:80", target, null);
  member.slot = new Balancer<Member>(load, Math.random).add("10.0.0.1:80", member, plane.reactor.nowMs);
  const use = new MemberUse();
  use.begin(member, plane.reactor.nowMs);
  return { use, slot: member.slot, nowMs: plane.reactor.nowMs };
}

test.each([
  { name: "a failure costs the penalty", load: LOAD, status: 503, hintMs: 0, rttMs: 5000 },
  { name: "a longer Retry-After costs that", load: LOAD, status: 429, hintMs: 60_000, rttMs: 60_000 },
  { name: "a success costs its time", load: LOAD, status: 200, hintMs: 0, rttMs: 1 },
  {
    name: "without a penalty a failure costs its time",
    load: { kind: "peak-ewma", defaultRttMs: 1, decayMs: 10_000 } as const,
    status: 503,
    hintMs: 0,
    rttMs: 1,
  },
])("$name", ({ load, status, hintMs, rttMs }) => {
  const { use, slot, nowMs } = scene(load);
  expect(slot.pending).toBe(1);
  use.onHead(status, -1, hintMs);
  use.judged(Verdict.Success);
  expect({ pending: slot.pending, rttMs: slot.rtt(nowMs) }).toEqual({ pending: 0, rttMs });
});
