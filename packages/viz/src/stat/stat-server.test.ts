import { expect, test } from "bun:test";
import { MetricsStore } from "../scrape/metrics-store.ts";
import { answerStat, type StatService } from "./stat-server.ts";

const SERVICE: StatService = {
  cluster: { pods: () => [], services: () => [], ownerOf: () => undefined, controlPlaneNamespace: "linkerd" },
  queries: new MetricsStore({ now: () => 0, staleMs: 1 }),
  windowMaxMs: 600_000,
  isReady: () => true,
};
class Away extends MetricsStore {
  override responses(): ReturnType<MetricsStore["responses"]> {
    return Promise.reject(new Error("Prometheus is away"));
  }
}
const BROKEN: StatService = { ...SERVICE, queries: new Away({ now: () => 0, staleMs: 1 }) };

const ROWS: readonly [what: string, init: string, service: StatService, status: number, error: RegExp][] = [
  ["another path", "GET /", SERVICE, 404, /^nothing at \/; there is \/api\/stat$/],
  ["another method", "POST /api/stat?resource=deploy", SERVICE, 405, /^POST is not possible here: GET is$/],
  ["no resource", "GET /api/stat", SERVICE, 400, /^parameter "resource" is missing$/],
  ["an unknown parameter", "GET /api/stat?resource=po&x=1", SERVICE, 400, /^unknown parameter "x"$/],
  ["an unknown kind", "GET /api/stat?resource=nope", SERVICE, 400, /^cannot show stats of "nope"; known are all, /],
  ["a window that is none", "GET /api/stat?resource=po&window_ms=soon", SERVICE, 400, /^a time window is 15s to 10m/],
  ["a selector that is none", "GET /api/stat?resource=po&selector=%3D%3D%3D", SERVICE, 400, /./],
  ["to and from", "GET /api/stat?resource=po&to=po&from=po", SERVICE, 400, /exclude each other$/],
  ["a service that sends", "GET /api/stat?resource=svc&to=po", SERVICE, 400, /^a service sends nothing/],
  ["from a service", "GET /api/stat?resource=po&from=svc/x", SERVICE, 400, /^a service sends nothing/],
  ["metrics that can't be had", "GET /api/stat?resource=po", BROKEN, 502, /^Prometheus is away$/],
  ["a cluster not read yet", "GET /api/stat?resource=po", { ...SERVICE, isReady: () => false }, 503, /try again/],
];

test.each(ROWS)("%s is answered in words", async (_what, request, service, status, error) => {
  const [method = "", path = ""] = request.split(" ");
  const response = await answerStat(new Request(`http://metrics-api${path}`, { method }), service);
  expect(response.status).toBe(status);
  expect(await response.json()).toEqual({ error: expect.stringMatching(error) });
});

test("an empty cluster has no rows", async () => {
  const response = await answerStat(new Request("http://metrics-api/api/stat?resource=all&to=deploy/x"), SERVICE);
  expect([response.status, await response.json()]).toEqual([200, { rows: [] }]);
});
