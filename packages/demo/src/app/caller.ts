// Calls the shop at a steady rate over kept connections until it is told to stop, then says how that went in one line
// of JSON. It knows nothing of proxies. Usage: bun caller.ts URL REQUESTS_PER_SECOND

/** What is asked for, in turn: mostly the cheap page, seldom the dear one. */
const PATHS: readonly string[] =
  "/ /search / /checkout / / /search / / /checkout / / /search / /report / /checkout / /search /".split(" ");

/** A server that hangs must not make this program pile up requests. */
const IN_FLIGHT_MAX = 64;
const ANSWER_TIMEOUT_MS = 5_000;
const TICK_MS = 10;

const [base = "", perSecond = "100"] = process.argv.slice(2);
const counts = { sent: 0, succeeded: 0, failed: 0, unanswered: 0 };
const inFlight = new Set<Promise<void>>();
const startedMs = performance.now();
let skipped = 0;

const ticking = setInterval(() => {
  const due = Math.floor(((performance.now() - startedMs) / 1000) * Number(perSecond));
  while (counts.sent + skipped < due) {
    if (inFlight.size < IN_FLIGHT_MAX) send();
    else skipped += 1;
  }
}, TICK_MS);

process.once("SIGTERM", () => void stop());

function send(): void {
  const path = PATHS[counts.sent % PATHS.length] ?? "/";
  counts.sent += 1;
  const one = call(path).finally(() => inFlight.delete(one));
  inFlight.add(one);
}

async function call(path: string): Promise<void> {
  try {
    const response = await fetch(`${base}${path}`, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    await response.text();
    if (response.ok) counts.succeeded += 1;
    else counts.failed += 1;
  } catch (error) {
    counts.unanswered += 1;
    console.error(`GET ${path}: ${String(error)}`);
  }
}

async function stop(): Promise<void> {
  clearInterval(ticking);
  await Promise.all(inFlight);
  console.log(JSON.stringify(counts));
  process.exit(0);
}

// Nothing is exported: this makes the file a module, whose names are its own.
export {};
