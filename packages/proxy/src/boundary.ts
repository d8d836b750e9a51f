import type { Direction } from "@bowline/contracts";
import type { Snapshot } from "@bowline/metrics";
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

/** Asked of a data thread. */
export type ToData =
  | { readonly kind: "snapshot"; readonly id: number }
  | { readonly kind: "log-filter"; readonly text: string }
  /** Stop accepting, finish what is in flight, say `drained` when nothing is open any more. */
  | { readonly kind: "drain" };

/** Said by a data thread. */
export type FromData =
  | { readonly kind: "started" }
  | { readonly kind: "snapshot"; readonly id: number; readonly snapshot: Snapshot }
  | { readonly kind: "log"; readonly record: LogRecord }
  /** From now on the listening sockets are the main thread's alone: it closes them, so that new clients are refused. */
  | { readonly kind: "stopped-accepting" }
  | { readonly kind: "drained" };

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
