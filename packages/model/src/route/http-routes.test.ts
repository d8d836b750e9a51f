import { describe, expect, test } from "bun:test";
import type { HostMatch } from "../types/policy.ts";
import type { HttpMatch, HttpRoute } from "../types/route.ts";
import { compileHttpRoutes, type HttpRouteTable } from "./http-routes.ts";
import { httpRoute, request } from "./request.case.test.ts";

describe("a match", () => {
  const rows: { name: string; match: Partial<HttpMatch>; yes: string[]; no: string[]; headers?: [string, string][] }[] =
    [
      { name: "of nothing", match: {}, yes: ["GET /", "POST http://x/y?z", "OPTIONS *"], no: [] },
      {
        name: "of a method",
        match: { method: "GET" },
        yes: ["GET /"],
        no: ["POST /"],
      },
      {
        name: "of an exact path",
        match: { path: { kind: "exact", path: "/a" } },
        yes: ["GET /a", "GET /a?b"],
        no: ["GET /a/", "GET /"],
      },
      {
        name: "of a prefix",
        match: { path: { kind: "prefix", path: "/a/b" } },
        yes: ["GET /a/b", "GET /a/b/", "GET /a/b/c"],
        no: ["GET /a", "GET /a/bc", "GET /x/a/b"],
      },
      {
        name: "of a prefix with a slash",
        match: { path: { kind: "prefix", path: "/a/" } },
        yes: ["GET /a", "GET /a/b"],
        no: ["GET /ab"],
      },
      { name: "of the prefix /", match: { path: { kind: "prefix", path: "/" } }, yes: ["GET /", "GET /a"], no: [] },
      {
        name: "of an expression",
        match: { path: { kind: "regex", regex: "/[a-z]+" } },
        yes: ["GET /ab"],
        no: ["GET /a1", "GET /ab/", "GET /"],
      },
      {
        name: "of parameters",
        match: {
          query: [
            { kind: "exact", name: "a", value: "1 2" },
            { kind: "regex", name: "b", regex: "x+" },
          ],
        },
        yes: ["GET /?a=1+2&b=x", "GET /?b=y&b=xx&a=1%202", "GET /?a=1%202&&c&b=%78"],
        no: ["GET /", "GET /?a=1+2", "GET /?a=1+2&b=xy", "GET /?a=12&b=x", "GET /?A=1+2&b=x"],
      },
      {
        name: "of a parameter that is no valid escape",
        match: { query: [{ kind: "exact", name: "a", value: "100%" }] },
        yes: ["GET /?a=100%", "GET /?a=100%25"],
        no: ["GET /?a=100"],
      },
      {
        name: "of a parameter without a value",
        match: { query: [{ kind: "exact", name: "é", value: "" }] },
        yes: ["GET /?%C3%A9", "GET /?é="],
        no: ["GET /?%E9", "GET /?é=1"],
      },
    ];
  for (const { name, match, yes, no } of rows) {
    test(name, () => {
      // A second route, or the table might not have to look.
      const found = table(httpRoute("it", [], [match]), httpRoute("other", [exact("elsewhere")], []));
      for (const target of yes) expect([target, find(found, target)]).toEqual([target, "it"]);
      for (const target of no) expect([target, find(found, target)]).toEqual([target, null]);
    });
  }

  test("of headers asks for any field of a name", () => {
    const found = table(
      httpRoute(
        "it",
        [],
        [
          {
            headers: [
              { kind: "exact", name: "x-a", value: "1" },
              { kind: "regex", name: "x-b", regex: "\\w+" },
            ],
          },
        ],
      ),
    );
    const cases: [[string, string][], string | null][] = [
      [
        [
          ["x-a", "1"],
          ["x-b", "two"],
        ],
        "it",
      ],
      [
        [
          ["x-a", "0"],
          ["x-b", "-"],
          ["x-a", "1"],
          ["x-b", "two"],
        ],
        "it",
      ],
      [[["x-a", "1"]], null],
      [
        [
          ["x-a", "1"],
          ["x-b", "two three"],
        ],
        null,
      ],
      [
        [
          ["x-a", "1,1"],
          ["x-b", "two"],
        ],
        null,
      ],
      [
        [
          ["x-a", "1"],
          ["x-b", "z\u00fcrich"],
        ],
        null,
      ],
    ];
    for (const [headers, want] of cases) {
      expect(found.find(request("GET /", headers))?.route.meta.name ?? null).toBe(want);
    }
  });
});

describe("hosts", () => {
  const rows: { hosts: HostMatch[]; yes: string[]; no: string[] }[] = [
    { hosts: [exact("web.example")], yes: ["web.example", "web.example."], no: ["a.web.example", "web", ""] },
    { hosts: [exact("Web.Example")], yes: ["web.example"], no: ["example"] },
    { hosts: [exact("web.example.")], yes: ["web.example."], no: ["web.example"] },
    {
      hosts: [suffix("example")],
      yes: ["web.example", "a.web.example", "web.example."],
      no: ["example", ".xample", "webexample"],
    },
    { hosts: [suffix("a.example"), exact("b")], yes: ["x.a.example", "b"], no: ["a.example", "x.b"] },
  ];
  for (const { hosts, yes, no } of rows) {
    test(JSON.stringify(hosts), () => {
      const found = table(httpRoute("it", hosts, []));
      for (const host of yes) expect([host, find(found, `GET http://${host}/`)]).toEqual([host, "it"]);
      for (const host of no) expect([host, find(found, `GET http://${host}/`)]).toEqual([host, null]);
    });
  }
});

describe("precedence", () => {
  const headers: HttpMatch["headers"] = [{ kind: "exact", name: "x", value: "1" }];
  const query: HttpMatch["query"] = [{ kind: "exact", name: "q", value: "1" }];
  /** From the best to the worst: each is preferred to all below. */
  const ranking: HttpRoute[] = [
    httpRoute("exact host", [exact("web.example")], []),
    httpRoute(
      "longer suffix",
      [suffix("b.example"), suffix("web.example"), suffix("example")],
      [{ path: { kind: "prefix", path: "/a/b" } }],
    ),
    httpRoute("shorter suffix", [suffix("example")], [{ path: { kind: "prefix", path: "/a/b" } }]),
    httpRoute("longer path", [], [{ path: { kind: "regex", regex: "/a/b/c" } }]),
    httpRoute(
      "shorter path, all else",
      [],
      [{ path: { kind: "prefix", path: "/a/b" }, headers, query, method: "GET" }],
    ),
    httpRoute("shorter path, headers", [], [{ path: { kind: "prefix", path: "/a/b" }, headers, method: "GET" }]),
    httpRoute("shorter path, query", [], [{ path: { kind: "prefix", path: "/a/b" }, query, method: "GET" }]),
    httpRoute("shorter path, method", [], [{ path: { kind: "prefix", path: "/a/b" }, method: "GET" }]),
    httpRoute("shorter path", [], [{ path: { kind: "prefix", path: "/a/b" } }]),
    httpRoute("prefix /", [], [{ path: { kind: "prefix", path: "/" }, method: "GET" }]),
    httpRoute("default", [], []),
  ];
  const asked = request("GET http://web.example/a/b/c?q=1", [["x", "1"]]);
  const askedBelow = request("GET http://x.web.example/a/b/c?q=1", [["x", "1"]]);

  test("is by host, path, headers, parameters, method", () => {
    for (let at = 0; at < ranking.length; at += 1) {
      const rest = ranking.slice(at);
      const facts = at === 1 ? askedBelow : asked;
      const want = ranking[at]?.meta.name;
      expect(table(...rest).find(facts)?.route.meta.name).toBe(want!);
      expect(table(...rest.toReversed()).find(facts)?.route.meta.name).toBe(want!);
    }
  });

  test("is the order of the list among equals", () => {
    expect(table(httpRoute("1", [], []), httpRoute("2", [], [])).find(asked)?.route.meta.name).toBe("1");
    const rules = httpRoute("r", [], [{ method: "GET" }], [{ method: "GET" }], [{ method: "GET", headers }]);
    expect(table(rules).find(asked)?.rule).toBe(rules.rules[2]!);
    expect(table(rules).find(request("GET /"))?.rule).toBe(rules.rules[0]!);
  });

  test("takes the best of a rule's matches", () => {
    const both = httpRoute("both", [], [{ method: "GET" }, { path: { kind: "exact", path: "/a/b/c" } }]);
    const one = httpRoute("one", [], [{ path: { kind: "prefix", path: "/a/b" } }]);
    expect(table(one, both).find(asked)?.route.meta.name).toBe("both");
  });
});

test("a match by prefix says how long it was", () => {
  const lengths = (match: Partial<HttpMatch>): number | null | undefined =>
    table(httpRoute("it", [], [match])).find(request("GET /a/b/c"))?.prefixLength;
  expect(lengths({})).toBe(1);
  expect(lengths({ path: { kind: "prefix", path: "/" } })).toBe(1);
  expect(lengths({ path: { kind: "prefix", path: "/a/b/" } })).toBe(4);
  expect(lengths({ path: { kind: "exact", path: "/a/b/c" } })).toBeNull();
  expect(lengths({ path: { kind: "regex", regex: ".*" } })).toBeNull();
});

test("a default route is found without asking about the request", () => {
  const only = table(httpRoute("it", [], []));
  const facts = { ...request("GET /"), header: (): never => expect.unreachable() };
  expect(only.find(facts)?.route.meta.name).toBe("it");
  expect(only.find(facts)).toBe(only.find(facts));
});

test("no routes find nothing", () => {
  expect(table().find(request("GET /"))).toBeNull();
});

test("an expression that does not compile is named", () => {
  const bad = [
    { path: { kind: "regex", regex: "/(" } },
    { headers: [{ kind: "regex", name: "x", regex: "/(" }] },
    { query: [{ kind: "regex", name: "x", regex: "/(" }] },
  ] as const;
  for (const match of bad) {
    const result = compileHttpRoutes([httpRoute("it", [], [match as unknown as Partial<HttpMatch>])]);
    expect("fault" in result ? result.fault : "").toContain('"/("');
  }
});

function table(...routes: HttpRoute[]): HttpRouteTable {
  const result = compileHttpRoutes(routes);
  if ("fault" in result) throw new Error(result.fault);
  return result.table;
}

function find(found: HttpRouteTable, target: string): string | null {
  return found.find(request(target))?.route.meta.name ?? null;
}

function exact(host: string): HostMatch {
  return { kind: "exact", host };
}

function suffix(name: string): HostMatch {
  return { kind: "suffix", reverseLabels: name.split(".").toReversed() };
}
