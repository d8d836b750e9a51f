import { expect, test } from "bun:test";
import type { GrpcRoute } from "../types/route.ts";
import { compileGrpcRoutes, type GrpcRouteTable } from "./grpc-routes.ts";
import { grpcRoute, request } from "./request.case.test.ts";

test("calls are matched by service and method", () => {
  const rows: { match: { service?: string; method?: string }; yes: string[]; no: string[] }[] = [
    { match: {}, yes: ["POST /pkg.Svc/Do", "POST /a/b/c"], no: ["GET /pkg.Svc/Do", "POST /pkg.Svc", "POST *"] },
    {
      match: { service: "pkg.Svc" },
      yes: ["POST /pkg.Svc/Do", "POST /pkg.Svc/"],
      no: ["POST /pkg.Other/Do", "POST /pkg.svc/Do"],
    },
    { match: { method: "Do" }, yes: ["POST /pkg.Svc/Do"], no: ["POST /pkg.Svc/Dont"] },
    {
      match: { service: "pkg.Svc", method: "Do" },
      yes: ["POST /pkg.Svc/Do"],
      no: ["POST /pkg.Svc/Dont", "POST /x/Do"],
    },
  ];
  for (const { match, yes, no } of rows) {
    const found = table(grpcRoute("it", [], [match]));
    for (const target of yes) expect([target, find(found, target)]).toEqual([target, "it"]);
    for (const target of no) expect([target, find(found, target)]).toEqual([target, null]);
  }
});

test("a rule without matches takes every request", () => {
  const found = table(grpcRoute("it", [], []));
  expect(find(found, "GET /")).toBe("it");
});

test("headers and hosts must match", () => {
  const found = table(
    grpcRoute("host", [{ kind: "exact", host: "web" }], [{}]),
    grpcRoute("header", [], [{ headers: [{ kind: "regex", name: "x", regex: "[0-9]+" }] }]),
  );
  expect(find(found, "POST http://web/s/m")).toBe("host");
  expect(find(found, "POST http://db/s/m")).toBeNull();
  expect(found.find(request("POST http://db/s/m", [["x", "12"]]))?.route.meta.name).toBe("header");
});

test("the more specific route wins: host, service, method, headers; else the first", () => {
  const headers = [{ kind: "exact" as const, name: "x", value: "1" }];
  const ranking = [
    grpcRoute("host", [{ kind: "suffix", reverseLabels: ["example"] }], [{}]),
    grpcRoute("service and method", [], [{ service: "s", method: "m" }]),
    grpcRoute("service and headers", [], [{ service: "s", headers }]),
    grpcRoute("service", [], [{ service: "s" }]),
    grpcRoute("method", [], [{ method: "m" }]),
    grpcRoute("headers", [], [{ headers }]),
    grpcRoute("all", [], []),
    grpcRoute("all again", [], [{}]),
  ];
  const asked = request("POST http://web.example/s/m", [["x", "1"]]);
  for (let at = 0; at < ranking.length - 1; at += 1) {
    const want = ranking[at]?.meta.name;
    expect(table(...ranking.slice(at)).find(asked)?.route.meta.name).toBe(want!);
    const last = at === ranking.length - 2 ? "all again" : want;
    expect(table(...ranking.slice(at).toReversed()).find(asked)?.route.meta.name).toBe(last!);
  }
});

test("an expression that does not compile is named", () => {
  const result = compileGrpcRoutes([grpcRoute("it", [], [{ headers: [{ kind: "regex", name: "x", regex: "+" }] }])]);
  expect("fault" in result ? result.fault : "").toContain('"+"');
});

function table(...routes: GrpcRoute[]): GrpcRouteTable {
  const result = compileGrpcRoutes(routes);
  if ("fault" in result) throw new Error(result.fault);
  return result.table;
}

function find(found: GrpcRouteTable, target: string): string | null {
  return found.find(request(target))?.route.meta.name ?? null;
}
