import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { renderText } from "./exposition.ts";
import type { Family } from "./family.ts";
import { LATENCY_BUCKETS_MS } from "./family.ts";
import { type LabelPair, labels } from "./labels.ts";
import { labelValue, type ParsedFamily, parseText } from "./parse-text.ts";
import { Registry } from "./registry.ts";
import type { Snapshot } from "./snapshot.ts";

const REQUESTS: Family = {
  name: "request_total",
  help: "Total count of HTTP requests.",
  kind: "counter",
  style: "classic",
};
const OPEN: Family = {
  name: "tcp_open_connections",
  help: "Open \\ connections\nnow",
  kind: "gauge",
  style: "classic",
};
const LATENCY: Family = {
  name: "wait_seconds",
  help: "Waiting.",
  kind: "histogram",
  style: "classic",
  bounds: [1, 2.5],
};
const DETECT: Family = {
  name: "detect_duration_seconds",
  help: "Time taken for protocol detection",
  kind: "histogram",
  style: "openmetrics",
  unit: "seconds",
  bounds: [0.1, 1],
};
const CONNECTIONS: Family = { name: "connections_total", help: "Connections", kind: "counter", style: "openmetrics" };

function examplePage(): string {
  // Declared with a newer family first: the page puts the classic ones before it all the same.
  const registry = new Registry([CONNECTIONS, REQUESTS, OPEN, LATENCY, DETECT]);
  registry.counter(CONNECTIONS, 'protocol="http/1"').value = 7;
  registry.counter(REQUESTS, 'direction="inbound"').value = 3;
  registry.gauge(OPEN).value = 2.5;
  const latency = registry.histogram(LATENCY, 'direction="inbound"');
  for (const x of [0.5, 2, 2, 9]) latency.observe(x);
  registry.histogram(LATENCY).observe(1);
  registry.histogram(DETECT, 'a="b"').observe(0.05);
  return renderText(registry.snapshot());
}

const EXAMPLE = `# HELP request_total Total count of HTTP requests.
# TYPE request_total counter
request_total{direction="inbound"} 3
# HELP tcp_open_connections Open \\\\ connections\\nnow
# TYPE tcp_open_connections gauge
tcp_open_connections 2.5
# HELP wait_seconds Waiting.
# TYPE wait_seconds histogram
wait_seconds_bucket{direction="inbound",le="1"} 1
wait_seconds_bucket{direction="inbound",le="2.5"} 3
wait_seconds_bucket{direction="inbound",le="+Inf"} 4
wait_seconds_count{direction="inbound"} 4
wait_seconds_sum{direction="inbound"} 13.5
wait_seconds_bucket{le="1"} 1
wait_seconds_bucket{le="2.5"} 1
wait_seconds_bucket{le="+Inf"} 1
wait_seconds_count 1
wait_seconds_sum 1
# HELP connections_total Connections.
# TYPE connections_total counter
connections_total{protocol="http/1"} 7
# HELP detect_duration_seconds Time taken for protocol detection.
# TYPE detect_duration_seconds histogram
# UNIT detect_duration_seconds seconds
detect_duration_seconds_sum{a="b"} 0.05
detect_duration_seconds_count{a="b"} 1
detect_duration_seconds_bucket{le="0.1",a="b"} 1
detect_duration_seconds_bucket{le="1.0",a="b"} 1
detect_duration_seconds_bucket{le="+Inf",a="b"} 1
# EOF
`;

/** What promtool, the judge from outside, says of a page. */
function promtool(page: string): { status: number; remarks: string } {
  const run = Bun.spawnSync(["promtool", "check", "metrics"], { stdin: Buffer.from(page) });
  return { status: run.exitCode, remarks: run.stdout.toString() + run.stderr.toString() };
}

describe("renderText", () => {
  test("the page", () => {
    expect(examplePage()).toBe(EXAMPLE);
  });

  test("passes promtool without a remark", () => {
    expect(promtool(examplePage())).toEqual({ status: 0, remarks: "" });
  });

  test("promtool remarks only on the _ms in Linkerd's own name", () => {
    const family: Family = { ...LATENCY, name: "response_latency_ms", bounds: LATENCY_BUCKETS_MS };
    const registry = new Registry();
    registry.histogram(family, 'direction="outbound",status_code="200"').observe(12);
    expect(promtool(renderText(registry.snapshot()))).toEqual({
      status: 3,
      remarks: "response_latency_ms metric names should not contain abbreviated units\n",
    });
  });

  test("promtool refuses what is not the format, so the check above can fail", () => {
    expect(promtool("request_total{a=} 1\n").status).toBe(1);
  });

  test("a page without series is only its end", () => {
    expect(renderText({ families: [{ family: REQUESTS, series: [] }] })).toBe("# EOF\n");
  });

  test("infinite and undefined values are written Prometheus' way", () => {
    const values = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e21, 0.1];
    const series = values.map((value, i) => ({ labels: `i="${i}"`, value, buckets: null }));
    const page = renderText({ families: [{ family: OPEN, series }] });
    expect(page.match(/(?<=\} ).*/g)).toEqual(["+Inf", "-Inf", "NaN", "1e+21", "0.1"]);
  });
});

describe("parse(render(x)) = x", () => {
  const text = fc.string({ unit: "binary", maxLength: 12 });
  const labelPairs = fc.uniqueArray(fc.tuple(fc.constantFrom("a", "b", "target_addr", "sni", "_x9"), text), {
    selector: ([name]) => name,
    maxLength: 4,
  });
  const families: Family[] = [REQUESTS, OPEN, LATENCY, DETECT, CONNECTIONS];
  const value = fc.double({ noNaN: true }).map((x) => (x === 0 ? 0 : x));
  const series = fc.record({
    pairs: labelPairs,
    value,
    buckets: fc.array(fc.nat(1e9), { minLength: 3, maxLength: 3 }),
  });
  const page = fc.tuple(
    ...families.map((family) =>
      fc.record({
        help: text,
        series: fc.uniqueArray(series, { selector: ({ pairs }) => labels(pairs), minLength: 1, maxLength: 3 }),
        family: fc.constant(family),
      }),
    ),
  );

  test("for any label values, help texts and numbers", () => {
    fc.assert(
      fc.property(page, (drafts) => {
        const snapshot: Snapshot = {
          families: drafts.map(({ family, help, series: list }) => ({
            // The openmetrics style adds a full stop where there is none.
            family: { ...family, help: `${help}.` },
            series: list.map((one) => ({
              labels: labels(one.pairs),
              value: one.value,
              buckets: family.kind === "histogram" ? one.buckets : null,
            })),
          })),
        };
        const want: ParsedFamily[] = drafts
          .toSorted((a, b) => families.indexOf(a.family) - families.indexOf(b.family))
          .map(({ family, help, series: list }) => ({
            name: family.name,
            kind: family.kind,
            help: `${help}.`,
            unit: family.unit ?? null,
            series: list.map((one) => ({
              labels: one.pairs as LabelPair[],
              value: one.value,
              histogram: family.kind === "histogram" ? { bounds: family.bounds ?? [], counts: one.buckets } : null,
            })),
          }));
        const parsed = parseText(renderText(snapshot));
        const byName = (a: ParsedFamily, b: ParsedFamily) => (a.name < b.name ? -1 : 1);
        expect("families" in parsed ? parsed.families.toSorted(byName) : parsed).toEqual(want.toSorted(byName));
      }),
    );
  });
});

describe("parseText", () => {
  test("reads others' pages: spaces, timestamps, exemplars, untyped samples, unknown kinds", () => {
    const parsed = parseText(
      [
        "# a remark",
        "#  HELP   x_total  Two words",
        "# TYPE x_total counter",
        'x_total { a = "}" , b="2", } 1e3 1700000000',
        "",
        "free 0x",
      ].join("\n"),
    );
    expect(parsed).toEqual({ error: "bad value: 0x", line: 6 });
    const good = parseText(
      'x_total{ a = "}" , b="2",} 1e3 1700000000 # {trace="1"} 3\n# TYPE s summary\ns{quantile="0.5"} 2\n+bad',
    );
    expect(good).toEqual({ error: "not a sample: +bad", line: 4 });
    const families = parseText('x_total{ a = "}" , b="2",} 1e3 1700000000\n# TYPE s summary\ns{quantile="0.5"} -Inf');
    expect(families).toEqual({
      families: [
        {
          name: "x_total",
          kind: "unknown",
          help: "",
          unit: null,
          series: [
            {
              labels: [
                ["a", "}"],
                ["b", "2"],
              ],
              value: 1000,
              histogram: null,
            },
          ],
        },
        {
          name: "s",
          kind: "unknown",
          help: "",
          unit: null,
          series: [{ labels: [["quantile", "0.5"]], value: Number.NEGATIVE_INFINITY, histogram: null }],
        },
      ],
    });
  });

  test.each([
    ["x{a=} 1", "bad labels: a="],
    ["x{a} 1", "bad labels: a"],
    ["x one", "bad value: one"],
    ["x", "not a sample: x"],
    ['# TYPE h histogram\nh_bucket{le="many"} 1', "bucket of h without a valid le"],
  ])("%p is an error", (page, error) => {
    expect(parseText(page)).toMatchObject({ error });
  });

  test("labelValue finds a label", () => {
    const parsed = parseText('x{a="1",b="2"} 1');
    const series = "families" in parsed ? parsed.families[0]!.series[0]! : undefined;
    expect([labelValue(series!, "b"), labelValue(series!, "c")]).toEqual(["2", undefined]);
  });
});
