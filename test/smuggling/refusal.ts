import { type CorpusCase, judgeHttp1 } from "@bowline/testkit";
import { exchange } from "./exchange.ts";
import type { RawBackend } from "./raw-backend.ts";

/**
 * Sends every rejected request of the corpus through the proxy at `port`, behind which `backend` stands, and says what
 * went wrong, a line a case. A refused request must be answered 400 (431 for size) and the connection closed, and the
 * backend must see nothing of it; where only the body is at fault, nothing from the fault on.
 *
 * @param before a good request that is sent in front of each, on the same connection; empty for none
 */
export async function requestsNotRefused(
  port: number,
  backend: RawBackend,
  corpus: readonly CorpusCase[],
  before: Uint8Array = new Uint8Array(),
): Promise<string[]> {
  const failures: string[] = [];
  for (const row of corpus) {
    if (row.kind !== "request" || row.verdict !== "reject") continue;
    backend.clear(null);
    const whole = (await exchange(port, Buffer.concat([before, row.bytes]), true)).answer;
    // The backend's answer to the good request ends in "ok".
    const answer = before.length === 0 ? whole : whole.slice(whole.indexOf("ok") + 2);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
    const want = row.reason === "head-too-large" || row.reason === "too-many-fields" ? 431 : 400;
    if (status !== want)
      failures.push(`${row.name}: answered ${status}, not ${want}: ${JSON.stringify(answer.slice(0, 80))}`);
    const leaked = leak(row, backend.received.slice(before.length === 0 ? 0 : 1));
    if (leaked !== null) failures.push(`${row.name}: the backend got ${JSON.stringify(leaked.slice(0, 120))}`);
  }
  return failures;
}

/** What the backend received beyond what it may have, or null. */
function leak(row: CorpusCase, received: readonly string[]): string | null {
  const { bodyStart, goodBytes } = judgeHttp1(row.bytes, "request");
  if (received.length === 0) return null;
  if (bodyStart < 0 || received.length > 1) return received.join("|");
  const passed = received[0] ?? "";
  const headEnd = passed.indexOf("\r\n\r\n");
  const body = headEnd < 0 ? "" : passed.slice(headEnd + 4);
  const good = Buffer.from(row.bytes.subarray(bodyStart, goodBytes)).toString("latin1");
  return good.startsWith(body) ? null : body;
}
