import { cpu, medianOf, p50, p99, rangeOf, rate, ratioTo } from "./figures.ts";
import { markdownTable } from "./markdown-table.ts";
import type { CaseResult, Entry } from "./run-case.ts";
import { TARGETS } from "./targets.ts";

/** What the head of RESULTS.md says about a run. */
export interface RunDescription {
  readonly date: string;
  readonly command: string;
  readonly machine: string;
  readonly versions: string;
  readonly rounds: number;
  readonly secondsEach: number;
  /** Processes that wanted a core in the minute before the run; an idle machine is near 0. */
  readonly loadBefore: number;
}

/** From here on neighbours take a noticeable part of two cores. */
export const BUSY_LOAD = 0.5;

const REFERENCE = "haproxy";
const NOTHING = "–";

/** The table of one case, with what was left out and what failed below it. */
export function formatCase(result: CaseResult): string {
  const { benchCase, entries } = result;
  const measured = entries.filter((entry) => entry.failure === null && entry.absence === null);
  const table = tableOf(result, measured);
  const remarks = entries.flatMap(({ competitor, absence, failure }) => {
    if (absence !== null) return [`- ${competitor.name}: left out: ${absence}.`];
    return failure === null ? [] : [`- ${competitor.name}: could not be measured: ${failure.split("\n")[0]}`];
  });
  if (benchCase.note !== undefined) remarks.push(`- ${benchCase.note}`);
  return [`## ${benchCase.name}: ${benchCase.title}`, table, remarks.join("\n")].filter(Boolean).join("\n\n");
}

/** The targets of the cases that were run beside what was reached, losses included. */
export function formatTargets(results: readonly CaseResult[]): string {
  const run = new Set(results.map(({ benchCase }) => benchCase.name));
  const rows = TARGETS.filter(({ caseName }) => run.has(caseName)).map(
    ({ caseName, what, limit, measured, met, unit }) => {
      const value = measured(results);
      const verdict = Number.isNaN(value) ? "not measured" : met(value) ? "met" : "NOT MET";
      return [caseName, what, limit, unit === "ratio" ? fixed(value, 3) : fixed(value, 1), verdict];
    },
  );
  return `## Targets\n\n${markdownTable(["case", "Bowline's figure", "target", "reached", "verdict"], rows)}`;
}

/** The whole of RESULTS.md; `more` are sections about what is no proxy. */
export function formatResults(
  run: RunDescription,
  results: readonly CaseResult[],
  more: readonly string[] = [],
): string {
  const competitors = new Set(results.flatMap(({ entries }) => entries.map(({ competitor }) => competitor)));
  const head = `# Results

Written by \`${run.command}\` on ${run.date}; [README.md](README.md) says what is measured and how to read it.

- Machine: ${run.machine}. Proxy on one core, backend and load generator on another.
- Load average before the run: ${run.loadBefore.toFixed(2)}${run.loadBefore > BUSY_LOAD ? ": others were at work, rates and latencies say little" : ""}.
- Versions: ${run.versions}.
- ${run.rounds} rounds of ${run.secondsEach} s per proxy and case, in rotating order. Figures are medians over the rounds, CPU with its
  range; ratios (×) are taken within each round, then their median.
${[...competitors].map(({ name, configuration }) => `- ${name}: ${configuration}.`).join("\n")}`;
  return `${[head, formatTargets(results), ...results.map(formatCase), ...more].join("\n\n")}\n`;
}

interface Column {
  readonly title: string;
  readonly cell: (entry: Entry) => string;
}

function tableOf(result: CaseResult, entries: readonly Entry[]): string {
  const columns = columnsOf(result);
  const rows = entries.map((entry) => [entry.competitor.name, ...columns.map(({ cell }) => cell(entry))]);
  return markdownTable(["proxy", ...columns.map(({ title }) => title)], rows);
}

function columnsOf(result: CaseResult): Column[] {
  switch (result.benchCase.load.kind) {
    case "requests":
    case "streams":
      return [...cpuColumns(result, "µs/request", 1), ...requestColumns(result), ...peakColumns];
    case "bulk":
      return [...cpuColumns(result, "ms/GiB", 1e3), ...bulkColumns(result), ...peakColumns];
    case "held":
      return memoryColumns;
    case "idle-streams":
      return [...memoryColumns, streamColumn];
  }
}

function cpuColumns(result: CaseResult, unit: string, divisor: number): Column[] {
  return [
    {
      title: `CPU ${unit}`,
      cell: (entry) => {
        const range = rangeOf(entry, cpu);
        const span =
          range === null ? "" : ` (${fixed(range.lowest / divisor, 1)}–${fixed(range.highest / divisor, 1)})`;
        return fixed(medianOf(entry, cpu) / divisor, 1) + span;
      },
    },
    { title: "user", cell: (entry) => fixed(medianOf(entry, (sample) => sample.userUsPerUnit) / divisor, 1) },
    { title: "system", cell: (entry) => fixed(medianOf(entry, (sample) => sample.systemUsPerUnit) / divisor, 1) },
    ...[...referencesOf(result), "floor"].map((reference) => ({
      title: `× ${reference}`,
      cell: (entry: Entry) => fixed(ratioTo(result, entry, reference, cpu), 2),
    })),
  ];
}

function requestColumns(result: CaseResult): Column[] {
  return [
    { title: "requests/s", cell: (entry) => fixed(medianOf(entry, rate), 0) },
    { title: `× ${REFERENCE}`, cell: (entry) => fixed(ratioTo(result, entry, REFERENCE, rate), 2) },
    { title: "P50 ms", cell: (entry) => fixed(medianOf(entry, p50) / 1e3, 2) },
    { title: "P99 ms", cell: (entry) => fixed(medianOf(entry, p99) / 1e3, 2) },
    ...referencesOf(result).map((reference) => ({
      title: `P99 × ${reference}`,
      cell: (entry: Entry) => fixed(ratioTo(result, entry, reference, p99), 2),
    })),
    { title: "errors", cell: ({ samples }) => String(samples.reduce((sum, sample) => sum + (sample?.errors ?? 0), 0)) },
  ];
}

function bulkColumns(result: CaseResult): Column[] {
  return [
    { title: "MB/s", cell: (entry) => fixed((medianOf(entry, rate) * 2 ** 30) / 1e6, 0) },
    { title: `× ${REFERENCE}`, cell: (entry) => fixed(ratioTo(result, entry, REFERENCE, rate), 2) },
  ];
}

const peakColumns: readonly Column[] = [{ title: "peak MB", cell: ({ memory }) => megabytes(memory?.peakRssBytes) }];

const memoryColumns: Column[] = [
  { title: "RSS MB", cell: ({ memory }) => megabytes(memory?.rssBytes) },
  { title: "PSS MB", cell: ({ memory }) => megabytes(memory?.pssBytes) },
  { title: "peak RSS MB", cell: ({ memory }) => megabytes(memory?.peakRssBytes) },
];

const streamColumn: Column = {
  title: "KB per stream",
  cell: ({ bytesPerStream }) => fixed((bytesPerStream ?? Number.NaN) / 1e3, 1),
};

/** Who a proxy is compared with. */
function referencesOf({ benchCase }: CaseResult): string[] {
  return benchCase.mode === "http2" || benchCase.mode === "chain" ? [REFERENCE, "nghttpx"] : [REFERENCE];
}

function megabytes(bytes: number | undefined): string {
  return fixed((bytes ?? Number.NaN) / 1e6, 1);
}

function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : NOTHING;
}
