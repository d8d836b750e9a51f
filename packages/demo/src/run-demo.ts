import { setTimeout as sleep } from "node:timers/promises";
import { type RunningProcess, waitFor } from "@bowline/testkit";
import {
  type DemoPod,
  type DemoPods,
  makeDemoPods,
  PROXY_ENVIRONMENT,
  PROXY_INIT_FLAGS,
  WEB_PORT,
} from "./demo-pods.ts";
import { differencesInRules } from "./nat-rules.ts";
import type { Screen } from "./screen.ts";
import { readTotals, type Totals, type TrafficSource, trafficBetween } from "./traffic.ts";
import { tableHead, tableRow } from "./traffic-table.ts";
import { type CallerReport, judge } from "./verdict.ts";

const REQUESTS_PER_SECOND = 100;
const REFRESH_MS = 1_000;
/** Requests through both proxies before the rules' counters are worth a look. */
const FIRST_RESPONSES = 20;
/** A scrape that fails is made again for this long, as a monitor does. */
const LOOK_LIMIT_MS = 10_000;
/** The caller waits for answers up to 5 s when it is told to stop. */
const CALLER_GRACE_MS = 8_000;

interface Watched {
  readonly pod: DemoPod;
  readonly source: TrafficSource;
}

/** What a proxy had counted at one moment. */
interface Look {
  readonly source: TrafficSource;
  readonly atMs: number;
  readonly totals: Totals;
}

/**
 * Runs the whole demo and removes everything it made.
 *
 * @param seconds how long the table is shown, unless `interrupted` comes first
 * @returns whether everything was as it should be
 * @throws Error when a step fails; the signal's reason when it comes before the table is shown
 */
export async function runDemo(screen: Screen, seconds: number, interrupted: AbortSignal): Promise<boolean> {
  let pods: DemoPods | null = null;
  try {
    pods = await screen.step("two network namespaces as pods, and a third to watch them from", makeDemoPods);
    return await tellStory(screen, pods, seconds, interrupted);
  } finally {
    const made = pods;
    if (made !== null) {
      await screen.step("stopping everything, removing the namespaces", async () => await made[Symbol.asyncDispose]());
    }
  }
}

async function tellStory(screen: Screen, pods: DemoPods, seconds: number, interrupted: AbortSignal): Promise<boolean> {
  const { caller, web } = pods;
  const target = `${web.address}:${WEB_PORT}`;
  const watched: readonly Watched[] = [
    { pod: caller, source: { label: `caller outbound → ${target}`, direction: "outbound", target } },
    { pod: web, source: { label: `web    inbound  :${WEB_PORT}`, direction: "inbound", target } },
  ];
  const callerApp = await start(screen, pods, target, interrupted);
  await screen.step(`the first ${FIRST_RESPONSES} requests`, async () => {
    await waitFor(async () => (await lookAt(watched)).every(({ totals }) => responses(totals) >= FIRST_RESPONSES), {
      what: `${FIRST_RESPONSES} requests to pass both proxies`,
      intervalMs: 100,
    });
  });
  screen.line(`\nThe nat table of the web pod, by iptables -t nat -L -v:\n\n${await web.natTable()}`);
  interrupted.throwIfAborted();

  const shown = await showTraffic(screen, watched, seconds, interrupted);
  const report = await stopCaller(callerApp);
  const counted = await lookAt(watched);
  screen.line("\nOver all:\n");
  for (const line of [tableHead(), ...tableRows(shown.first, shown.last), ""]) screen.line(line);
  const findings = judge({
    caller: report,
    counted,
    ruleDifferences: await ruleDifferences([caller, web]),
    proxyEnds: await Promise.all([caller.stopProxy(), web.stopProxy()]),
  });
  for (const { ok, text } of findings) screen.line(`${ok ? "    ok" : "FAILED"}  ${text}`);
  screen.line();
  return findings.every(({ ok }) => ok);
}

/** Init, proxy and app in each pod, in the order a cluster would start them. Returns the caller. */
async function start(
  screen: Screen,
  { caller, web }: DemoPods,
  target: string,
  interrupted: AbortSignal,
): Promise<RunningProcess> {
  for (const pod of [web, caller]) {
    const flags = pod === web ? `: ${PROXY_INIT_FLAGS.join(" ")}` : ", the same";
    await screen.step(`${pod.name} pod: proxy-init as root${flags}`, () => pod.runProxyInit());
    interrupted.throwIfAborted();
    const variables = pod === web ? ` with ${Object.keys(PROXY_ENVIRONMENT).length} variables, as in the article` : "";
    await screen.step(`${pod.name} pod: proxy as user 2102${variables}`, () => pod.startProxy());
    interrupted.throwIfAborted();
  }
  await screen.step(`web pod: the web app as user 1000, on port ${WEB_PORT}`, async () => {
    await web.startApp("web", String(WEB_PORT)).waitForOutput("serving", 20_000);
  });
  interrupted.throwIfAborted();
  const text = `caller pod: the caller as user 1000, ${REQUESTS_PER_SECOND} requests a second to http://${target}`;
  return await screen.step(text, async () =>
    caller.startApp("caller", `http://${target}`, String(REQUESTS_PER_SECOND)),
  );
}

/** The live table; ends after `seconds` or when interrupted. */
async function showTraffic(
  screen: Screen,
  watched: readonly Watched[],
  seconds: number,
  interrupted: AbortSignal,
): Promise<{ readonly first: readonly Look[]; readonly last: readonly Look[] }> {
  screen.line(
    `What both proxies say on /metrics, for ${seconds} seconds or until Ctrl-C; latency as of response heads:\n`,
  );
  const first = await lookAt(watched);
  const startedMs = performance.now();
  let last = first;
  for (let second = 1; second <= seconds && !interrupted.aborted; ) {
    const leftMs = startedMs + second * REFRESH_MS - performance.now();
    await sleep(leftMs, undefined, { signal: interrupted }).catch(() => undefined);
    const next = await lookAt(watched);
    screen.table(tableHead(), tableRows(last, next), second);
    last = next;
    // After a scrape that took long, the seconds that have passed meanwhile are left out.
    second = Math.max(second, Math.floor((performance.now() - startedMs) / REFRESH_MS)) + 1;
  }
  return { first, last };
}

function tableRows(earlier: readonly Look[], later: readonly Look[]): string[] {
  return later.map(({ source, atMs, totals }, i) => {
    const before = earlier[i] ?? { atMs, totals };
    return tableRow(source, trafficBetween(before.totals, totals, (atMs - before.atMs) / 1000));
  });
}

function lookAt(watched: readonly Watched[]): Promise<Look[]> {
  return Promise.all(
    watched.map(({ pod, source }) =>
      waitFor(
        async (): Promise<Look | null> => {
          const totals = readTotals(await pod.metricsPage(), source);
          return totals === null ? null : { source, atMs: performance.now(), totals };
        },
        { what: `requests of "${source.label}" on /metrics`, timeoutMs: LOOK_LIMIT_MS, intervalMs: 50 },
      ).catch((error: Error) => {
        const cause = error.cause instanceof Error ? `\n${error.cause.message}` : "";
        throw new Error(`${error.message}${cause}\nThe end of the ${pod.name} pod's proxy's log:\n${pod.proxyLog()}`);
      }),
    ),
  );
}

function responses({ succeeded, failed }: Totals): number {
  return succeeded + failed;
}

async function stopCaller(app: RunningProcess): Promise<CallerReport> {
  const { stdout, stderr } = await app.stop(CALLER_GRACE_MS);
  const report = stdout.trim().split("\n").at(-1) ?? "";
  if (!report.startsWith("{")) throw new Error(`the caller ended without a report\n${stdout}${stderr}`);
  return JSON.parse(report) as CallerReport;
}

async function ruleDifferences(pods: readonly DemoPod[]): Promise<string[]> {
  const perPod = await Promise.all(
    pods.map(async (pod) => {
      const differences = differencesInRules(await pod.natTable());
      return differences.map((difference) => `${pod.name} pod, ${difference}`);
    }),
  );
  return perPod.flat();
}
