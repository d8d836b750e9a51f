import { describe, expect, test } from "bun:test";
import type { EndpointMeta, EndpointsUpdate } from "../types/endpoint.ts";
import { EndpointSet } from "./endpoint-set.ts";
import { sameEndpoint, sameTransport } from "./same-endpoint.ts";

const A = endpoint("10.0.0.1");
const B = endpoint("10.0.0.2");
const C = endpoint("10.0.0.3");

describe("apply", () => {
  test("adds, changes and removes, and reports just that", () => {
    const set = new EndpointSet();
    expect(set.exists).toBeNull();
    expect(apply(set, { kind: "delta", add: [A, B], remove: [] })).toEqual({ added: [A, B] });
    expect(set.exists).toBe(true);
    const relabelled = { ...A, labels: { pod: "other" } };
    expect(apply(set, { kind: "delta", add: [relabelled, C], remove: ["10.0.0.2:80"] })).toEqual({
      added: [C],
      changed: [{ from: A, to: relabelled }],
      removed: [B],
    });
    expect(set.endpoints()).toEqual([relabelled, C]);
    expect(set.get("10.0.0.2:80")).toBeNull();
  });

  test("leaves what is said again untouched, the same object", () => {
    const set = new EndpointSet();
    apply(set, { kind: "reset", endpoints: [A] });
    expect(apply(set, { kind: "delta", add: [structuredClone(A)], remove: [] })).toEqual({});
    expect(apply(set, { kind: "reset", endpoints: [structuredClone(A)] })).toEqual({});
    expect(set.get("10.0.0.1:80")).toBe(A);
  });

  test("counts an address that one update adds and removes as gone", () => {
    const set = new EndpointSet();
    apply(set, { kind: "reset", endpoints: [A] });
    expect(
      apply(set, { kind: "delta", add: [B, { ...A, weight: 1 }], remove: ["10.0.0.1:80", "10.0.0.2:80"] }),
    ).toEqual({
      removed: [A],
    });
    expect(set.size).toBe(0);
  });

  test("takes the last word on an address said twice", () => {
    const set = new EndpointSet();
    const again = { ...A, weight: 5 };
    expect(apply(set, { kind: "delta", add: [A, again], remove: [] })).toEqual({ added: [again] });
    expect(set.size).toBe(1);
  });

  test("tells an empty destination from one that does not exist", () => {
    const set = new EndpointSet();
    apply(set, { kind: "reset", endpoints: [A] });
    expect(apply(set, { kind: "gone", exists: true })).toEqual({ removed: [A] });
    expect(set.exists).toBe(true);
    apply(set, { kind: "gone", exists: false });
    expect(set.exists).toBe(false);
    apply(set, { kind: "delta", add: [B], remove: [] });
    expect(set.exists).toBe(true);
  });

  test("does not remove what it does not know", () => {
    const set = new EndpointSet();
    expect(apply(set, { kind: "delta", add: [], remove: ["10.9.9.9:1"] })).toEqual({});
  });
});

describe("re-sync", () => {
  test("keeps the set until the first addition replaces it, once", () => {
    const set = new EndpointSet();
    apply(set, { kind: "delta", add: [A, B], remove: [] });
    set.beginResync();
    expect(set.size).toBe(2);
    expect(apply(set, { kind: "delta", add: [structuredClone(B), C], remove: [] })).toEqual({
      added: [C],
      removed: [A],
    });
    expect(apply(set, { kind: "delta", add: [A], remove: [] })).toEqual({ added: [A] });
    expect(set.size).toBe(3);
  });

  test("heeds a removal before the first addition, which still replaces", () => {
    const set = new EndpointSet();
    apply(set, { kind: "delta", add: [A, B], remove: [] });
    set.beginResync();
    expect(apply(set, { kind: "delta", add: [], remove: ["10.0.0.1:80"] })).toEqual({ removed: [A] });
    expect(apply(set, { kind: "delta", add: [C], remove: [] })).toEqual({ added: [C], removed: [B] });
  });

  test("is over when the destination turns out empty", () => {
    const set = new EndpointSet();
    apply(set, { kind: "delta", add: [A], remove: [] });
    set.beginResync();
    expect(apply(set, { kind: "gone", exists: true })).toEqual({ removed: [A] });
    apply(set, { kind: "delta", add: [B], remove: [] });
    expect(apply(set, { kind: "delta", add: [C], remove: [] })).toEqual({ added: [C] });
    expect(set.size).toBe(2);
  });
});

describe("staleness", () => {
  const key = "10.0.0.1:80";

  test("takes refusals over the whole time with no word of the control plane", () => {
    const set = new EndpointSet(10_000);
    set.apply({ kind: "reset", endpoints: [A] }, 0);
    expect(set.refused(key, 50_000)).toBe(false);
    expect(set.refused(key, 59_999)).toBe(false);
    expect(set.isStale(key)).toBe(false);
    expect(set.refused(key, 60_000)).toBe(true);
    expect(set.isStale(key)).toBe(true);
  });

  test("ends when the endpoint is reached", () => {
    const set = new EndpointSet(10_000);
    set.apply({ kind: "reset", endpoints: [A] }, 0);
    set.refused(key, 10_000);
    expect(set.reached(key)).toBe(true);
    expect(set.refused(key, 30_000)).toBe(false);
    expect(set.refused(key, 45_000)).toBe(true);
    expect(set.reached(key)).toBe(true);
    expect(set.isStale(key)).toBe(false);
  });

  test("ends when the control plane says anything, which stands for the whole set", () => {
    const set = new EndpointSet(10_000);
    set.apply({ kind: "reset", endpoints: [A, B] }, 0);
    set.refused(key, 20_000);
    // Also before it comes to that.
    set.apply({ kind: "delta", add: [], remove: [] }, 25_000);
    expect(set.refused(key, 34_999)).toBe(false);
    expect(set.refused(key, 40_000)).toBe(true);
    expect(set.apply({ kind: "delta", add: [], remove: [] }, 41_000).revived).toEqual([A]);
    expect(set.refused(key, 42_000)).toBe(false);
    expect(set.refused(key, 51_999)).toBe(false);
    expect(set.refused(key, 52_000)).toBe(true);
  });

  test("does not end by a removal while a re-sync is due", () => {
    const set = new EndpointSet(10_000);
    set.apply({ kind: "reset", endpoints: [A, B] }, 0);
    set.refused(key, 20_000);
    set.refused(key, 40_000);
    set.beginResync();
    expect(set.apply({ kind: "delta", add: [], remove: ["10.0.0.2:80"] }, 41_000).revived).toEqual([]);
    expect(set.isStale(key)).toBe(true);
    expect(set.apply({ kind: "delta", add: [structuredClone(A)], remove: [] }, 42_000).revived).toEqual([A]);
  });

  test("starts anew for an address that another pod took over", () => {
    const set = new EndpointSet(10_000);
    set.apply({ kind: "reset", endpoints: [A] }, 0);
    set.refused(key, 20_000);
    expect(set.refused(key, 40_000)).toBe(true);
    const next = { ...A, labels: { pod: "next" } };
    const changes = set.apply({ kind: "delta", add: [next], remove: [] }, 41_000);
    expect(changes).toEqual({ added: [], changed: [{ from: A, to: next }], removed: [], revived: [] });
    expect(set.isStale(key)).toBe(false);
  });

  test("holds for whatever is not in the set", () => {
    const set = new EndpointSet();
    expect(set.refused(key, 0)).toBe(true);
    expect(set.reached(key)).toBe(false);
    expect(set.isStale(key)).toBe(true);
  });
});

describe("sameEndpoint and sameTransport", () => {
  const full: EndpointMeta = {
    ...A,
    tlsIdentity: { id: "web.default", serverName: "web.default" },
    hint: "h2",
    opaqueTransportPort: 4143,
    authorityOverride: "web:80",
    http2: {
      initialConnectionWindowBytes: 1,
      initialStreamWindowBytes: 2,
      adaptiveWindow: true,
      keepAliveIntervalMs: 3,
      keepAliveTimeoutMs: 4,
      keepAliveWhileIdle: true,
      concurrentResetStreamsMax: 5,
      frameBytesMax: 6,
      sendBufferBytesMax: 7,
    },
  };
  const http2 = full.http2;
  if (http2 === null) throw new Error("the endpoint has parameters");
  const rows: { name: string; other: EndpointMeta; transport: boolean }[] = [
    { name: "labels", other: { ...full, labels: { pod: "b" } }, transport: true },
    { name: "one label more", other: { ...full, labels: { ...full.labels, zone: "z" } }, transport: true },
    { name: "a label's name", other: { ...full, labels: { toString: "pod-10.0.0.1" } }, transport: true },
    { name: "weight", other: { ...full, weight: 1 }, transport: true },
    { name: "port", other: { ...full, port: 81 }, transport: false },
    { name: "no identity", other: { ...full, tlsIdentity: null }, transport: false },
    { name: "identity", other: { ...full, tlsIdentity: { id: "x", serverName: "web.default" } }, transport: false },
    { name: "server name", other: { ...full, tlsIdentity: { id: "web.default", serverName: "x" } }, transport: false },
    { name: "hint", other: { ...full, hint: "opaque" }, transport: false },
    { name: "opaque transport", other: { ...full, opaqueTransportPort: null }, transport: false },
    { name: "authority", other: { ...full, authorityOverride: null }, transport: false },
    { name: "no HTTP/2 parameters", other: { ...full, http2: null }, transport: false },
    ...Object.keys(http2).map((name) => ({
      name,
      other: { ...full, http2: { ...http2, [name]: null } },
      transport: false,
    })),
  ];
  for (const { name, other, transport } of rows) {
    test(`differ in ${name}`, () => {
      expect(sameEndpoint(full, other)).toBe(false);
      expect(sameEndpoint(other, full)).toBe(false);
      expect(sameTransport(full, other)).toBe(transport);
    });
  }

  test("hold for a copy with its labels in another order", () => {
    const copy = { ...structuredClone(full), labels: { b: "2", a: "1" } };
    expect(sameEndpoint({ ...full, labels: { a: "1", b: "2" } }, copy)).toBe(true);
    expect(sameTransport(full, copy)).toBe(true);
  });
});

/** What an update did, without the empty lists. */
function apply(set: EndpointSet, update: EndpointsUpdate): object {
  return Object.fromEntries(Object.entries(set.apply(update, 0)).filter(([, list]) => list.length > 0));
}

function endpoint(ip: string): EndpointMeta {
  return {
    ip,
    port: 80,
    weight: 10_000,
    labels: { pod: `pod-${ip}` },
    tlsIdentity: null,
    hint: null,
    opaqueTransportPort: null,
    authorityOverride: null,
    http2: null,
  };
}
