import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { endpointText } from "./addresses.ts";
import { inNamespace } from "./run-in-namespace.ts";
import { SocketStream, socketStreamHandler } from "./socket-stream.ts";

const DIAL_DEADLINE_MS = 5_000;

/**
 * Connects from within the network namespace at path `netns`; see `PodNetwork.dial`.
 *
 * @param host an address: names would be looked up elsewhere
 */
export async function dialFrom(
  netns: string,
  host: string,
  port: number,
  deadlineMs: number = DIAL_DEADLINE_MS,
): Promise<Duplex> {
  if (isIP(host) === 0) throw new Error(`cannot dial ${host}: it is not an address`);
  const stream = new SocketStream();
  const connecting = inNamespace(netns, () =>
    Bun.connect<SocketStream>({
      hostname: host,
      port,
      allowHalfOpen: true,
      data: stream,
      socket: { ...socketStreamHandler, open: (socket) => stream.socketOpen(socket), connectError: () => {} },
    }),
  );
  const outcome = connecting.then(
    () => undefined,
    (error: unknown) => error,
  );
  const timeout = Promise.withResolvers<Error>();
  const timer = setTimeout(() => timeout.resolve(dialError("ETIMEDOUT", host, port)), deadlineMs);
  const error = await Promise.race([outcome, timeout.promise]);
  clearTimeout(timer);
  if (error === undefined) return stream;
  // Should it still come about, `socketOpen` ends it.
  stream.on("error", () => {}).destroy();
  throw error instanceof Error && codeOf(error) === "ETIMEDOUT" ? error : dialError(codeOf(error), host, port);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "ECONNREFUSED";
}

function dialError(code: string, host: string, port: number): Error {
  return Object.assign(new Error(`dial tcp ${endpointText(host, port)}: ${MEANINGS[code] ?? code}`), { code });
}

/** As Go words them, which is what people know from a kubelet's events. */
const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  ECONNRESET: "connect: connection reset by peer",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ETIMEDOUT: "i/o timeout",
};
