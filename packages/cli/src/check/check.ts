import type { KubeClient } from "@bowline/kube";
import type { ClusterState } from "./cluster-state.ts";

/** What makes a check fail, in words for whoever has to mend it. May have several lines. */
export class CheckFailure extends Error {}

/** Thrown by a check that does not apply here: it is left out of the report. */
export class CheckSkipped extends Error {}

export interface Check {
  /** What is true when the check passes. */
  readonly description: string;
  /** Of docs/checks.md. */
  readonly anchor: string;
  /** fatal: nothing after it can be checked. warning: the exit code stays 0. */
  readonly severity: "fatal" | "error" | "warning";
  /** Asked again until it passes or `--wait` is over, for what takes its time to start. */
  readonly retried?: boolean;
  /** Rejects with CheckFailure, CheckSkipped, or what the API said. */
  run(context: CheckContext): Promise<void>;
}

export interface Category {
  readonly name: string;
  readonly checks: readonly Check[];
}

export interface CheckContext {
  readonly client: () => KubeClient;
  readonly state: ClusterState;
  /** Of the control plane. */
  readonly controlPlaneNamespace: string;
  /** Of the data plane that --proxy looks at; undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly expectedVersion: string;
  /** Milliseconds of the epoch. */
  readonly now: () => number;
}

export type Outcome = "success" | "warning" | "error";

export interface CheckResult {
  readonly category: string;
  readonly description: string;
  readonly anchor: string;
  readonly outcome: Outcome;
  /** Empty for a success. */
  readonly problem: string;
}

export interface RunOptions {
  /** How long retried checks may take together, in ms. */
  readonly waitMs: number;
  readonly retryMs: number;
  readonly onResult: (result: CheckResult) => void;
}

/**
 * Runs checks in order and reports each as it is known; stops behind a fatal failure.
 *
 * @returns whether nothing but warnings was found
 */
export async function runChecks(
  categories: readonly Category[],
  context: CheckContext,
  options: RunOptions,
): Promise<boolean> {
  const deadline = context.now() + options.waitMs;
  let success = true;
  for (const category of categories) {
    for (const check of category.checks) {
      const problem = await runOne(check, context, deadline, options.retryMs);
      if (problem === null) continue;
      const outcome = problem === "" ? "success" : check.severity === "warning" ? "warning" : "error";
      const { description, anchor } = check;
      options.onResult({ category: category.name, description, anchor, outcome, problem });
      if (outcome !== "error") continue;
      success = false;
      if (check.severity === "fatal") return false;
    }
  }
  return success;
}

/** "" when it passed, null when it does not apply. */
async function runOne(check: Check, context: CheckContext, deadline: number, retryMs: number): Promise<string | null> {
  for (;;) {
    try {
      await check.run(context);
      return "";
    } catch (error) {
      if (error instanceof CheckSkipped) return null;
      if (!check.retried || context.now() + retryMs > deadline)
        return error instanceof Error ? error.message : String(error);
      context.state.forget();
      await Bun.sleep(retryMs);
    }
  }
}

/** Fails with one line per problem, if there are any. */
export function failIfAny(problems: readonly string[], heading?: string): void {
  if (problems.length === 0) return;
  throw new CheckFailure([...(heading === undefined ? [] : [heading]), ...problems].join("\n"));
}
