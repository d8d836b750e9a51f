import { expect, test } from "bun:test";
import type { ProfileRoute, RequestMatch } from "../types/profile.ts";
import { ProfileRouteTable } from "./profile-routes.ts";

const GET: RequestMatch = { kind: "method", method: "GET" };
const POST: RequestMatch = { kind: "method", method: "POST" };
const USERS: RequestMatch = { kind: "path", regex: "/users/[^/]*" };

test("conditions", () => {
  const rows: { condition: RequestMatch; yes: string[]; no: string[] }[] = [
    { condition: GET, yes: ["GET /"], no: ["POST /"] },
    { condition: USERS, yes: ["GET /users/1"], no: ["GET /users/1/posts", "GET /x/users/1"] },
    { condition: { kind: "path", regex: " ^/a$ " }, yes: ["GET /a"], no: ["GET /ab"] },
    { condition: { kind: "path", regex: "/a|/b" }, yes: ["GET /a", "GET /b"], no: ["GET /a/b", "GET /ax"] },
    { condition: { kind: "not", match: USERS }, yes: ["GET /"], no: ["GET /users/1"] },
    { condition: { kind: "all", matches: [GET, USERS] }, yes: ["GET /users/1"], no: ["POST /users/1", "GET /"] },
    { condition: { kind: "any", matches: [GET, USERS] }, yes: ["POST /users/1", "GET /"], no: ["POST /"] },
    { condition: { kind: "all", matches: [] }, yes: ["GET /"], no: [] },
    { condition: { kind: "any", matches: [] }, yes: [], no: ["GET /"] },
  ];
  for (const { condition, yes, no } of rows) {
    const table = new ProfileRouteTable([route("it", condition)]);
    for (const each of yes) expect([each, find(table, each)]).toEqual([each, "it"]);
    for (const each of no) expect([each, find(table, each)]).toEqual([each, null]);
  }
});

test("the first route that matches wins", () => {
  const table = new ProfileRouteTable([route("users", USERS), route("gets", GET), route("users too", USERS)]);
  expect(find(table, "GET /users/1")).toBe("users");
  expect(find(table, "GET /")).toBe("gets");
});

test("a route with an expression that does not compile is left out, and named", () => {
  const table = new ProfileRouteTable([
    route("bad", { kind: "any", matches: [GET, { kind: "not", match: { kind: "path", regex: "/(" } }] }),
    route("posts", POST),
  ]);
  expect(table.faults).toHaveLength(1);
  expect(table.faults[0]).toContain('"/("');
  expect(find(table, "GET /")).toBeNull();
  expect(find(table, "POST /")).toBe("posts");
});

function find(table: ProfileRouteTable, target: string): string | null {
  const [method = "", path = ""] = target.split(" ");
  return Object.values(table.find({ method, path })?.labels ?? {})[0] ?? null;
}

function route(name: string, condition: RequestMatch): ProfileRoute {
  return { condition, responseClasses: [], labels: { route: name }, retryable: false, timeoutMs: null };
}
