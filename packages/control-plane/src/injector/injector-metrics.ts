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

/** Whoever may create pods chooses annotations and owners; beyond this many combinations they are left out. */
const COMBINATIONS_MAX = 1_000;
/** What is longer is nobody's configuration, and would be kept. */
const COMBINATION_LENGTH_MAX = 16_384;
const TEXT_LENGTH_MAX = 64;

/** The counters of Linkerd's proxy injector. */
export class InjectorMetrics {
  readonly #registry: Registry;
  readonly #combinations: Set<string> = new Set();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  onRequest(admission: AdmissionLabels): void {
    this.#registry.counter(REQUESTS, this.#labels(admission, [])).value++;
  }

  /** @param skipped null when the object was changed */
  onResponse(admission: AdmissionLabels, skipped: readonly SkipReason[] | null): void {
    const outcome: LabelPair[] = [
      ["skip", String(skipped !== null)],
      ["skip_reason", skipped?.join(",") ?? ""],
    ];
    this.#registry.counter(RESPONSES, this.#labels(admission, outcome)).value++;
  }

  #labels(admission: AdmissionLabels, outcome: readonly LabelPair[]): string {
    const { ownerKind, configuration } = this.#isCounted(admission) ? admission : { ownerKind: "", configuration: {} };
    const pairs = Object.entries(configuration).map(([name, value]): LabelPair => {
      return [name.replaceAll(/[^a-zA-Z0-9_]/g, "_"), value.slice(0, TEXT_LENGTH_MAX)];
    });
    return labels([
      ["owner_kind", ownerKind.slice(0, TEXT_LENGTH_MAX)],
      ["namespace", admission.namespace],
      ["annotation_at", admission.annotationAt],
      ...outcome,
      ...pairs.sort(([a], [b]) => (a < b ? -1 : 1)),
    ]);
  }

  #isCounted({ ownerKind, configuration }: AdmissionLabels): boolean {
    const combination = JSON.stringify([ownerKind, configuration]);
    if (this.#combinations.has(combination)) return true;
    if (this.#combinations.size >= COMBINATIONS_MAX || combination.length > COMBINATION_LENGTH_MAX) return false;
    this.#combinations.add(combination);
    return true;
  }
}
