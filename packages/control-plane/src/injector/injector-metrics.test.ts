import { expect, test } from "bun:test";
import { Registry, renderText } from "@bowline/metrics";
import { type AdmissionLabels, InjectorMetrics } from "./injector-metrics.ts";

function seriesAfter(admissions: readonly Partial<AdmissionLabels>[]): string[] {
  const registry = new Registry();
  const metrics = new InjectorMetrics(registry);
  for (const admission of admissions) {
    metrics.onRequest({ ownerKind: "job", namespace: "n", annotationAt: "", configuration: {}, ...admission });
  }
  return renderText(registry.snapshot())
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
}

test.each<[name: string, admission: (i: number) => Partial<AdmissionLabels>]>([
  ["kinds of owners", (i) => ({ ownerKind: `made-up-${i}` })],
  ["annotations", (i) => ({ configuration: { "config.linkerd.io/opaque-ports": String(i) } })],
])("the metrics stay bounded, however many %s there are", (_, admission) => {
  const series = seriesAfter(Array.from({ length: 3_000 }, (__, i) => admission(i)));
  expect(series).toHaveLength(1_001);
  // Nothing goes uncounted.
  expect(series).toContainEqual(expect.stringMatching(/owner_kind="(job)?",namespace="n",annotation_at=""} 2000$/));
});

test("texts in them are cut", () => {
  const [line = ""] = seriesAfter([{ configuration: { "config.linkerd.io/opaque-ports": "1".repeat(1000) } }]);
  expect(line).toContain(`config_linkerd_io_opaque_ports="${"1".repeat(64)}"`);
});
