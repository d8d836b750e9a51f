import { status } from "@grpc/grpc-js";
import { CATALOGUE, type CatalogueEntry, DOUGHNUT } from "./catalogue.ts";
import { CounterFamily } from "./counters.ts";
import { VotingService } from "./gen/voting_pb.ts";
import { GrpcFailure, type Handlers, startGrpcServer } from "./grpc.ts";
import { startOperations } from "./operations.ts";
import { NEVER, type Program, STOP_DEADLINE_MS } from "./program.ts";
import { durationSetting, type Env, portSetting, shareSetting } from "./settings.ts";

/**
 * Counts votes, in memory. Settings: GRPC_PORT (8080), PROM_PORT (8801), FAILURE_RATE (1): the share of the votes for the doughnut
 * that fail, which is what a mesh is there to find out; ARTIFICIAL_DELAY (none): how long each vote takes.
 */
export async function startVoting(env: Env, host: string): Promise<Program> {
  const failureRate = shareSetting(env, "FAILURE_RATE", 1);
  const delayMs = durationSetting(env, "ARTIFICIAL_DELAY", 0);
  const calls = new CounterFamily("grpc_server_handled_total", "Calls answered, by outcome.", [
    "grpc_service",
    "grpc_method",
    "grpc_code",
  ]);
  const counted = new CounterFamily("emojivoto_votes_total", "Votes, the failed ones left out.", ["emoji"]);
  const votes = new Map<string, number>();
  let ready = true;

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
  const server = await startGrpcServer({
    service: VotingService,
    host,
    port: portSetting(env, "GRPC_PORT", 8080),
    onEnd: (method, code) => calls.add(VotingService.typeName, method, status[code] ?? "UNKNOWN"),
    handlers: { ...voters, results: () => ({ results: ranking(votes) }) },
  });
  const operations = await startOperations({
    host,
    port: portSetting(env, "PROM_PORT", 8801),
    counters: [calls, counted],
    isReady: () => ready,
  });
  return {
    greeting: `voting: gRPC on ${server.port}, metrics on ${operations.port}, ${failureRate * 100}% of doughnuts fail`,
    ports: { grpc: server.port, prom: operations.port },
    ended: NEVER,
    async stop() {
      ready = false;
      await server.stop(STOP_DEADLINE_MS);
      await operations.stop(0);
    },
  };
}

function ranking(votes: ReadonlyMap<string, number>): { shortcode: string; votes: number }[] {
  const results = Array.from(votes, ([shortcode, count]) => ({ shortcode, votes: count }));
  return results.sort((a, b) => b.votes - a.votes || (a.shortcode < b.shortcode ? -1 : 1));
}
