import {
  EPOLLIN,
  Errno,
  encodeSockaddr,
  isIpv4,
  SOCKADDR_BYTES,
  Source,
  sockaddrIp,
  sockaddrPort,
  Timer,
  type TimerOwner,
} from "@bowline/loop";
import type { SocketAddr } from "../config/types.ts";
import { logTarget } from "../log/target.ts";
import { Cause } from "./failures.ts";
import type { Side } from "./side.ts";
import type { Target } from "./target.ts";

/** Connections accepted per turn: enough to empty a backlog quickly, few enough not to starve the open ones. */
const ACCEPTS_PER_TURN = 64;
/** Without a free file descriptor, accepting waits this long for connections to end. */
const PAUSE_MS = 50;

const TARGET = logTarget("accept");

/** Accepts a side's connections and finds out where each was going. */
export class Listener extends Source implements TimerOwner {
  readonly #side: Side;
  readonly #listenerFd: number;
  readonly #address: SocketAddr;
  readonly #overIpv6: boolean;
  readonly #original: Uint8Array = new Uint8Array(SOCKADDR_BYTES);
  readonly #pauseTimer: Timer = new Timer(this, 0);
  /** Where connections without an original destination go (2018), or null. */
  readonly #forward: Target | null;

  constructor(side: Side, fd: number, address: SocketAddr, forward: SocketAddr | null) {
    super();
    this.#side = side;
    this.#listenerFd = fd;
    this.#address = address;
    this.#overIpv6 = !isIpv4(encodeSockaddr(address.ip, address.port));
    this.#forward = forward === null ? null : side.targets.find(encodeSockaddr(forward.ip, forward.port));
    // It is the same target for as long as this listens, and its series must not expire in between.
    this.#forward?.series.pin();
    side.plane.reactor.add(this, fd, EPOLLIN);
  }

  override onReady(_events: number): void {
    const { reactor, log } = this.#side.plane;
    for (let i = 0; i < ACCEPTS_PER_TURN; i++) {
      const fd = reactor.io.accept(this.#listenerFd);
      if (fd >= 0) {
        this.#accepted(fd);
        continue;
      }
      if (fd === -Errno.EAGAIN) return;
      // A connection that ended while it waited (ECONNABORTED and the like) says nothing about the next one.
      if (!isExhaustion(-fd)) continue;
      log.warn(TARGET, "no file descriptor left: accepting pauses", { errno: -fd });
      reactor.want(this, 0);
      reactor.after(this.#pauseTimer, PAUSE_MS);
      return;
    }
  }

  onTimer(_kind: number): void {
    if (this.fd >= 0) this.#side.plane.reactor.want(this, EPOLLIN);
  }

  /** Takes what is waiting and stops accepting. The fd stays open: it belongs to the main thread. */
  stop(): void {
    if (this.fd < 0) return;
    this.onReady(EPOLLIN);
    const { reactor } = this.#side.plane;
    reactor.io.unwatch(this.#listenerFd);
    reactor.remove(this);
    this.#pauseTimer.cancel();
  }

  #accepted(fd: number): void {
    const side = this.#side;
    const { io } = side.plane.reactor;
    if (io.originalDestination(fd, this.#overIpv6, this.#original) !== 0) {
      io.reset(fd);
      return;
    }
    const target = this.#targetOf(this.#original);
    if (!side.plane.isAllowed(side.direction, target.ip)) {
      side.failed(target, Cause.DestinationNotAllowed, false, target.ip);
      io.reset(fd);
      return;
    }
    side.connections.acquire().accept(fd, target);
  }

  #targetOf(original: Uint8Array): Target {
    if (this.#forward !== null && sockaddrPort(original) === this.#address.port) {
      const { ip } = this.#address;
      if (ip === "0.0.0.0" || ip === "::" || ip === sockaddrIp(original)) return this.#forward;
    }
    return this.#side.targets.find(original);
  }
}

function isExhaustion(errno: number): boolean {
  return errno === Errno.EMFILE || errno === Errno.ENFILE || errno === Errno.ENOBUFS || errno === Errno.ENOMEM;
}
