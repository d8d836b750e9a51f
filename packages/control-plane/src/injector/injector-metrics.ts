import { type Family, type LabelPair, labels, type Registry } from "@bowline/metrics";
import type { SkipReason } from "./report.ts";

const REQUESTS: Family = {
  name: "proxy_inject_admission_requests_total",
  help: "A counter for number of admission requests to proxy injector.",
  kind: "counter",
  style: "classic",
};
const RESPONSES: Family = {
  name: "proxy_inject_admission_responses_total",
  help: "A counter for number of admission responses from proxy injector.",
  kind: "counter",
  style: "classic",
};

/** What an admission is counted by. */
export interface AdmissionLabels {
  /** In lower case; "" when nobody owns the pod. */
  readonly ownerKind: string;
  readonly namespace: string;
  readonly annotationAt: "" | "namespace" | "workload";
  /** Configuration annotations that hold for the pod. */
  readonly configuration: Readonly<Record<string, string>>;
}

/** Whoever may create pods chooses annotations; beyond this many combinations they are left out. */
const COMBINATIONS_MAX = 1_000;
const VALUE_LENGTH_MAX = 64;

/** The counters of Linkerd's proxy injector. */
export class InjectorMetrics {
  readonly #registry: Registry;
  readonly #combinations: Set<string> = new Set();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  onRequest(admission: AdmissionLabels): void {
    this.#registry.counter(REQUESTS, labels([...this.#common(admission), ...this.#configuration(admission)])).value++;
  }

  /** @param skipped null when the object was changed */
  onResponse(admission: AdmissionLabels, skipped: readonly SkipReason[] | null): void {
    const outcome: LabelPair[] = [
      ["skip", String(skipped !== null)],
      ["skip_reason", skipped?.join(",") ?? ""],
    ];
    const text = labels([...this.#common(admission), ...outcome, ...this.#configuration(admission)]);
    this.#registry.counter(RESPONSES, text).value++;
  }

  #common({ ownerKind, namespace, annotationAt }: AdmissionLabels): LabelPair[] {
    return [
      ["owner_kind", ownerKind],
      ["namespace", namespace],
      ["annotation_at", annotationAt],
    ];
  }

  #configuration({ configuration }: AdmissionLabels): LabelPair[] {
    const pairs = Object.entries(configuration).map(([name, value]): LabelPair => {
      return [name.replaceAll(/[^a-zA-Z0-9_]/g, "_"), value.slice(0, VALUE_LENGTH_MAX)];
    });
    const combination = JSON.stringify(pairs);
    if (!this.#combinations.has(combination)) {
      if (this.#combinations.size >= COMBINATIONS_MAX) return [];
      this.#combinations.add(combination);
    }
    return pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  }
}
