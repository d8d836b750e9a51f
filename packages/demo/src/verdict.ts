import type { Totals, TrafficSource } from "./traffic.ts";

/** What the caller says about its requests when it ends. */
export interface CallerReport {
  readonly sent: number;
  readonly succeeded: number;
  /** Answered with an error status. */
  readonly failed: number;
  readonly unanswered: number;
}

export interface Evidence {
  readonly caller: CallerReport;
  readonly counted: readonly { readonly source: TrafficSource; readonly totals: Totals }[];
  /** From differencesInRules, each with the pod's name in front. */
  readonly ruleDifferences: readonly string[];
  /** Exit statuses, or signals that had to end them. */
  readonly proxyEnds: readonly string[];
}

export interface Finding {
  readonly ok: boolean;
  readonly text: string;
}

/** The web app fails 1.5 % of the caller's requests. */
const FAILED_SHARE_MAX = 0.03;
/** A request that a proxy had to send again is counted twice by the next one. */
const COUNT_TOLERANCE = 0.01;

/** What the demo set out to show, each with whether it did. */
export function judge({ caller, counted, ruleDifferences, proxyEnds }: Evidence): Finding[] {
  const answered = caller.succeeded + caller.failed;
  return [
    {
      ok: ruleDifferences.length === 0,
      text: ruleDifferences.length === 0 ? "both pods have the article's nat rules" : ruleDifferences.join("; "),
    },
    {
      ok: caller.sent > 0 && caller.unanswered === 0,
      text: `the caller sent ${caller.sent} requests, ${caller.unanswered} of them without an answer`,
    },
    {
      ok: answered > 0 && caller.failed / answered <= FAILED_SHARE_MAX,
      text: `${share(caller.succeeded, answered)} of the answers were successes (the web app fails some on purpose)`,
    },
    ...counted.map(({ source, totals }) => agreement(caller, source, totals)),
    {
      ok: proxyEnds.every((end) => end === "0"),
      text: `asked to stop, the proxies ended with ${proxyEnds.join(" and ")}`,
    },
  ];
}

function agreement(caller: CallerReport, { label }: TrafficSource, { succeeded, failed }: Totals): Finding {
  const ok = near(succeeded, caller.succeeded) && near(failed, caller.failed) && succeeded > 0;
  const counts = `${succeeded + failed} responses, ${failed} of them failures`;
  return {
    ok,
    text: ok
      ? `${label}: the proxy counted ${counts}, as the caller did`
      : `${label}: the proxy counted ${counts}; the caller got ${caller.succeeded + caller.failed} and ${caller.failed}`,
  };
}

function near(counted: number, wanted: number): boolean {
  return Math.abs(counted - wanted) <= Math.ceil(COUNT_TOLERANCE * wanted);
}

function share(part: number, whole: number): string {
  return whole === 0 ? "none" : `${((100 * part) / whole).toFixed(1)} %`;
}
