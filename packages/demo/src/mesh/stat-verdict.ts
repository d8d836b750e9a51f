/** A deployment as `bowline stat -o json` tells of it. */
export interface StatLine {
  readonly name: string;
  readonly meshed: string;
  /** 0 to 1; null without requests. */
  readonly success: number | null;
  /** Requests that were counted. */
  readonly requests: number;
}

export interface Finding {
  readonly ok: boolean;
  readonly text: string;
}

/** @param seconds how long the rates were measured over */
export function parseStats(json: string, seconds: number): StatLine[] {
  const rows = JSON.parse(json) as { name: string; meshed: string; success: number | null; rps: number | null }[];
  return rows.map(({ name, meshed, success, rps }) => ({ name, meshed, success, requests: (rps ?? 0) * seconds }));
}

/**
 * What the emoji application must look like: voting fails for one emoji of all, web fails with it but answers its other requests, and
 * nothing else fails.
 */
export function judgeStats(stats: readonly StatLine[]): Finding[] {
  const percent = (success: number | null | undefined): string =>
    success === null || success === undefined ? "no requests" : `${(success * 100).toFixed(1)} %`;
  const of = (name: string): StatLine | undefined => stats.find((line) => line.name === name);
  const [emoji, voting, web] = [of("emoji"), of("voting"), of("web")];
  const meshed = stats.filter(({ meshed: text }) => /^(\d+)\/\1$/.test(text) && text !== "0/0");
  return [
    {
      ok: meshed.length === 4 && stats.length === 4,
      text: `4 deployments, ${meshed.length} of them with a proxy in every pod`,
    },
    // On a machine that stands still for a second, a probe may be lost.
    { ok: (emoji?.success ?? 0) > 0.97, text: `emoji: ${percent(emoji?.success)} of its requests succeed` },
    {
      ok: isBetween(voting?.success, 0, 1),
      text: `voting: ${percent(voting?.success)}: the vote for one emoji fails`,
    },
    {
      ok: isBetween(web?.success, voting?.success ?? 0, 1),
      text: `web: ${percent(web?.success)}: it fails when voting does, and only then`,
    },
  ];
}

function isBetween(value: number | null | undefined, low: number, high: number): boolean {
  return value !== null && value !== undefined && value > low && value < high;
}
