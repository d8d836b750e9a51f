import { createServer } from "node:net";

export interface WaitOptions {
  /** Default 5,000. */
  readonly timeoutMs?: number;
  /** What is awaited, for the failure's message: "the proxy's ready line". */
  readonly what: string;
  /** Default 10. */
  readonly intervalMs?: number;
}

/**
 * Asks `condition` again and again until it gives something truthy, and returns that. An exception from it counts as
 * "not yet"; the last one becomes the cause of the failure.
 *
 * @throws Error naming `what` when `timeoutMs` has passed
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 5_000, what, intervalMs = 10 }: WaitOptions,
): Promise<Exclude<T, false | null | undefined | 0 | "">> {
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as Exclude<T, false | null | undefined | 0 | "">;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause });
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

/** A TCP port of the loopback that was free a moment ago, for programs that cannot be told to bind port 0. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === "string") reject(new Error("the listener has no port"));
        else resolve(address.port);
      });
    });
  });
}
