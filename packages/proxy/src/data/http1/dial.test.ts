import { describe, expect, test } from "bun:test";
import { DEFAULT_HEAD_LIMITS, Head, HeadStep, parseRequestHead } from "@bowline/wire";
import type { Target } from "../target.ts";
import { poolFor } from "./dial.ts";
import type { HostPool } from "./host-pool.ts";

function request(line: string, ...fields: string[]): { bytes: Uint8Array; head: Head } {
  const bytes = new TextEncoder().encode([line, ...fields, "", ""].join("\r\n"));
  const head = new Head();
  expect(parseRequestHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS, head)).toBe(HeadStep.Ok);
  return { bytes, head };
}

function poolOf(target: Pick<Target, "pools">, host: string): HostPool | null {
  const { bytes, head } = request("GET / HTTP/1.1", `Host: ${host}`);
  return poolFor(target as Target, bytes, head.hostStart, head.hostEnd, null);
}

const noTarget = (): Pick<Target, "pools"> => ({ pools: new Map() });

describe("poolFor", () => {
  test("gives one pool per Host, found by the last one too", () => {
    const target = noTarget();
    const a = poolOf(target, "a.example");
    expect(poolOf(target, "a.example")).toBe(a);
    expect(poolOf(target, "b.example")).not.toBe(a);
    const { bytes, head } = request("GET / HTTP/1.1", "Host: a.example");
    expect(poolFor(noTarget() as Target, bytes, head.hostStart, head.hostEnd, a)).toBe(a);
  });

  test.each([
    ["no Host", ["GET / HTTP/1.1"]],
    ["an empty Host", ["GET / HTTP/1.1", "Host:"]],
    ["a Host longer than a name can be", ["GET / HTTP/1.1", `Host: ${"a".repeat(301)}`]],
  ])("shares nothing for %s", (_, [line, ...fields]) => {
    const { bytes, head } = request(line ?? "", ...fields);
    expect(poolFor(noTarget() as Target, bytes, head.hostStart, head.hostEnd, null)).toBeNull();
  });

  test("keeps at most 1,024 pools, and makes room by dropping empty ones", () => {
    const target = noTarget();
    for (let i = 0; i < 1024; i++) poolOf(target, `host-${i}`)!.idle.push(null as never);
    expect(poolOf(target, "one-more")).toBeNull();
    poolOf(target, "host-7")!.idle.length = 0;
    expect(poolOf(target, "one-more")).not.toBeNull();
    expect(target.pools.has("host-7")).toBe(false);
    expect(target.pools.size).toBe(1024);
  });
});
