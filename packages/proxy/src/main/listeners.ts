import type { Direction } from "@bowline/contracts";
import {
  closeFd,
  Errno,
  encodeSockaddr,
  errnoName,
  formatAddress,
  listenTcp,
  localAddress,
  SOCKADDR_BYTES,
  sockaddrPort,
} from "@bowline/loop";
import type { BoundListener } from "../boundary.ts";
import type { Config, DirectionConfig, SocketAddr } from "../config/types.ts";

/** A proxy port could not be bound. */
export class ListenError extends Error {
  readonly code = "LISTEN";
}

const RETRY_MS = 100;

/**
 * Binds the proxy's ports, once per data thread (SO_REUSEPORT spreads connections over them). An address that is in use
 * or not there yet is tried again until the bind timeout. Rejects with ListenError.
 */
export async function bindListeners(config: Config): Promise<BoundListener[][]> {
  const deadlineMs = performance.now() + config.bindTimeoutMs;
  const perThread: BoundListener[][] = Array.from({ length: config.dataThreads }, () => []);
  for (const direction of ["inbound", "outbound"] as const) {
    for (const wanted of config[direction].listenAddrs) {
      let address = wanted;
      for (const listeners of perThread) {
        const fd = await bind(direction, config[direction], address, config.dataThreads > 1, deadlineMs);
        address = { ip: wanted.ip, port: boundPort(fd) };
        listeners.push({ direction, fd, address });
      }
    }
  }
  return perThread;
}

export function closeListeners(perThread: readonly (readonly BoundListener[])[]): void {
  for (const { fd } of perThread.flat()) closeFd(fd);
}

async function bind(
  direction: Direction,
  config: DirectionConfig,
  { ip, port }: SocketAddr,
  reusePort: boolean,
  deadlineMs: number,
): Promise<number> {
  const options = { keepaliveMs: config.acceptKeepaliveMs, userTimeoutMs: config.acceptUserTimeoutMs };
  for (;;) {
    const fd = listenTcp(encodeSockaddr(ip, port), config.listenBacklog, reusePort, options);
    if (fd >= 0) return fd;
    const mayPass = fd === -Errno.EADDRINUSE || fd === -Errno.EADDRNOTAVAIL;
    if (!mayPass || performance.now() >= deadlineMs) {
      throw new ListenError(`the ${direction} side cannot listen on ${formatAddress(ip, port)}: ${errnoName(-fd)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

function boundPort(fd: number): number {
  const sockaddr = new Uint8Array(SOCKADDR_BYTES);
  localAddress(fd, sockaddr);
  return sockaddrPort(sockaddr);
}
