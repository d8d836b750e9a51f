import type { Family } from "./family.ts";
import { joinLabels } from "./labels.ts";
import type { FamilySnapshot, SeriesSnapshot, Snapshot } from "./snapshot.ts";

// Linkerd's page is its classic families in Prometheus' text format followed by newer ones as its OpenMetrics encoder
// writes them: HELP ending in a full stop, a UNIT line, sum and count before the buckets, `le` as the first label, and
// HELP and TYPE naming the family without `_total`. The page is served as text/plain, though, so Prometheus and
// promtool read all of it by the older rules, under which `# TYPE x counter` does not describe `x_total`: the counter
// loses its type and its help, and `promtool check metrics` says "no help text". Therefore HELP, TYPE and UNIT carry
// the full name here. `# UNIT` and `# EOF` are comments to the older rules and harmless.

/**
 * The page for /metrics: classic families first, each style in the snapshot's order, then `# EOF`. Families without
 * series are left out. The one thing promtool still remarks on (exit status 3) is the `_ms` in Linkerd's own names.
 */
export function renderText(snapshot: Snapshot): string {
  const lines: string[] = [];
  const used = snapshot.families.filter(({ series }) => series.length > 0);
  for (const one of used) if (one.family.style === "classic") renderFamily(lines, one);
  for (const one of used) if (one.family.style === "openmetrics") renderFamily(lines, one);
  lines.push("# EOF\n");
  return lines.join("\n");
}

function renderFamily(lines: string[], { family, series }: FamilySnapshot): void {
  const { name, kind, unit, style } = family;
  lines.push(`# HELP ${name} ${escapeHelp(helpText(family))}`, `# TYPE ${name} ${kind}`);
  if (style === "openmetrics" && unit !== undefined) lines.push(`# UNIT ${name} ${unit}`);
  for (const one of series) {
    if (kind === "histogram") renderHistogram(lines, family, one);
    else lines.push(sample(name, one.labels, formatNumber(one.value)));
  }
}

function renderHistogram(lines: string[], { name, bounds = [], style }: Family, series: SeriesSnapshot): void {
  const buckets = series.buckets ?? [];
  const rows: string[] = [];
  let cumulative = 0;
  for (let i = 0; i <= bounds.length; i++) {
    cumulative += buckets[i] ?? 0;
    const le = `le="${formatBound(bounds[i], style)}"`;
    const labels = style === "classic" ? joinLabels(series.labels, le) : joinLabels(le, series.labels);
    rows.push(sample(`${name}_bucket`, labels, formatNumber(cumulative)));
  }
  const count = sample(`${name}_count`, series.labels, formatNumber(cumulative));
  const sum = sample(`${name}_sum`, series.labels, formatNumber(series.value));
  if (style === "classic") lines.push(...rows, count, sum);
  else lines.push(sum, count, ...rows);
}

function sample(name: string, labels: string, value: string): string {
  return labels === "" ? `${name} ${value}` : `${name}{${labels}} ${value}`;
}

function helpText({ help, style }: Family): string {
  return style === "openmetrics" && !help.endsWith(".") ? `${help}.` : help;
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

/** OpenMetrics wants a whole bound written as a float ("1.0"); the classic families always had "1". */
function formatBound(bound: number | undefined, style: Family["style"]): string {
  if (bound === undefined) return "+Inf";
  return style === "openmetrics" && Number.isInteger(bound) ? bound.toFixed(1) : formatNumber(bound);
}

function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}
