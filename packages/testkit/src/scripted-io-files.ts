import { EPOLLIN, EPOLLOUT, Errno } from "@bowline/sys";
import type { ScriptedPeer } from "./scripted-io-peer.ts";
import type { TcpEnd, World } from "./scripted-io-tcp.ts";

export const PAGE_BYTES = 4096;

/** What an fd of the simulated kernel stands for. */
export type KernelFile = SocketFile | ListenerFile | PipeEndFile;

/** A connection waiting in a listener's backlog. */
export interface Waiting {
  readonly end: TcpEnd;
  readonly localAddress: string;
  readonly peerAddress: string;
  /** Where it was going before it was redirected; empty when it was not. */
  readonly originalDestination: string;
  /** The script's side; null when the code under test connected to itself. */
  readonly peer: ScriptedPeer | null;
}

export class SocketFile {
  readonly kind = "socket";
  readonly end: TcpEnd;
  readonly localAddress: string;
  readonly peerAddress: string;
  readonly originalDestination: string;
  /** Accepted by an IPv6 listener: its IPv4 addresses are mapped ones. */
  readonly overIpv6Listener: boolean;
  /** The code under test has read the end of the stream. */
  endTold = false;

  constructor(connection: Omit<Waiting, "peer">, overIpv6Listener: boolean) {
    this.end = connection.end;
    this.localAddress = connection.localAddress;
    this.peerAddress = connection.peerAddress;
    this.originalDestination = connection.originalDestination;
    this.overIpv6Listener = overIpv6Listener;
  }

  poll(): number {
    return this.end.poll();
  }

  describe(): string {
    return `socket ${this.localAddress} - ${this.peerAddress}: ${this.end.describe()}`;
  }
}

export class ListenerFile {
  readonly kind = "listener";
  readonly address: string;
  readonly ipv6: boolean;
  readonly backlogMax: number;
  readonly waiting: Waiting[] = [];
  open = true;

  constructor(address: string, backlogMax: number) {
    this.address = address;
    this.ipv6 = address.startsWith("[");
    this.backlogMax = backlogMax;
  }

  poll(): number {
    return this.waiting.length > 0 ? EPOLLIN : 0;
  }

  /** Linux resets what nobody has accepted. */
  close(): void {
    this.open = false;
    for (const { end } of this.waiting.splice(0)) end.reset();
  }

  describe(): string {
    return `listener ${this.address}: ${this.waiting.length} waiting`;
  }
}

/** A kernel pipe: a ring of page slots, each of which a spliced fragment fills alone, however short it is. */
export class PipeBuffer {
  readonly #slotsMax: number;
  readonly #fragments: Uint8Array[] = [];

  constructor(slotsMax: number) {
    this.#slotsMax = slotsMax;
  }

  get capacityBytes(): number {
    return this.#slotsMax * PAGE_BYTES;
  }

  get length(): number {
    return this.#fragments.reduce((sum, fragment) => sum + fragment.length, 0);
  }

  get freeSlots(): number {
    return this.#slotsMax - this.#fragments.length;
  }

  /** Moves up to `bytes` from the socket in; bytes moved, 0 at the end, or -errno. */
  fill(from: TcpEnd, bytes: number, { random, adversity }: World): number {
    if (this.freeSlots === 0) return -Errno.EAGAIN;
    const receivable = from.receivable();
    if (receivable <= 0) return receivable;
    let left = Math.min(bytes, receivable);
    let moved = 0;
    while (left > 0 && this.freeSlots > 0) {
      const whole = Math.min(left, PAGE_BYTES);
      const fragment = from.take(random.chance(adversity.shortMove) ? random.upTo(whole) : whole);
      this.#fragments.push(fragment);
      left -= fragment.length;
      moved += fragment.length;
    }
    return moved;
  }

  /** Moves up to `bytes` out into the socket; bytes moved or -errno. What it does not take stays here. */
  drain(to: TcpEnd, bytes: number): number {
    if (this.#fragments.length === 0) return -Errno.EAGAIN;
    const sendable = to.sendable();
    if (sendable < 0) return sendable;
    let left = Math.min(bytes, sendable);
    let moved = 0;
    while (left > 0 && this.#fragments.length > 0) {
      const first = this.#fragments[0]!;
      const part = first.subarray(0, left);
      to.send(part);
      if (part.length === first.length) this.#fragments.shift();
      else this.#fragments[0] = first.subarray(part.length);
      left -= part.length;
      moved += part.length;
    }
    return moved;
  }
}

export class PipeEndFile {
  readonly kind = "pipe end";
  readonly pipe: PipeBuffer;
  readonly writes: boolean;

  constructor(pipe: PipeBuffer, writes: boolean) {
    this.pipe = pipe;
    this.writes = writes;
  }

  poll(): number {
    if (this.writes) return this.pipe.freeSlots > 0 ? EPOLLOUT : 0;
    return this.pipe.length > 0 ? EPOLLIN : 0;
  }

  describe(): string {
    return `${this.writes ? "write" : "read"} end of a pipe with ${this.pipe.length} bytes`;
  }
}
