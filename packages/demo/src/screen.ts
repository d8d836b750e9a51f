/** Where the demo writes; process.stdout is one. */
export interface ScreenOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Prints what the demo does: steps with their times, blocks of text, and a table that is redrawn in place. */
export class Screen {
  readonly #output: ScreenOutput;
  readonly #startedMs: number = performance.now();
  #liveLines = 0;
  #headShown = false;

  constructor(output: ScreenOutput) {
    this.#output = output;
  }

  get elapsedSeconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }

  line(text = ""): void {
    this.#output.write(`${text}\n`);
  }

  /** Announces a step, does it, and says how long it took. */
  async step<T>(text: string, work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    this.#output.write(`${this.elapsedSeconds.toFixed(2).padStart(6)} s  ${text}`);
    try {
      const result = await work();
      this.line(`  (${Math.round(performance.now() - startedMs)} ms)`);
      return result;
    } catch (error) {
      this.line("  failed");
      throw error;
    }
  }

  /**
   * Shows a table: on a terminal in place of the one shown before, otherwise below it, with the seconds in front and the
   * head only once.
   */
  table(head: string, rows: readonly string[], second: number): void {
    if (this.#output.isTTY !== true) {
      if (!this.#headShown) this.line(`${" ".repeat(10)}${head}`);
      this.#headShown = true;
      for (const row of rows) this.line(`${String(second).padStart(6)} s  ${row}`);
      return;
    }
    // A line that wraps would make the cursor's way back up too short. Some terminals say they have no columns at all.
    const width = Math.max(20, (this.#output.columns || 80) - 1);
    const lines = [`${String(second).padStart(6)} s`, head, ...rows].map((line) => line.slice(0, width));
    const up = this.#liveLines === 0 ? "" : `\x1b[${this.#liveLines}A\x1b[J`;
    this.#output.write(`${up}${lines.join("\n")}\n`);
    this.#liveLines = lines.length;
  }
}
