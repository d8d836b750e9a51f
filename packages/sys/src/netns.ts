import { closeSync, openSync, writeSync } from "node:fs";
import { errnoName } from "./errno.ts";
import { libc, sysResult } from "./libc.ts";

const CLONE_NEWNET = 0x40000000;
const OWN_NAMESPACE = "/proc/thread-self/ns/net";
const STDERR = 2;

/**
 * Moves the calling thread, and only it, into the network namespace that `fd` (an open /run/netns/NAME or
 * /proc/PID/ns/net) stands for: sockets it makes from now on are that namespace's. 0 or -errno.
 */
export function enterNetNamespace(fd: number): number {
  return sysResult(libc.setns(fd, CLONE_NEWNET));
}

/** The thread is inside a `within`; workers have a module of their own, so this is per thread. */
let inside = false;

/**
 * A network namespace held open, to make sockets in it from this process.
 *
 * A socket belongs for good to the namespace of the thread that made it. `Bun.listen`, `Bun.connect` to a numeric
 * address, `Bun.udpSocket` and `Bun.serve` make theirs before they return; what does it later or on another thread
 * (fetch, node:dgram, names that have to be looked up) gets one of the process's own namespace.
 */
export class NetNamespaceHandle {
  readonly #there: number;
  #open = true;

  private constructor(there: number) {
    this.#there = there;
  }

  /** @param path /run/netns/NAME or /proc/PID/ns/net. Throws as `openSync` does. */
  static open(path: string): NetNamespaceHandle {
    return new NetNamespaceHandle(openSync(path, "r"));
  }

  /**
   * Runs `run` with the thread in the namespace and returns what it returns; the thread is back before anyone else
   * runs, also when `run` throws. Keep `run` to making the socket: a thread that the runtime starts meanwhile would stay.
   * Throws when the namespace cannot be entered.
   *
   * @param run synchronous; what it leaves for later happens outside
   */
  within<T>(run: () => T): T {
    if (!this.#open) throw new Error("the namespace's handle is closed");
    if (inside) throw new Error("within() inside of within(): sockets would be made in the wrong namespace");
    const home = openSync(OWN_NAMESPACE, "r");
    try {
      const result = enterNetNamespace(this.#there);
      if (result < 0) throw new Error(`cannot enter the network namespace: ${errnoName(-result)}`);
      inside = true;
      try {
        return run();
      } finally {
        comeBack(home);
        inside = false;
      }
    } finally {
      closeSync(home);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#there);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A process that went on in a stranger's namespace would open its sockets there: it ends instead. */
function comeBack(home: number): void {
  const result = enterNetNamespace(home);
  if (result === 0) return;
  writeSync(STDERR, `fatal: cannot leave a network namespace: ${errnoName(-result)}\n`);
  process.abort();
}
