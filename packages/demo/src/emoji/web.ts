import { findEmoji } from "./catalogue.ts";
import { CounterFamily } from "./counters.ts";
import { EmojiService } from "./gen/emoji_pb.ts";
import { VotingService } from "./gen/voting_pb.ts";
import { connectGrpc, type GrpcClient, GrpcFailure } from "./grpc.ts";
import { type Answer, json, startHttpServer, text } from "./http-server.ts";
import { startOperations } from "./operations.ts";
import { page } from "./page/page.ts";
import { NEVER, type Program, STOP_DEADLINE_MS } from "./program.ts";
import { addressSetting, type Env, portSetting } from "./settings.ts";

interface Backends {
  readonly emoji: GrpcClient<typeof EmojiService>;
  readonly voting: GrpcClient<typeof VotingService>;
}

/**
 * The pages people see, and the JSON behind them. Settings: WEB_PORT (8080), PROM_PORT (8801), EMOJISVC_HOST and VOTINGSVC_HOST
 * (`host:port`), MESSAGE_OF_THE_DAY.
 */
export async function startWeb(env: Env, host: string): Promise<Program> {
  const backends: Backends = {
    emoji: connectGrpc(EmojiService, addressSetting(env, "EMOJISVC_HOST")),
    voting: connectGrpc(VotingService, addressSetting(env, "VOTINGSVC_HOST")),
  };
  const requests = new CounterFamily("http_requests_total", "Requests answered, by path and status.", [
    "path",
    "status",
  ]);
  const html = page(env["MESSAGE_OF_THE_DAY"] ?? "");
  let ready = true;
  const server = await startHttpServer({
    host,
    port: portSetting(env, "WEB_PORT", 8080),
    handle: async (method, url) => {
      const answer = await route(backends, html, method, url);
      requests.add(answer.status === 404 ? "unknown" : url.pathname, String(answer.status));
      return answer;
    },
  });
  const operations = await startOperations({
    host,
    port: portSetting(env, "PROM_PORT", 8801),
    counters: [requests],
    isReady: () => ready,
  });
  return {
    greeting: `web: HTTP on ${server.port}, metrics on ${operations.port}`,
    ports: { http: server.port, prom: operations.port },
    ended: NEVER,
    async stop() {
      ready = false;
      await server.stop(STOP_DEADLINE_MS);
      backends.emoji.close();
      backends.voting.close();
      await operations.stop(0);
    },
  };
}

async function route(backends: Backends, html: string, method: string, url: URL): Promise<Answer> {
  const isVote = url.pathname === "/api/vote";
  if (method !== "GET" && method !== "HEAD" && !(isVote && method === "POST")) return text(405, "method not allowed\n");
  switch (url.pathname) {
    case "/":
    case "/leaderboard":
      return { status: 200, contentType: "text/html; charset=utf-8", body: html };
    case "/api/list":
      return await failing(() => list(backends));
    case "/api/vote":
      return await failing(() => vote(backends, url.searchParams.get("choice") ?? ""));
    case "/api/leaderboard":
      return await failing(() => leaderboard(backends));
    default:
      return text(404, "not found\n");
  }
}

/** A backend's failure is ours. */
async function failing(answer: () => Promise<Answer>): Promise<Answer> {
  try {
    return await answer();
  } catch (error) {
    if (!(error instanceof GrpcFailure)) throw error;
    return json(500, { error: error.message });
  }
}

async function list({ emoji }: Backends): Promise<Answer> {
  const { list: emojis } = await emoji.call("listAll", {});
  return json(
    200,
    emojis.map(({ shortcode, unicode }) => ({ shortcode, unicode })),
  );
}

async function vote({ emoji, voting }: Backends, choice: string): Promise<Answer> {
  if (choice === "") return json(400, { error: "Emoji choice [] is mandatory" });
  const entry = findEmoji(choice);
  if (entry === undefined) return json(400, { error: `Choice [${choice}] doesn't exist` });
  await emoji.call("findByShortcode", { shortcode: choice });
  await voting.call(entry.voteMethod.replace("V", "v") as "voteDoughnut", {});
  return json(200, {});
}

/** One call for the numbers and one more for each emoji: what a trace shows at a glance. */
async function leaderboard({ emoji, voting }: Backends): Promise<Answer> {
  const { results } = await voting.call("results", {});
  const rows = results.map(async ({ shortcode, votes }) => {
    const { emoji: found } = await emoji.call("findByShortcode", { shortcode });
    return { shortcode, unicode: found?.unicode ?? "", votes: String(votes) };
  });
  return json(200, await Promise.all(rows));
}
