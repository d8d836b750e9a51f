import type { CaseMode, ProxyMode } from "../cases.ts";
import type { Lab, ProxyCommand, Route } from "../lab.ts";

/** What one proxy is to do. */
export interface Setup {
  readonly mode: ProxyMode;
  readonly largeBodies: boolean;
  /** Where it connects to is for its control plane to say. */
  readonly discovers: boolean;
}

/** A proxy that takes part. */
export interface Competitor {
  readonly name: string;
  /** How it is set up, for the report. */
  readonly configuration: string;
  /** What it is measured in. */
  readonly modes: readonly CaseMode[];
  /** Why it cannot take part in one of its modes on this machine; null when it can. */
  absence(mode: CaseMode): string | null;
  command(lab: Lab, route: Route, setup: Setup): ProxyCommand;
  /** What must hold after the load, beyond right answers. */
  checkAfter?(lab: Lab, mode: CaseMode): Promise<void>;
}
