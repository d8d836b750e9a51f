import type { ByteRates, GoldenQueries, Grouped, Latencies, Responses } from "../query/golden-queries.ts";
import { groupKey, groupOf, type Labels, type Selection } from "../query/selection.ts";

const QUERY_TIMEOUT_MS = 10_000;

interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** Golden metrics by PromQL, from a Prometheus that scrapes proxies with Linkerd's labels (control-plane-facts §8). */
export class PrometheusQueries implements GoldenQueries {
  readonly #url: string;

  /** @param url of the server, such as `http://prometheus.monitoring:9090` */
  constructor(url: string) {
    this.#url = url.replace(/\/+$/, "");
  }

  async responses(selection: Selection, windowMs: number): Promise<readonly Grouped<Responses>[]> {
    const by = [...selection.groupBy, "classification"];
    const samples = await this.#query(
      `sum(increase(response_total${selectorOf(selection)}[${windowOf(windowMs)}])) by (${by.join(", ")})`,
    );
    const groups = new Map<string, { group: Labels; success: number; failure: number }>();
    for (const { labels, value } of samples) {
      const key = groupKey(selection, labels);
      const entry = groups.get(key) ?? { group: groupOf(selection, labels), success: 0, failure: 0 };
      if (labels["classification"] === "failure") entry.failure += value;
      else entry.success += value;
      groups.set(key, entry);
    }
    const seconds = windowMs / 1000;
    return [...groups.values()].map(({ group, success, failure }) => ({ group, value: { success, failure, seconds } }));
  }

  async latencies(selection: Selection, windowMs: number): Promise<readonly Grouped<Latencies>[]> {
    const rate = `sum(irate(response_latency_ms_bucket${selectorOf(selection)}[${windowOf(windowMs)}])) by (${["le", ...selection.groupBy].join(", ")})`;
    const [p50, p95, p99] = await Promise.all(
      [0.5, 0.95, 0.99].map((q) => this.#query(`histogram_quantile(${q}, ${rate})`)),
    );
    const find = (samples: readonly Sample[] | undefined, key: string): number | null => {
      const value = samples?.find(({ labels }) => groupKey(selection, labels) === key)?.value ?? Number.NaN;
      return Number.isNaN(value) ? null : value;
    };
    return (p50 ?? []).map(({ labels }) => {
      const key = groupKey(selection, labels);
      return {
        group: groupOf(selection, labels),
        value: { p50: find(p50, key), p95: find(p95, key), p99: find(p99, key) },
      };
    });
  }

  async connections(selection: Selection): Promise<readonly Grouped<number>[]> {
    const samples = await this.#query(`sum(tcp_open_connections${selectorOf(selection)})${groupingOf(selection)}`);
    return samples.map(({ labels, value }) => ({ group: groupOf(selection, labels), value }));
  }

  async bytes(selection: Selection, windowMs: number): Promise<readonly Grouped<ByteRates>[]> {
    const rate = (family: string): Promise<Sample[]> =>
      this.#query(`sum(rate(${family}${selectorOf(selection)}[${windowOf(windowMs)}]))${groupingOf(selection)}`);
    const [read, written] = await Promise.all([rate("tcp_read_bytes_total"), rate("tcp_write_bytes_total")]);
    const writtenOf = new Map(written.map(({ labels, value }) => [groupKey(selection, labels), value]));
    return read.map(({ labels, value }) => ({
      group: groupOf(selection, labels),
      value: { read: value, written: writtenOf.get(groupKey(selection, labels)) ?? 0 },
    }));
  }

  async #query(query: string): Promise<Sample[]> {
    const response = await fetch(`${this.#url}/api/v1/query`, {
      method: "POST",
      body: new URLSearchParams({ query }),
      signal: AbortSignal.timeout(QUERY_TIMEOUT_MS),
    }).catch((cause: unknown) => {
      throw new Error(
        `Prometheus at ${this.#url} did not answer: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    });
    const body = await response.text();
    if (!response.ok)
      throw new Error(`Prometheus at ${this.#url} answered ${response.status} to ${query}: ${body.slice(0, 300)}`);
    return samplesOf(JSON.parse(body) as QueryAnswer);
  }
}

interface QueryAnswer {
  readonly data: { readonly result: readonly { readonly metric: Labels; readonly value: readonly [number, string] }[] };
}

/** `NaN` and `+Inf` are what Prometheus says where there was nothing to divide. */
function samplesOf(answer: QueryAnswer): Sample[] {
  return answer.data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
}

/** `{a="b",c!=""}`: PromQL's quoting is Go's, of which JSON's is a part. */
export function selectorOf(selection: Selection): string {
  const parts = selection.match.map((matcher) =>
    "is" in matcher ? `${matcher.label}=${JSON.stringify(matcher.is)}` : `${matcher.label}!=""`,
  );
  return `{${parts.join(", ")}}`;
}

function groupingOf({ groupBy }: Selection): string {
  return ` by (${groupBy.join(", ")})`;
}

function windowOf(windowMs: number): string {
  return `${Math.ceil(windowMs / 1000)}s`;
}
