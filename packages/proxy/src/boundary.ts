import type { Direction } from "@bowline/contracts";
import type { Snapshot } from "@bowline/metrics";
import type { EndpointsUpdate, Outbound } from "@bowline/model";
import type { Config, SocketAddr } from "./config/types.ts";
import type { LogRecord } from "./log/format.ts";

// Everything that passes between the main thread and a data thread.
//
//   main ── ToData ──▶ port, then wake(wakeFd) ──▶ data   the data thread waits in epoll, not on its port: the eventfd
//                                                         wakes it, and it drains the port with receiveMessageOnPort
//   main ◀── FromData ── port ◀────────────────── data   an ordinary message event in the main thread
//
//   shared memory    written by   read by
//   beats[0]         data         main: a turn counter; a data thread that stops counting is stuck, and replaced
//   openFds[fd]      data         main: 1 while the data thread has fd open; closed by main when the thread is gone
//
// Discovery. A data thread holds what it asked for until it lets go of it, and decides itself when something is idle:
//
//   data: discover t ─▶ main: outbound t, again with every change ─▶ data: undiscover t
//   data: resolve p ──▶ main: endpoints p (the first is a reset or gone), then changes ──▶ data: unresolve p
//
// Main has one stream to the control plane for each t and p, whatever number of threads hold it. It says nothing until it
// knows something: while the control plane is away, a new t or p waits, and an old one keeps what was said last. Messages
// that were under way when a thread let go still arrive: the thread ignores what it does not hold, and deltas before the
// first reset. Asking again for what is held is harmless. A thread that ends lets go of everything; the next asks anew.

/** Asked of a data thread. */
export type ToData =
  | { readonly kind: "snapshot"; readonly id: number }
  | { readonly kind: "log-filter"; readonly text: string }
  /** Stop accepting, finish what is in flight, say `drained` when nothing is open any more. */
  | { readonly kind: "drain" }
  /** All that is known about a target, replacing what was said before. */
  | { readonly kind: "outbound"; readonly target: string; readonly outbound: Outbound }
  /**
   * A word of the control plane about a path, passed on even when it changes nothing: it confirms the rest, too. After
   * each new subscription there is a reset, which mostly changes little.
   */
  | { readonly kind: "endpoints"; readonly path: string; readonly update: EndpointsUpdate };

/** Said by a data thread. */
export type FromData =
  | { readonly kind: "started" }
  | { readonly kind: "snapshot"; readonly id: number; readonly snapshot: Snapshot }
  | { readonly kind: "log"; readonly record: LogRecord }
  /** From now on the listening sockets are the main thread's alone: it closes them, so that new clients are refused. */
  | { readonly kind: "stopped-accepting" }
  | { readonly kind: "drained" }
  /** `target` is an original destination, `ip:port` or `[ipv6]:port`, or an authority, `name:port`. */
  | { readonly kind: "discover"; readonly target: string }
  | { readonly kind: "undiscover"; readonly target: string }
  /** `path` is `name:port`, as policies and profiles give it. */
  | { readonly kind: "resolve"; readonly path: string }
  | { readonly kind: "unresolve"; readonly path: string };

/** A listening socket opened by the main thread, so that it survives a data thread. */
export interface BoundListener {
  readonly direction: Direction;
  readonly fd: number;
  readonly address: SocketAddr;
}

/** A data thread's workerData. */
export interface DataThreadStart {
  readonly config: Config;
  readonly logFilter: string;
  /** As shown in log lines: 2 for the first data thread. */
  readonly thread: number;
  readonly listeners: readonly BoundListener[];
  readonly wakeFd: number;
  readonly beats: Int32Array;
  readonly openFds: Uint8Array;
}
