import { expect, test } from "bun:test";
import type { HostMatch, TlsRoute } from "../types/policy.ts";
import { meta } from "./request.case.test.ts";
import { TlsRouteTable } from "./tls-routes.ts";

test("the most specific server name wins, the first among equals", () => {
  const table = new TlsRouteTable([
    route("any", []),
    route("suffix", [{ kind: "suffix", reverseLabels: ["example"] }]),
    route("exact", [{ kind: "exact", host: "web.example" }]),
    route("any too", []),
  ]);
  expect(table.find("web.example")?.meta.name).toBe("exact");
  expect(table.find("db.example")?.meta.name).toBe("suffix");
  expect(table.find("elsewhere")?.meta.name).toBe("any");
});

test("nothing is found where no name matches", () => {
  const table = new TlsRouteTable([route("exact", [{ kind: "exact", host: "web.example" }])]);
  expect(table.find("db.example")).toBeNull();
});

function route(name: string, snis: HostMatch[]): TlsRoute {
  return { meta: meta(name), snis, filters: [], backends: { kind: "empty" } };
}
