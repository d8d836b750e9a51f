import { status } from "@grpc/grpc-js";
import { startBackend } from "./backend.ts";
import { CATALOGUE, type CatalogueEntry, DOUGHNUT } from "./catalogue.ts";
import { CounterFamily } from "./counters.ts";
import { VotingService } from "./gen/voting_pb.ts";
import { GrpcFailure, type Handlers } from "./grpc.ts";
import type { Program } from "./program.ts";
import { durationSetting, type Env, shareSetting } from "./settings.ts";

/**
 * Counts votes, in memory. Settings: those of a backend, FAILURE_RATE (1): the share of the votes for the doughnut
 * that fail, which is what a mesh is there to find out; ARTIFICIAL_DELAY (none): how long each vote takes.
 */
export async function startVoting(env: Env, host: string): Promise<Program> {
  const failureRate = shareSetting(env, "FAILURE_RATE", 1);
  const delayMs = durationSetting(env, "ARTIFICIAL_DELAY", 0);
  const counted = new CounterFamily("emojivoto_votes_total", "Votes, the failed ones left out.", ["emoji"]);
  const votes = new Map<string, number>();

  async function vote({ shortcode }: CatalogueEntry): Promise<Record<string, never>> {
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (shortcode === DOUGHNUT && Math.random() < failureRate) throw new GrpcFailure(status.UNKNOWN, "ERROR");
    votes.set(shortcode, (votes.get(shortcode) ?? 0) + 1);
    counted.add(shortcode);
    return {};
  }

  const voters = Object.fromEntries(
    CATALOGUE.map((entry) => [entry.voteMethod.replace("V", "v"), () => vote(entry)]),
  ) as unknown as Handlers<typeof VotingService>;
  const program = await startBackend(env, host, {
    name: "voting",
    service: VotingService,
    handlers: { ...voters, results: () => ({ results: ranking(votes) }) },
    counters: [counted],
  });
  return { ...program, greeting: `${program.greeting}, ${failureRate * 100}% of doughnuts fail` };
}

function ranking(votes: ReadonlyMap<string, number>): { shortcode: string; votes: number }[] {
  const results = Array.from(votes, ([shortcode, count]) => ({ shortcode, votes: count }));
  return results.sort((a, b) => b.votes - a.votes || (a.shortcode < b.shortcode ? -1 : 1));
}
