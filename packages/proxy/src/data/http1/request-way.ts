import type { Buf } from "@bowline/loop";
import type { Head } from "@bowline/wire";

/** How the requests of one client connection go on to a server, and their responses come back: one at a time. */
export interface RequestWay {
  /** Bytes of the request and of its response that wait for somebody to take them. */
  readonly waitingBytes: number;
  /** Nobody will take the rest of the request. */
  readonly requestUnwanted: boolean;
  /**
   * Begins with a request whose head is complete and marked, and with what there is of its body behind the head.
   * Returns where the bytes begin that were not taken, or -1 when the request is over already: it has failed.
   */
  begin(buf: Buf, head: Head, end: number): number;
  /** Takes more of the request's body; returns as `begin` does. */
  takeBody(buf: Buf, at: number, end: number): number;
  /** The client takes response bytes again. */
  onClientDrained(): void;
  /** Request and response are complete. */
  finish(): void;
  /** The response is complete, the request is not, and never will be. */
  stop(): void;
  /** The request has failed before there was a response: it is counted, and forgotten. */
  fail(): void;
  /** Nobody waits for the response any more. */
  reset(): void;
}
