import type { Registry } from "@bowline/metrics";

/** A page as a person reads it: one line per series, histograms by how often they observed. */
export function page(registry: Registry): string[] {
  return registry.snapshot().families.flatMap(({ family, series }) =>
    series.map(({ labels, value, buckets }) => {
      return `${family.name}{${labels}} ${buckets === null ? value : `observed ${buckets.reduce((a, b) => a + b, 0)}`}`;
    }),
  );
}
