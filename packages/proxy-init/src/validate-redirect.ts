import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { SocketAddress } from "./flag-values.ts";
import type { Log } from "./logger.ts";

export interface ValidationOptions {
  readonly listen: SocketAddress;
  readonly connect: SocketAddress;
  readonly timeoutMs: number;
}

/** Letters and digits before the line end; as long as Linkerd's. */
const TOKEN_CHARS = 63;

/**
 * Listens at one address, connects to another and reads back a token that only the listener knows: the connection can
 * have reached the listener by redirection alone.
 *
 * @throws Error saying what happened instead: refused, another answer, no answer in time, interrupted
 */
export async function validateRedirect(options: ValidationOptions, interrupted: AbortSignal, log: Log): Promise<void> {
  const signal = AbortSignal.any([interrupted, deadline(options.timeoutMs)]);
  const token = makeToken();
  const peers = new Set<Socket>();
  const server = createServer((peer) => {
    log("debug", `accepted a connection from ${peer.remoteAddress}`);
    peers.add(peer);
    peer.once("close", () => peers.delete(peer));
    peer.once("error", (error) => log("debug", `an accepted connection failed: ${error.message}`));
    peer.end(token);
  });
  try {
    await listen(server, options.listen, signal);
    const answer = await readAnswer(options.connect, token.length, signal);
    if (answer !== token)
      throw new Error(answer === "" ? "the connection was closed without an answer" : "another server answered");
  } finally {
    server.close();
    for (const peer of peers) peer.destroy();
  }
}

function deadline(timeoutMs: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs).unref();
  return controller.signal;
}

async function listen(server: Server, { host, port }: SocketAddress, signal: AbortSignal): Promise<void> {
  server.listen({ host, port });
  await once(server, "listening", { signal });
}

/** Reads until the peer ends or has sent more than `expectedChars`, which is one too many already. */
function readAnswer({ host, port }: SocketAddress, expectedChars: number, signal: AbortSignal): Promise<string> {
  const socket = connect({ host, port });
  let answer = "";
  return new Promise<string>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    socket.on("data", (bytes: Buffer) => {
      answer += bytes.toString("latin1");
      if (answer.length > expectedChars) resolve(answer);
    });
    socket.once("end", () => resolve(answer));
    socket.once("error", reject);
  }).finally(() => {
    socket.destroy();
  });
}

function makeToken(): string {
  let token = "";
  // Base 36 digits of random bytes; what a byte's value makes of them does not matter, only that nobody else knows it.
  while (token.length < TOKEN_CHARS) token += randomBytes(8).readUInt32BE().toString(36);
  return `${token.slice(0, TOKEN_CHARS)}\n`;
}
