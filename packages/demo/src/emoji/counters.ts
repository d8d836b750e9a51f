/** Counts by labels, told in Prometheus' text format. */
export class CounterFamily {
  readonly #name: string;
  readonly #help: string;
  readonly #labels: readonly string[];
  readonly #counts = new Map<string, number>();

  constructor(name: string, help: string, labels: readonly string[]) {
    this.#name = name;
    this.#help = help;
    this.#labels = labels;
  }

  /** @param values of the labels, in their order */
  add(...values: readonly string[]): void {
    const pairs = this.#labels.map((label, at) => `${label}="${escapeValue(values[at] ?? "")}"`);
    const key = pairs.join(",");
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  text(): string {
    const lines = Array.from(this.#counts, ([labels, count]) => `${this.#name}{${labels}} ${count}`);
    return [`# HELP ${this.#name} ${this.#help}`, `# TYPE ${this.#name} counter`, ...lines, ""].join("\n");
  }
}

function escapeValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
