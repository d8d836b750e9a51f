import { parseDurationMs } from "@bowline/contracts";
import { CommandFailure } from "../io.ts";

const RETRY_MS = 100;
const ATTEMPT_TIMEOUT_MS = 1_000;

/**
 * Waits for the pod's proxy to be ready; an ordinary sidecar's postStart hook runs it, which holds up the containers
 * behind it.
 *
 * @throws CommandFailure when the time is over, or a text is no port or duration
 */
export async function awaitProxy(port: string, timeout: string): Promise<void> {
  const timeoutMs = parseDurationMs(timeout);
  if (timeoutMs === null) throw new CommandFailure(`--timeout ${timeout}: not a duration such as 90s`);
  if (!/^[0-9]{1,5}$/.test(port) || Number(port) > 65_535) throw new CommandFailure(`--port ${port}: not a port`);
  const url = `http://127.0.0.1:${port}/ready`;
  const deadline = performance.now() + timeoutMs;
  while (!(await isReady(url))) {
    if (performance.now() >= deadline) throw new CommandFailure(`the proxy was not ready within ${timeout} (${url})`);
    await Bun.sleep(RETRY_MS);
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS), proxy: "" });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    // Nobody listens yet.
    return false;
  }
}
