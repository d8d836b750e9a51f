import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { type CorpusCase, HTTP1_CORPUS, loadHttp1Corpus, type ProxyAnswer } from "@bowline/testkit";
import { type Competitor, startHaproxy, startNginx } from "./competitors.ts";
import { exchange } from "./exchange.ts";
import { RawBackend } from "./raw-backend.ts";

/**
 * The versions whose answers the files record. With others the answers seen are compared with our verdicts, but need
 * not be the recorded ones. `BOWLINE_RECORD=1` writes the answers seen into the files; then change this line too.
 */
const RECORDED = { nginx: "1.22", haproxy: "2.6" };

const PLAIN_REQUEST = Buffer.from("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
const corpus = loadHttp1Corpus();
const { BOWLINE_RECORD } = process.env;
const record = BOWLINE_RECORD === "1";

const running: AsyncDisposable[] = [];
let backend: RawBackend;
let nginx: Competitor;
let haproxy: Competitor;
const seen: { row: CorpusCase; nginx: ProxyAnswer; haproxy: ProxyAnswer }[] = [];

beforeAll(async () => {
  backend = started(await RawBackend.start());
  nginx = started(await startNginx(backend.port));
  haproxy = started(await startHaproxy(backend.port));
  for (const row of corpus) {
    seen.push({ row, nginx: await answerOf(nginx, row), haproxy: await answerOf(haproxy, row) });
  }
  if (record) for (const answers of seen) write(answers);
}, 60_000);

afterAll(async () => {
  for (const part of running.reverse()) await part[Symbol.asyncDispose]();
});

test("nginx and haproxy answer as recorded", () => {
  const differences = seen.flatMap(({ row, ...answers }) =>
    ([nginx, haproxy] as const).flatMap((proxy) => {
      const [recorded, now] = [row[proxy.name], answers[proxy.name]];
      if (!proxy.version.startsWith(`${RECORDED[proxy.name]}.`) || isAmong(now, recorded)) return [];
      return [`${row.name}: ${proxy.name} recorded ${recorded.map(text).join(" or ")}, now ${text(now)}`];
    }),
  );
  expect(record ? [] : differences).toEqual([]);
});

test("we accept nothing that either refuses, and refuse nothing that both accept, unless the file says why", () => {
  const unexplained = seen.filter(({ row, ...answers }) => {
    const all = [...row.nginx, ...row.haproxy, answers.nginx, answers.haproxy];
    const refused = all.some((answer) => answer.verdict === "reject");
    return row.why === "" && refused !== (row.verdict === "reject");
  });
  expect(
    unexplained.map(
      ({ row, ...answers }) =>
        `${row.name}: nginx ${text(answers.nginx)}, haproxy ${text(answers.haproxy)}, we ${row.verdict}`,
    ),
  ).toEqual([]);
});

test("a why stands only where there is a difference", () => {
  const needless = corpus.filter(
    (row) => row.why !== "" && [...row.nginx, ...row.haproxy].every((answer) => answer.verdict === row.verdict),
  );
  expect(needless.map((row) => row.name)).toEqual([]);
});

function started<T extends AsyncDisposable>(part: T): T {
  running.push(part);
  return part;
}

/** A case goes through when its client gets the backend's answer: no status of failure, or no head at all. */
async function answerOf(proxy: Competitor, row: CorpusCase): Promise<ProxyAnswer> {
  backend.clear(row.kind === "response" ? row.bytes : null);
  const { status, answer } = await exchange(proxy.port, row.kind === "response" ? PLAIN_REQUEST : row.bytes, false);
  const passed = status === 0 ? answer !== "" : status < 300;
  return { verdict: passed ? "accept" : "reject", status };
}

function isAmong(now: ProxyAnswer, recorded: readonly ProxyAnswer[]): boolean {
  return recorded.some((answer) => answer.verdict === now.verdict && answer.status === now.status);
}

function text({ verdict, status }: ProxyAnswer): string {
  return `${verdict} ${status}`;
}

/** An answer that is already among the recorded ones leaves its line as it is. */
function write({ row, ...answers }: (typeof seen)[number]): void {
  const path = `${HTTP1_CORPUS}/${row.name}.txt`;
  let content = readFileSync(path, "utf8");
  for (const name of ["nginx", "haproxy"] as const) {
    if (isAmong(answers[name], row[name])) continue;
    content = content.replace(new RegExp(`^${name}: .*$`, "m"), `${name}: ${text(answers[name])}`);
  }
  writeFileSync(path, content);
}
