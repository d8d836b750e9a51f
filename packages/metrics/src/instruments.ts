// What the data path holds and bumps. Plain fields, no methods on the counting path, nothing allocated after creation.

/** Only ever grows: `counter.value += n`. */
export class Counter {
  value = 0;
}

/** Goes both ways: `gauge.value += 1`, `gauge.value -= 1`, `gauge.value = x`. */
export class Gauge {
  value = 0;
}

/** Observations counted per bucket; cumulative counts are made only when a page is rendered. */
export class Histogram {
  /** Ascending upper bounds, shared by every series of the family; a Float64Array so that all histograms have one shape. */
  readonly bounds: Float64Array;
  /** One more than bounds: the last counts what lies above all of them. */
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: Float64Array) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** Counts x in the first bucket whose bound is at least x. Most latencies are short, so the scan starts at the bottom. */
  observe(x: number): void {
    const bounds = this.bounds;
    let i = 0;
    while (i < bounds.length && !(x <= bounds[i]!)) i++;
    this.counts[i]! += 1;
    this.sum += x;
    this.count += 1;
  }
}

export type Instrument = Counter | Gauge | Histogram;
