import { CLUSTER } from "./destination/cluster.ts";
import { CONNECTIONS, type DestinationFigures, measureDestination, WATCHES } from "./destination/measure.ts";
import { markdownTable } from "./markdown-table.ts";

/** The name by which it is asked for, among the cases. */
export const DESTINATION_CASE = "destination";

const DELAY_P99_MS_MAX = 100;
const SECONDS_MIN = 10;

/** Measures the destination service; its section of RESULTS.md. */
export async function runDestinationCase(secondsEach: number): Promise<string> {
  return formatDestination(await measureDestination(Math.max(SECONDS_MIN, secondsEach)));
}

export function formatDestination(figures: DestinationFigures): string {
  const { cpuPercent, rssBytes, peakRssBytes, subscribeMs, deliveries, p50Ms, p99Ms, maxMs } = figures;
  const count = (number: number): string => number.toLocaleString("en");
  const title =
    `## ${DESTINATION_CASE}: ${count(WATCHES)} watches of ${count(CLUSTER.services)} services, ` +
    `${CLUSTER.changesPerSecond} endpoint changes per second`;
  const header = ["program", "CPU %", "RSS MB", "peak MB", "subscribed s", "updates/s", "P50 ms", "P99 ms", "max ms"];
  const row = [
    "bowline destination",
    cpuPercent.toFixed(1),
    (rssBytes / 1e6).toFixed(1),
    (peakRssBytes / 1e6).toFixed(1),
    (subscribeMs / 1_000).toFixed(1),
    deliveries.toFixed(0),
    p50Ms.toFixed(2),
    p99Ms.toFixed(2),
    maxMs.toFixed(1),
  ];
  const verdict = p99Ms < DELAY_P99_MS_MAX ? "met" : "NOT MET";
  return [
    title,
    markdownTable(header, [row]),
    [
      `- Delay from a change in the index to a client having decoded it, clients included: the target, a P99 below ${DELAY_P99_MS_MAX} ms, is ${verdict}.`,
      `- ${CLUSTER.endpointsEach} meshed pods per service, clients on ${count(CONNECTIONS)} connections, on ${CLUSTER.nodes} nodes in ${CLUSTER.zones} zones; the service's process on one core, the clients on what is left.`,
      "- CPU is of one core. The Kubernetes API is not part of it: changes are made in the index.",
    ].join("\n"),
  ].join("\n\n");
}

if (import.meta.main) console.log(await runDestinationCase(SECONDS_MIN));
