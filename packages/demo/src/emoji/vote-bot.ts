import { DOUGHNUT } from "./catalogue.ts";
import type { Program } from "./program.ts";
import { addressSetting, durationSetting, type Env, numberSetting, SettingError } from "./settings.ts";

/** Votes for the doughnut are as frequent as this, or nobody would see it fail. */
const DOUGHNUT_SHARE = 0.15;
/** Slower answers than this are given up. */
const REQUEST_DEADLINE_MS = 10_000;

/**
 * Somebody who votes all the time. Settings: WEB_HOST (`host:port`), REQUEST_RATE (1): votes per second, TTL (for ever): how
 * long to go on, such as 30s, HOST_OVERRIDE: what to say in `Host`.
 */
export function startVoteBot(env: Env, log: (line: string) => void): Program {
  const web = addressSetting(env, "WEB_HOST");
  const rate = numberSetting(env, "REQUEST_RATE", 1);
  if (rate === 0) throw new SettingError("REQUEST_RATE=0 would be a bot that does nothing");
  const lifeMs = durationSetting(env, "TTL", Number.POSITIVE_INFINITY);
  const override = env["HOST_OVERRIDE"] ?? "";
  const headers: Record<string, string> = override === "" ? {} : { host: override };
  const underWay = new Set<Promise<void>>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();

  const timer = setInterval(() => {
    const vote = voteOnce(`http://${web}`, headers)
      .then(log)
      .finally(() => underWay.delete(vote));
    underWay.add(vote);
  }, 1000 / rate);
  const lifeTimer = Number.isFinite(lifeMs) ? setTimeout(end, lifeMs) : undefined;
  return {
    greeting: `vote-bot: ${rate} votes per second at ${web}`,
    ports: {},
    ended,
    async stop() {
      clearInterval(timer);
      clearTimeout(lifeTimer);
      await Promise.all(underWay);
    },
  };
}

/** Reads the list and votes for one of it. @returns what came of it, for the log */
async function voteOnce(web: string, headers: Record<string, string>): Promise<string> {
  const get = (path: string): Promise<Response> =>
    fetch(`${web}${path}`, { headers, signal: AbortSignal.timeout(REQUEST_DEADLINE_MS) });
  try {
    const listed = await get("/api/list");
    const choices = (await listed.json()) as { shortcode: string }[];
    const any = choices[Math.floor(Math.random() * choices.length)]?.shortcode ?? DOUGHNUT;
    const choice = Math.random() < DOUGHNUT_SHARE ? DOUGHNUT : any;
    const answer = await get(`/api/vote?choice=${encodeURIComponent(choice)}`);
    await answer.arrayBuffer();
    return answer.ok ? `voted for ${choice}` : `vote for ${choice} failed with ${answer.status}`;
  } catch (error) {
    return `no vote: ${error instanceof Error ? error.message : String(error)}`;
  }
}
