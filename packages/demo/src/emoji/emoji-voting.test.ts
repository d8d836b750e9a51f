import { afterEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { waitFor } from "@bowline/testkit";
import { CATALOGUE } from "./catalogue.ts";
import { startEmoji } from "./emoji.ts";
import type { Program } from "./program.ts";
import { startVoteBot } from "./vote-bot.ts";
import { startVoting } from "./voting.ts";
import { startWeb } from "./web.ts";

const FREE = { WEB_PORT: "0", GRPC_PORT: "0", PROM_PORT: "0" };
const HOST = "127.0.0.1";

interface Application {
  readonly emoji: Program;
  readonly voting: Program;
  readonly web: Program;
  readonly url: string;
}

const running: Program[] = [];

afterEach(async () => {
  // Callers first, so that nobody waits for somebody who is gone.
  for (const program of running.splice(0).reverse()) await program.stop();
});

function keep(program: Program): Program {
  running.push(program);
  return program;
}

/** The three services on the loopback, stopped after the test. */
async function startApplication(
  voting: Record<string, string> = {},
  web: Record<string, string> = {},
): Promise<Application> {
  const emojiProgram = keep(await startEmoji(FREE, HOST));
  const votingProgram = keep(await startVoting({ ...FREE, ...voting }, HOST));
  const backends = {
    EMOJISVC_HOST: `${HOST}:${emojiProgram.ports["grpc"]}`,
    VOTINGSVC_HOST: `${HOST}:${votingProgram.ports["grpc"]}`,
  };
  const webProgram = keep(await startWeb({ ...FREE, ...backends, ...web }, HOST));
  const url = `http://${HOST}:${webProgram.ports["http"]}`;
  return { emoji: emojiProgram, voting: votingProgram, web: webProgram, url };
}

async function ask(url: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url);
  return { status: response.status, body: await response.json() };
}

async function metrics(program: Program): Promise<string> {
  return await (await fetch(`http://${HOST}:${program.ports["prom"]}/metrics`)).text();
}

describe("the emoji voting application", () => {
  test("lists the emojis, takes votes and ranks them", async () => {
    const { url, voting } = await startApplication();
    const list = await ask(`${url}/api/list`);
    expect(list.body).toEqual(CATALOGUE.map(({ shortcode, unicode }) => ({ shortcode, unicode })));
    expect(await ask(`${url}/api/leaderboard`)).toEqual({ status: 200, body: [] });
    for (const choice of [":pizza:", ":poop:", ":pizza:"]) {
      expect(await ask(`${url}/api/vote?choice=${choice}`)).toEqual({ status: 200, body: {} });
    }
    expect((await ask(`${url}/api/leaderboard`)).body).toEqual([
      { shortcode: ":pizza:", unicode: "🍕", votes: "2" },
      { shortcode: ":poop:", unicode: "💩", votes: "1" },
    ]);
    expect(await metrics(voting)).toContain('emojivoto_votes_total{emoji=":pizza:"} 2\n');
  });

  test("fails votes for the doughnut, which the metrics of both sides show", async () => {
    const { url, voting, web } = await startApplication();
    expect(await ask(`${url}/api/vote?choice=:doughnut:`)).toEqual({ status: 500, body: { error: "ERROR" } });
    expect(await metrics(voting)).toContain(
      'grpc_server_handled_total{grpc_service="emojivoto.v1.VotingService",grpc_method="VoteDoughnut",grpc_code="UNKNOWN"} 1\n',
    );
    expect(await metrics(voting)).not.toContain("emojivoto_votes_total{");
    expect(await metrics(web)).toContain('http_requests_total{path="/api/vote",status="500"} 1\n');
  });

  test("counts the doughnut when it is told that none fails", async () => {
    const { url } = await startApplication({ FAILURE_RATE: "0" });
    expect((await ask(`${url}/api/vote?choice=:doughnut:`)).status).toBe(200);
  });

  const refused: [string, number, string | undefined][] = [
    ["/api/vote", 400, "Emoji choice [] is mandatory"],
    ["/api/vote?choice=", 400, "Emoji choice [] is mandatory"],
    ["/api/vote?choice=:nothing:", 400, "Choice [:nothing:] doesn't exist"],
  ];
  test.each(refused)("refuses GET %s with %d", async (path, status, error) => {
    const { url } = await startApplication();
    expect(await ask(`${url}${path}`)).toEqual({ status, body: { error } });
  });

  test("shows one page at both of its addresses, with the message of the day, and nothing elsewhere", async () => {
    const { url } = await startApplication({}, { MESSAGE_OF_THE_DAY: "<b>hello</b>" });
    for (const path of ["/", "/leaderboard"]) {
      const response = await fetch(`${url}${path}`);
      expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(await response.text()).toContain("&lt;b&gt;hello&lt;/b&gt;");
    }
    expect((await fetch(`${url}/api/nothing`)).status).toBe(404);
    expect((await fetch(`${url}/`, { method: "DELETE" })).status).toBe(405);
  });

  test("has a bot that votes, mostly in vain for the doughnut", async () => {
    const { url, web } = await startApplication();
    const lines: string[] = [];
    keep(startVoteBot({ WEB_HOST: url.replace("http://", ""), REQUEST_RATE: "200" }, (line) => lines.push(line)));
    const seen = (text: string, status: number): number => {
      return Number(new RegExp(`path="/api/vote",status="${status}"} (\\d+)`).exec(text)?.[1] ?? 0);
    };
    await waitFor(async () => seen(await metrics(web), 200) > 5 && seen(await metrics(web), 500) > 1, {
      what: "votes of both kinds",
      timeoutMs: 10_000,
    });
    expect(lines).toContain("vote for :doughnut: failed with 500");
  });

  test("answers many at once", async () => {
    const { url } = await startApplication();
    const answers = await Promise.all(
      Array.from({ length: 300 }, async (_, at) => {
        const { shortcode } = CATALOGUE[at % CATALOGUE.length] ?? { shortcode: "" };
        return [shortcode, (await ask(`${url}/api/vote?choice=${shortcode}`)).status] as const;
      }),
    );
    for (const [shortcode, status] of answers) expect(status).toBe(shortcode === ":doughnut:" ? 500 : 200);
  });
});

describe("a program that is told to stop", () => {
  test("finishes its requests and accepts no more", async () => {
    const { url, web } = await startApplication({ ARTIFICIAL_DELAY: "300ms" });
    const vote = fetch(`${url}/api/vote?choice=:pizza:`);
    await waitFor(async () => (await metrics(running[0] as Program)).includes("FindByShortcode"), {
      what: "the vote to be under way",
    });
    const stopped = web.stop();
    const response = await vote;
    expect(response.status).toBe(200);
    expect(response.headers.get("connection")).toBe("close");
    await stopped;
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = connect(web.ports["http"] ?? 0, HOST);
    socket.once("connect", () => resolve("connected"));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    expect(await promise).toBe("ECONNREFUSED");
    socket.destroy();
  });

  test("says that it is not ready, while it is still live", async () => {
    const { url, web } = await startApplication({ ARTIFICIAL_DELAY: "300ms" });
    const probe = async (path: string): Promise<number> => {
      return (await fetch(`http://${HOST}:${web.ports["prom"]}${path}`)).status;
    };
    expect([await probe("/ready"), await probe("/live"), await probe("/else")]).toEqual([200, 200, 404]);
    const vote = fetch(`${url}/api/vote?choice=:pizza:`);
    await waitFor(async () => (await metrics(running[0] as Program)).includes("FindByShortcode"), {
      what: "the vote to be under way",
    });
    const stopped = web.stop();
    expect([await probe("/ready"), await probe("/live")]).toEqual([503, 200]);
    await Promise.all([vote, stopped]);
  });

  test("loses no request of its callers when another takes its place", async () => {
    const { url, voting } = await startApplication();
    const address = { ...FREE, GRPC_PORT: String(voting.ports["grpc"]) };
    const statuses: number[] = [];
    let going = true;
    const callers = Array.from({ length: 8 }, async () => {
      while (going) statuses.push((await ask(`${url}/api/vote?choice=:pizza:`)).status);
    });
    await waitFor(() => statuses.length > 50, { what: "some votes" });
    await voting.stop();
    const before = statuses.length;
    keep(await startVoting(address, HOST));
    await waitFor(() => statuses.length > before + 50, { what: "votes at the new one" });
    going = false;
    await Promise.all(callers);
    expect(new Set(statuses)).toEqual(new Set([200]));
  });
});
