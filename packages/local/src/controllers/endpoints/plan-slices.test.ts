import { describe, expect, test } from "bun:test";
import type { EndpointSlice } from "@bowline/kube";
import fc from "fast-check";
import { canonical } from "../canonical.ts";
import type { PodEndpoint } from "./endpoint-of-pod.ts";
import { ENDPOINTS_PER_SLICE, planSlices, type SliceContent } from "./plan-slices.ts";

function endpoint(number: number, port: number): PodEndpoint {
  const ports = [{ name: "http", port, protocol: "TCP" }];
  const endpoint = { addresses: [`10.0.${number >> 8}.${number & 255}`], targetRef: { uid: `pod-${number}` } };
  return { endpoint, ports, portsKey: canonical(ports) };
}

let serial = 0;

/** The slices as they are after the plan. */
function carryOut(existing: readonly EndpointSlice[], wanted: readonly PodEndpoint[]): EndpointSlice[] {
  const plan = planSlices(existing, wanted);
  const changed = new Map(plan.update.map((update) => [update.slice, update]));
  const kept = existing
    .filter((slice) => !plan.remove.includes(slice))
    .map((slice) => {
      const content = changed.get(slice);
      return content === undefined ? slice : { ...slice, ...sliceOf(content), metadata: slice.metadata };
    });
  return [...kept, ...plan.create.map(sliceOf)];
}

function sliceOf({ ports, endpoints }: SliceContent): EndpointSlice {
  const metadata = { name: `slice-${serial++}` };
  const head = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", addressType: "IPv4" } as const;
  return { ...head, metadata, ports: [...ports], endpoints: [...endpoints] };
}

describe("the slices of a Service", () => {
  test("are one, empty, for no endpoints", () => {
    const [only, ...others] = carryOut([], []);
    expect(others).toEqual([]);
    expect(only).toMatchObject({ ports: [], endpoints: [] });
    const gone = carryOut(carryOut([], [endpoint(1, 80), endpoint(2, 81)]), []);
    expect(gone).toHaveLength(1);
    expect(gone[0]?.endpoints).toEqual([]);
  });

  test("keep what is in them when an endpoint comes or goes", () => {
    const all = Array.from({ length: 150 }, (_, at) => endpoint(at, 80));
    const before = carryOut([], all);
    expect(before.map(({ endpoints }) => endpoints.length)).toEqual([100, 50]);
    const after = carryOut(before, [...all.slice(1), endpoint(900, 80)]);
    expect(after.map(({ metadata }) => metadata.name)).toEqual(before.map(({ metadata }) => metadata.name));
    expect(after.map(({ endpoints }) => endpoints.length)).toEqual([100, 50]);
    expect(after[1]?.endpoints).toEqual(before[1]?.endpoints);
  });

  test("hold, after any history, each endpoint once with its ports, no more than fit in one", () => {
    const state = fc.array(fc.record({ pod: fc.nat(250), port: fc.constantFrom(80, 81) }), { maxLength: 250 });
    fc.assert(
      fc.property(fc.array(state, { minLength: 1, maxLength: 5 }), (history) => {
        let slices: EndpointSlice[] = [];
        for (const pods of history) {
          const unique = [...new Map(pods.map((each) => [each.pod, each])).values()];
          const wanted = unique.map(({ pod, port }) => endpoint(pod, port));
          slices = carryOut(slices, wanted);
          const held = slices.flatMap(({ endpoints, ports }) =>
            endpoints.map(({ targetRef }) => `${targetRef?.uid}:${ports?.[0]?.port}`),
          );
          expect(held.sort()).toEqual(unique.map(({ pod, port }) => `pod-${pod}:${port}`).sort());
          for (const { endpoints } of slices) expect(endpoints.length).toBeLessThanOrEqual(ENDPOINTS_PER_SLICE);
          const empty = slices.filter(({ endpoints }) => endpoints.length === 0).length;
          expect(empty).toBe(wanted.length === 0 ? 1 : 0);
        }
      }),
      { numRuns: 60 },
    );
  });
});
