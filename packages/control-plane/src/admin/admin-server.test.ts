import { afterEach, expect, test } from "bun:test";
import { rejectionOf } from "@bowline/testkit";
import { type AdminServer, type AdminServerOptions, jsonAnswer, startAdminServer } from "./admin-server.ts";
import { listenAny } from "./listen-any.ts";
import { Log } from "./log.ts";

const running: AdminServer[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});

async function start(
  options: Partial<AdminServerOptions> = {},
): Promise<(path: string, init?: RequestInit) => Promise<Response>> {
  const server = await startAdminServer({
    host: "127.0.0.1",
    port: 0,
    isReady: () => true,
    metricsText: () => "# EOF\n",
    onError: () => undefined,
    ...options,
  });
  running.push(server);
  return (path, init) => fetch(`http://127.0.0.1:${server.port}${path}`, init);
}

const ROWS: {
  name: string;
  path: string;
  method?: string;
  options?: Partial<AdminServerOptions>;
  status: number;
  body: string;
}[] = [
  { name: "is alive", path: "/ping", status: 200, body: "pong\n" },
  { name: "is ready", path: "/ready", status: 200, body: "ok\n" },
  { name: "is not ready", path: "/ready", options: { isReady: () => false }, status: 500, body: "not ready\n" },
  { name: "shows metrics", path: "/metrics?x", status: 200, body: "# EOF\n" },
  { name: "has no other paths", path: "/", status: 404, body: "404 page not found\n" },
  { name: "only shows", path: "/ping", method: "POST", status: 405, body: "only GET is served here\n" },
  { name: "answers to HEAD", path: "/ping", method: "HEAD", status: 200, body: "" },
  {
    name: "has the paths that a program gives it",
    path: "/debug?a=1",
    options: { routes: { "/debug": (query) => jsonAnswer(418, { a: query.get("a") }) } },
    status: 418,
    body: '{\n  "a": "1"\n}\n',
  },
];

test.each(ROWS)("$name", async ({ path, method = "GET", options = {}, status, body }) => {
  const ask = await start(options);
  const response = await ask(path, { method });
  expect([response.status, await response.text()]).toEqual([status, body]);
});

test("says what went wrong, and goes on", async () => {
  const errors: unknown[] = [];
  const broken = (): string => {
    throw new Error("broken");
  };
  const ask = await start({ metricsText: broken, onError: (error) => void errors.push(error) });
  const response = await ask("/metrics");
  expect([response.status, await response.text()]).toEqual([500, "broken\n"]);
  expect(errors).toHaveLength(1);
  expect((await ask("/ping")).status).toBe(200);
});

test("a port that is taken is an error", async () => {
  await start();
  const [taken] = running;
  expect((await rejectionOf(start({ port: taken?.port ?? 0 }))).message).toContain("in use");
});

test("without IPv6, every address is every IPv4 address", async () => {
  const tried: string[] = [];
  const listen = (code: string) => (host: string) => {
    tried.push(host);
    return host === "::" ? Promise.reject(Object.assign(new Error(code), { code })) : Promise.resolve(host);
  };
  expect(await listenAny("::", listen("EAFNOSUPPORT"))).toBe("0.0.0.0");
  expect((await rejectionOf(listenAny("::", listen("EADDRINUSE")))).message).toBe("EADDRINUSE");
  expect(tried).toEqual(["::", "0.0.0.0", "::"]);
});

test("log lines", () => {
  const lines: string[] = [];
  const now = (): Date => new Date("2026-01-02T03:04:05.678Z");
  const write = (line: string): void => void lines.push(line);
  const plain = new Log({ level: "info", format: "plain", write, now });
  plain.debug("nothing");
  plain.info("started", { addr: "0.0.0.0:8086", error: "no such thing", count: 3 });
  new Log({ level: "debug", format: "json", write, now }).warn("careful", { count: 3 });
  expect(lines).toEqual([
    'time="2026-01-02T03:04:05Z" level=info msg="started" addr=0.0.0.0:8086 error="no such thing" count=3\n',
    '{"time":"2026-01-02T03:04:05Z","level":"warning","msg":"careful","count":3}\n',
  ]);
});
