import type { Io } from "../io.ts";
import type { CheckResult, Outcome } from "./check.ts";

export type Format = "table" | "short" | "json";

export interface Report {
  readonly add: (result: CheckResult) => void;
  end(success: boolean): void;
}

const GLYPHS: Readonly<Record<Outcome, string>> = { success: "√", warning: "‼", error: "×" };

export function isFormat(text: string): text is Format {
  return text === "table" || text === "short" || text === "json";
}

/** Writes results as they come (table), only those that are not successes (short), or all at the end (json). */
export function makeReport(format: Format, io: Pick<Io, "out">): Report {
  return format === "json" ? jsonReport(io) : tableReport(io, format === "short");
}

/** Where a reader finds what to do about a failure. */
export function hintOf(anchor: string): string {
  return `docs/checks.md#${anchor.toLowerCase()}`;
}

function tableReport(io: Pick<Io, "out">, short: boolean): Report {
  let category = "";
  return {
    add: (result) => {
      if (short && result.outcome === "success") return;
      if (result.category !== category) {
        io.out(`${category === "" ? "" : "\n"}${result.category}\n${"-".repeat(result.category.length)}\n`);
        category = result.category;
      }
      io.out(`${GLYPHS[result.outcome]} ${result.description}\n`);
      if (result.outcome === "success") return;
      io.out(`${result.problem.replaceAll(/^/gm, "    ")}\n    see ${hintOf(result.anchor)} for hints\n`);
    },
    end: (success) => {
      io.out(`${category === "" ? "" : "\n"}Status check results are ${GLYPHS[success ? "success" : "error"]}\n`);
    },
  };
}

function jsonReport(io: Pick<Io, "out">): Report {
  const categories = new Map<string, CheckResult[]>();
  return {
    add: (result) => {
      categories.set(result.category, [...(categories.get(result.category) ?? []), result]);
    },
    end: (success) => {
      const list = [...categories].map(([categoryName, results]) => ({
        categoryName,
        checks: results.map(({ description, anchor, outcome, problem }) => ({
          description,
          ...(outcome === "success" ? {} : { hint: hintOf(anchor), error: problem }),
          result: outcome,
        })),
      }));
      io.out(`${JSON.stringify({ success, categories: list }, null, 2)}\n`);
    },
  };
}
