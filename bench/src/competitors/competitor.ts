import type { BenchCase, ProxyMode } from "../cases.ts";
import type { Lab, ProxyCommand, Route } from "../lab.ts";

/** A proxy that takes part. */
export interface Competitor {
  readonly name: string;
  /** How it is set up, for the report. */
  readonly configuration: string;
  /** What it is measured in. */
  readonly modes: readonly ProxyMode[];
  /** Why it cannot take part in one of its modes on this machine; null when it can. */
  absence(mode: ProxyMode): string | null;
  command(lab: Lab, route: Route, benchCase: BenchCase): ProxyCommand;
  /** What must hold after the load, beyond right answers. */
  checkAfter?(lab: Lab): Promise<void>;
}
