import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, Errno } from "@bowline/sys";
import type { Agenda } from "./scripted-io-agenda.ts";
import { ByteQueue } from "./scripted-io-bytes.ts";
import type { Adversity, Random } from "./scripted-io-random.ts";

/** What all parts of one simulated world share. */
export interface World {
  readonly random: Random;
  readonly agenda: Agenda;
  readonly adversity: Adversity;
}

const EndState = { Connecting: 0, Established: 1, Closed: 2 } as const;
type EndState = (typeof EndState)[keyof typeof EndState];

/**
 * One end of a TCP connection, as Linux keeps it. Both ends are of this class, the one behind an fd of the code under
 * test and the one that a script plays. The wire between them is the rest of the sender's queue: `#deliver` moves it
 * into the receiver's, as far as that has room.
 */
export class TcpEnd {
  readonly received: ByteQueue = new ByteQueue();
  /** Called after anything here has changed; the script's side acts on it. */
  onChange: () => void = () => undefined;
  readonly #world: World;
  readonly #toSend = new ByteQueue();
  readonly #sendCapacity: number;
  readonly #receiveCapacity: number;
  #other: TcpEnd | null = null;
  #state: EndState = EndState.Connecting;
  /** shutdown(SHUT_WR) was called; the FIN has reached the other end; the other's has reached this one. */
  #finQueued = false;
  #finDelivered = false;
  #finReceived = false;
  /** The pending error (sk_err), which the first call to ask takes away. */
  #error = 0;
  /** Nobody has this socket open any more; the kernel finishes what it began. */
  #orphan = false;
  #deliveryPlanned = false;
  /** As the kernel counts: the SYN of the connecting end and the FIN are one each. */
  #acknowledged = 0;

  constructor(world: World) {
    this.#world = world;
    this.#sendCapacity = world.random.pick(world.adversity.socketBufferBytes);
    this.#receiveCapacity = world.random.pick(world.adversity.socketBufferBytes);
  }

  get connecting(): boolean {
    return this.#state === EndState.Connecting;
  }

  get closed(): boolean {
    return this.#state === EndState.Closed;
  }

  get orphan(): boolean {
    return this.#orphan;
  }

  get finReceived(): boolean {
    return this.#finReceived;
  }

  get acknowledgedBytes(): number {
    return this.#acknowledged;
  }

  /** The handshake is done. `this` is the end that connected. */
  establish(accepting: TcpEnd): void {
    this.#other = accepting;
    accepting.#other = this;
    this.#state = EndState.Established;
    accepting.#state = EndState.Established;
    this.#acknowledged = 1;
    this.onChange();
    accepting.onChange();
  }

  /** The attempt to connect failed, or the connection did: ECONNREFUSED, ETIMEDOUT. */
  fail(errno: number): void {
    if (this.closed) return;
    this.#state = EndState.Closed;
    this.#error = errno;
    this.#toSend.clear();
    this.onChange();
  }

  /** A RST arrives (net/ipv4/tcp_input.c, tcp_reset). What was received before stays readable. */
  resetArrives(): void {
    // After the peer's FIN Linux calls it EPIPE: the stream was complete, only writing is over.
    this.fail(this.#finReceived ? Errno.EPIPE : Errno.ECONNRESET);
  }

  /** tcp_poll. */
  poll(): number {
    const closed = this.closed;
    let events = this.#error === 0 ? 0 : EPOLLERR;
    if (closed || (this.#finReceived && this.#finQueued)) events |= EPOLLHUP;
    if (closed || this.#finReceived) events |= EPOLLIN | EPOLLRDHUP;
    if (this.received.length > 0) events |= EPOLLIN;
    // Writable again only when a third of the buffer is free (sk_stream_is_writeable).
    const roomy = this.#toSend.length * 3 <= this.#sendCapacity * 2;
    if (!this.connecting && (closed || this.#finQueued || roomy)) events |= EPOLLOUT;
    return events;
  }

  /** Bytes that a receive would give now, 0 at the end, or -errno; the error is taken (tcp_recvmsg). */
  receivable(): number {
    if (this.received.length > 0) return this.received.length;
    if (this.#finReceived) return 0;
    if (this.#error !== 0) return -this.takeError();
    return this.closed ? 0 : -Errno.EAGAIN;
  }

  /** Takes received bytes, which opens the window for more. */
  take(bytes: number): Uint8Array {
    const taken = this.received.take(bytes);
    this.#other?.planDelivery();
    return taken;
  }

  /** Bytes that a send would take now, or -errno; the error is taken (tcp_sendmsg). */
  sendable(): number {
    if (this.#error !== 0) return -this.takeError();
    if (this.connecting) return -Errno.EAGAIN;
    if (this.closed || this.#finQueued) return -Errno.EPIPE;
    const room = this.#sendCapacity - this.#toSend.length;
    return room > 0 ? room : -Errno.EAGAIN;
  }

  send(bytes: Uint8Array): void {
    this.#toSend.push(bytes);
    this.planDelivery();
  }

  takeError(): number {
    const error = this.#error;
    this.#error = 0;
    return error;
  }

  /** 0 or -errno. Not for a connecting end, which Linux would disconnect. */
  shutdownWrite(): number {
    if (this.closed) return -Errno.ENOTCONN;
    this.#finQueued = true;
    this.planDelivery();
    return 0;
  }

  /** The orderly close: with unread bytes it becomes a reset (tcp_close). */
  close(): void {
    if (this.received.length > 0) {
      this.reset();
      return;
    }
    this.#orphan = true;
    if (this.connecting) this.#state = EndState.Closed;
    if (this.closed) return;
    this.#finQueued = true;
    this.planDelivery();
  }

  /** Close with SO_LINGER 0: RST, unless both directions had ended already (tcp_disconnect, tcp_need_reset). */
  reset(): void {
    this.#orphan = true;
    const wasOpen = this.#state === EndState.Established;
    // The FIN is on its way then, and arrives.
    if (this.#finReceived && this.#finQueued && this.#toSend.length === 0) return;
    this.#state = EndState.Closed;
    const other = this.#other;
    if (!wasOpen || other === null) {
      this.#toSend.clear();
      return;
    }
    const { random, agenda, adversity } = this.#world;
    // Some of it may be on its way already; the rest is lost.
    const onTheWay = random.chance(adversity.partialDelivery) ? random.between(0, this.#toSend.length) : 0;
    const last = this.#toSend.take(Math.min(onTheWay, other.#room()));
    this.#toSend.clear();
    agenda.after(random.fraction() * adversity.latencyMsMax, () => {
      if (!other.closed && !other.#orphan) other.received.push(last);
      other.resetArrives();
    });
  }

  /** Something may have become deliverable: bytes or FIN here, or room at the other end. */
  planDelivery(): void {
    const nothing = this.#toSend.length === 0 && (!this.#finQueued || this.#finDelivered);
    if (this.#deliveryPlanned || nothing || this.#state !== EndState.Established) return;
    this.#deliveryPlanned = true;
    const { random, agenda, adversity } = this.#world;
    agenda.after(random.fraction() * adversity.latencyMsMax, () => {
      this.#deliveryPlanned = false;
      if (this.#state === EndState.Established && this.#other !== null) this.#deliver(this.#other);
    });
  }

  #deliver(other: TcpEnd): void {
    if (this.#toSend.length > 0) {
      // Bytes for a socket that is gone are answered with a reset.
      if (other.closed || other.#orphan) this.resetArrives();
      else this.#deliverBytes(other);
    } else if (this.#finQueued && !this.#finDelivered) {
      this.#finDelivered = true;
      this.#acknowledged++;
      if (other.closed) return;
      other.#finReceived = true;
      other.onChange();
    }
  }

  #deliverBytes(other: TcpEnd): void {
    const { random, adversity } = this.#world;
    const possible = Math.min(this.#toSend.length, other.#room());
    // Reading there plans the next attempt.
    if (possible === 0) return;
    const bytes = random.chance(adversity.partialDelivery) ? random.upTo(possible) : possible;
    other.received.push(this.#toSend.take(bytes));
    this.#acknowledged += bytes;
    this.planDelivery();
    other.onChange();
    this.onChange();
  }

  #room(): number {
    return this.#receiveCapacity - this.received.length;
  }

  /** For a person who reads a failure. */
  describe(): string {
    const state = Object.entries(EndState).find(([, value]) => value === this.#state)?.[0];
    const flags = [
      this.#finQueued && (this.#finDelivered ? "FIN sent" : "FIN queued"),
      this.#finReceived && "FIN received",
      this.#error !== 0 && `error ${this.#error}`,
      this.#orphan && "orphan",
    ].filter(Boolean);
    return `${state} ${flags.join(", ")} unread ${this.received.length} unsent ${this.#toSend.length}`;
  }
}
