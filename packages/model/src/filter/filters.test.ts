import { describe, expect, test } from "bun:test";
import type { HeaderEdits, HttpFilter, Redirect } from "../types/route.ts";
import { FilterChain, ratioFault } from "./filters.ts";
import type { RedirectTarget } from "./redirect.ts";

const TARGET: RedirectTarget = { scheme: "http", host: "web.example", port: 0, path: "/a/b", query: "" };

describe("failure injection", () => {
  test("strikes at the given ratio", () => {
    const chain = new FilterChain([
      { kind: "fail", status: 503, message: "no", ratio: { numerator: 1, denominator: 4 } },
    ]);
    const answers = [0, 0.2, 0.24, 0.25, 0.5, 0.99].map((value) => chain.answer(TARGET, 1, () => value));
    expect(answers).toEqual([FAIL, FAIL, FAIL, null, null, null]);
  });

  test("of a whole strikes always, of none never", () => {
    const always = new FilterChain([
      { kind: "grpc-fail", code: 14, message: "no", ratio: { numerator: 1, denominator: 1 } },
    ]);
    const never = new FilterChain([
      { kind: "grpc-fail", code: 14, message: "no", ratio: { numerator: 0, denominator: 1 } },
    ]);
    expect(always.answer(TARGET, null, () => 0.999)).toEqual({ kind: "grpc-fail", code: 14, message: "no" });
    expect(never.answer(TARGET, null, () => 0)).toBeNull();
  });

  const FAIL = { kind: "fail" as const, status: 503, message: "no" };
});

test("the first filter that answers does; edits are listed in order", () => {
  const edits = (name: string): HeaderEdits => ({ add: [[name, "1"]], set: [], remove: [] });
  const filters: HttpFilter[] = [
    { kind: "request-headers", ...edits("a") },
    { kind: "error", message: "first" },
    { kind: "response-headers", ...edits("b") },
    { kind: "request-headers", ...edits("c") },
    { kind: "error", message: "second" },
  ];
  const chain = new FilterChain(filters);
  expect(chain.decides).toBe(true);
  expect(chain.answer(TARGET, 1, Math.random)).toEqual({ kind: "error", message: "first" });
  expect(chain.requestEdits.map((each) => each.add[0]?.[0])).toEqual(["a", "c"]);
  expect(chain.responseEdits.map((each) => each.add[0]?.[0])).toEqual(["b"]);
  expect(new FilterChain(filters.slice(2, 4)).decides).toBe(false);
});

describe("redirect", () => {
  const rows: {
    name: string;
    redirect: Partial<Redirect>;
    target?: Partial<RedirectTarget>;
    prefix?: number | null;
    want: string | null;
  }[] = [
    { name: "scheme", redirect: { scheme: "https" }, want: "https://web.example/a/b" },
    {
      name: "scheme, keeping query",
      redirect: { scheme: "https" },
      target: { query: "x=1" },
      want: "https://web.example/a/b?x=1",
    },
    {
      name: "scheme, keeping the port",
      redirect: { scheme: "https" },
      target: { port: 8080 },
      want: "https://web.example:8080/a/b",
    },
    { name: "host", redirect: { host: "new.example" }, want: "http://new.example/a/b" },
    {
      name: "host, keeping the port",
      redirect: { host: "new.example" },
      target: { port: 8080 },
      want: "http://new.example:8080/a/b",
    },
    {
      name: "host, without the scheme's port",
      redirect: { host: "new.example" },
      target: { port: 80 },
      want: "http://new.example/a/b",
    },
    {
      name: "host and scheme",
      redirect: { host: "new", scheme: "https" },
      target: { port: 443 },
      want: "https://new/a/b",
    },
    { name: "host and port", redirect: { host: "new.example", port: 80 }, want: "http://new.example:80/a/b" },
    { name: "port", redirect: { port: 8443 }, want: "http://web.example:8443/a/b" },
    {
      name: "port of the scheme",
      redirect: { port: 443, scheme: "https" },
      target: { port: 80 },
      want: "https://web.example/a/b",
    },
    {
      name: "full path",
      redirect: { path: { kind: "full", path: "/new?y" } },
      target: { query: "x" },
      want: "http://web.example/new?y",
    },
    {
      name: "prefix",
      redirect: { path: { kind: "prefix", path: "/new" } },
      prefix: 2,
      target: { query: "x" },
      want: "http://web.example/new/b?x",
    },
    {
      name: "prefix /",
      redirect: { path: { kind: "prefix", path: "/new" } },
      prefix: 1,
      want: "http://web.example/new/a/b",
    },
    {
      name: "whole prefix",
      redirect: { path: { kind: "prefix", path: "/new" } },
      prefix: 4,
      want: "http://web.example/new",
    },
    { name: "no scheme", redirect: { host: "new" }, target: { scheme: "" }, want: "http://new/a/b" },
    { name: "nothing", redirect: {}, want: null },
    { name: "to where it was for", redirect: { host: "WEB.example", scheme: "http" }, want: null },
  ];
  for (const { name, redirect, target, prefix = null, want } of rows) {
    test(name, () => {
      const answer = decide(redirect, { ...TARGET, ...target }, prefix);
      expect(answer).toEqual(want === null ? null : { kind: "redirect", status: 301, location: want });
    });
  }

  test("with the given status", () => {
    expect(decide({ scheme: "https", status: 308 }, TARGET, null)).toMatchObject({ status: 308 });
  });

  test("that can't be is the policy's fault", () => {
    const prefix = decide({ path: { kind: "prefix", path: "/new" } }, TARGET, null);
    expect(prefix).toMatchObject({ kind: "error", message: expect.stringContaining("prefix") });
    const host = decide({ scheme: "https" }, { ...TARGET, host: "" }, null);
    expect(host).toMatchObject({ kind: "error", message: expect.stringContaining("host") });
  });

  function decide(redirect: Partial<Redirect>, target: RedirectTarget, prefix: number | null): unknown {
    const filter: Redirect = {
      kind: "redirect",
      scheme: null,
      host: null,
      port: null,
      path: null,
      status: null,
      ...redirect,
    };
    return new FilterChain([filter]).answer(target, prefix, Math.random);
  }
});

test("ratioFault", () => {
  expect(ratioFault({ numerator: 0, denominator: 1 })).toBeNull();
  expect(ratioFault({ numerator: 1, denominator: 1 })).toBeNull();
  expect(ratioFault({ numerator: 2, denominator: 1 })).toContain("2 in 1");
  expect(ratioFault({ numerator: 0, denominator: 0 })).toContain("0 in 0");
});
