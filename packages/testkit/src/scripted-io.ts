/**
 * A simulated Linux for tests of the loop and of what is built on it: everything is drawn from one seed, so the same
 * seed is the same run, and the clock is simulated, so that minutes cost nothing. The code under test gets it as its
 * `Io`; the test plays the applications on the other side and the network between.
 *
 *     const kernel = new ScriptedIo({ seed: 7 });
 *     const reactor = new Reactor(kernel);
 *     const listener = kernel.listener("10.0.0.1:4140");
 *     startProxy(reactor, listener.fd);
 *
 *     kernel.onConnect("10.1.2.3:80", (server) => {
 *       server.onData = (bytes) => server.send(bytes);
 *       server.onEnd = () => server.end();
 *     });
 *     const client = kernel.client(listener, { originalDestination: "10.1.2.3:80" });
 *     client.send("hello");
 *     client.end();
 *     kernel.run(() => reactor.turn(), () => client.ended);
 *     expect(client.receivedText()).toBe("hello");
 *     kernel.assertNothingOpen();
 *
 * Without `adversity` the world is hostile in ways that the seed picks (see `hostile`): short reads and writes, EAGAIN
 * although epoll said ready, random order, spurious wake-ups, latency, tiny buffers. `adversity: CALM` turns all of it
 * off; single settings can be given as well. Resets by the network and EMFILE happen only when asked for.
 *
 * What it throws is a ScriptedIoError with the seed, the open fds and the last calls: calls on closed or foreign fds,
 * double close, watching what cannot be watched, memory outside a buffer, a receive of 0 bytes, a loop that spins.
 * Bytes of a buffer behind a short receive are overwritten, so that nobody gets away with reading them.
 */

import type { Buf, Destination, Io } from "@bowline/loop";
import { addressOf, Errno, type Pipe, type TcpOptions } from "@bowline/sys";
import { addressText, writeSockaddr } from "./scripted-io-address.ts";
import { Agenda } from "./scripted-io-agenda.ts";
import { ListenerFile, PAGE_BYTES, PipeBuffer, PipeEndFile, SocketFile } from "./scripted-io-files.ts";
import { type ConnectOutcome, ScriptedNetwork } from "./scripted-io-network.ts";
import type { ScriptedPeer } from "./scripted-io-peer.ts";
import { type Adversity, hostile, Random } from "./scripted-io-random.ts";
import { FdTable } from "./scripted-io-table.ts";
import { TcpEnd, type World } from "./scripted-io-tcp.ts";
import { Watches } from "./scripted-io-watches.ts";

export interface ScriptedIoOptions {
  readonly seed: number;
  /** Over what the seed picks. */
  readonly adversity?: Partial<Adversity>;
  /** RLIMIT_NOFILE, counted without the three standard streams. Default 4096. */
  readonly openFilesMax?: number;
}

export interface RunLimits {
  /** Default 1,000,000; a loop that spins is caught long before. */
  readonly turnsMax?: number;
  /** Simulated time, ms. Default 10 minutes. */
  readonly forMsMax?: number;
}

export interface ClientOptions {
  /** Where the client wanted to go, as netfilter remembers it; without it the connection was not redirected. */
  readonly originalDestination?: string;
  /** The client's own address; one is made up without it. */
  readonly from?: string;
}

export interface ScriptedListener {
  readonly fd: number;
  readonly address: string;
}

const POISON = 0xdb;
const POISON_BYTES_MAX = 256;

export class ScriptedIo implements Io {
  /** What this seed has in store. */
  readonly adversity: Adversity;
  readonly #world: World;
  readonly #fds: FdTable;
  readonly #watches: Watches;
  readonly #network: ScriptedNetwork;
  readonly #openFilesMax: number;

  constructor({ seed, adversity = {}, openFilesMax = 4096 }: ScriptedIoOptions) {
    const random = new Random(seed);
    this.adversity = { ...hostile(random), ...adversity };
    this.#world = { random, agenda: new Agenda(random), adversity: this.adversity };
    this.#fds = new FdTable(`seed ${seed}, adversity ${JSON.stringify(this.adversity)}`);
    this.#watches = new Watches(this.#world, this.#fds);
    this.#network = new ScriptedNetwork(this.#world);
    this.#openFilesMax = openFilesMax;
  }

  // === The script's side

  /** A listening socket, handed to the code under test by its fd. `[::]:4140` is an IPv6 listener. */
  listener(address: string, backlogMax = 128): ScriptedListener {
    const file = new ListenerFile(address, backlogMax);
    this.#network.listen(file);
    return { fd: this.#fds.add(file, true, "listener"), address };
  }

  /** A client application connects to a listener of the code under test. */
  client(listener: ScriptedListener, options: ClientOptions = {}): ScriptedPeer {
    return this.#network.connectClient(listener.address, options.originalDestination ?? "", options.from);
  }

  /** Says what connects to `address` meet from now on; addresses that nobody spoke of refuse. */
  onConnect(address: string, outcome: ConnectOutcome): void {
    this.#network.outcomes.set(address, outcome);
  }

  /** Does something at a later time, while the code under test waits. */
  after(delayMs: number, act: () => void): void {
    this.#world.agenda.after(delayMs, act);
  }

  /** Turns the loop until the condition holds. Throws when it does not come true within the limits. */
  run(turn: () => void, until: () => boolean, limits: RunLimits = {}): void {
    const { turnsMax = 1_000_000, forMsMax = 600_000 } = limits;
    const endMs = this.nowMs() + forMsMax;
    for (let turns = 0; !until(); turns++) {
      if (turns >= turnsMax) throw this.#fds.error(`not there after ${turns} turns`);
      if (this.nowMs() >= endMs) throw this.#fds.error(`not there after ${forMsMax} ms of simulated time`);
      this.#turn(turn);
    }
  }

  /** Turns the loop for so much simulated time. */
  runFor(turn: () => void, forMs: number): void {
    const endMs = this.nowMs() + forMs;
    while (this.nowMs() < endMs) this.#turn(turn);
  }

  /** Throws when the code under test has fds open that it did not get from the script. */
  assertNothingOpen(): void {
    const leaked = this.#fds.leaked();
    if (leaked.length > 0) throw this.#fds.error(`left open:\n${leaked.join("\n")}`);
  }

  get openFds(): number {
    return this.#fds.openCount;
  }

  /** A turn that does not let time pass (`turn(0)`) would never get anywhere in a simulated world. */
  #turn(turn: () => void): void {
    const beforeMs = this.nowMs();
    turn();
    if (this.nowMs() === beforeMs) this.#watches.letTimePass(1);
  }

  // === Io: time and readiness

  nowMs(): number {
    return this.#world.agenda.nowMs;
  }

  wait(timeoutMs: number): number {
    return this.#fds.note(this.#watches.wait(timeoutMs), "wait", timeoutMs);
  }

  readyFd(index: number): number {
    return this.#watches.ready(index).fd;
  }

  readyTag(index: number): number {
    return this.#watches.ready(index).tag;
  }

  readyEvents(index: number): number {
    return this.#watches.ready(index).events;
  }

  watch(fd: number, events: number, tag: number): number {
    const file = this.#fds.find(fd);
    if (file === null) throw this.#fds.error(`watch of fd ${fd}, which is not open`);
    this.#watches.add(fd, file, events, tag);
    return this.#fds.note(0, "watch", fd, events, tag);
  }

  rewatch(fd: number, events: number, tag: number): number {
    this.#watches.modify(fd, events, tag);
    return this.#fds.note(0, "rewatch", fd, events, tag);
  }

  unwatch(fd: number): number {
    this.#watches.remove(fd, true);
    return this.#fds.note(0, "unwatch", fd);
  }

  // === Io: connections

  accept(listener: number): number {
    const file = this.#fds.find(listener);
    if (file?.kind !== "listener") throw this.#fds.error(`accept on fd ${listener}, which is no open listener`);
    return this.#fds.note(this.#accept(file), "accept", listener);
  }

  #accept(listener: ListenerFile): number {
    if (listener.waiting.length === 0 || this.#falseAgain()) return -Errno.EAGAIN;
    if (this.#noFdLeft(1)) return -Errno.EMFILE;
    const next = listener.waiting.shift();
    if (next === undefined) return -Errno.EAGAIN;
    this.#watches.progress();
    return this.#fds.add(new SocketFile(next, listener.ipv6), false, "accept");
  }

  originalDestination(fd: number, ipv6Listener: boolean, out: Uint8Array): number {
    const socket = this.#socket(fd, "originalDestination");
    if (ipv6Listener !== socket.overIpv6Listener) throw this.#fds.error(`fd ${fd}: ipv6Listener is ${ipv6Listener}`);
    const redirected = socket.originalDestination !== "";
    writeSockaddr(out, redirected ? socket.originalDestination : socket.localAddress, ipv6Listener && !redirected);
    return this.#fds.note(0, "originalDestination", fd);
  }

  peerAddress(fd: number, out: Uint8Array): number {
    const socket = this.#socket(fd, "peerAddress");
    if (socket.end.closed) return this.#fds.note(-Errno.ENOTCONN, "peerAddress", fd);
    writeSockaddr(out, socket.peerAddress, socket.overIpv6Listener);
    return this.#fds.note(0, "peerAddress", fd);
  }

  connect(to: Destination, _options: TcpOptions): number {
    if (addressOf(to.sockaddr) !== to.sockaddrAddress) throw this.#fds.error("sockaddrAddress is not sockaddr's");
    const address = addressText(to.sockaddr);
    return this.#fds.note(this.#connect(address), "connect", address);
  }

  #connect(address: string): number {
    if (this.#noFdLeft(1)) return -Errno.EMFILE;
    const end = new TcpEnd(this.#world);
    const localAddress = this.#network.newClientAddress();
    const errno = this.#network.connectServer(end, address, localAddress);
    this.#watches.progress();
    if (errno !== 0) return -errno;
    const connection = { end, localAddress, peerAddress: address, originalDestination: "" };
    return this.#fds.add(new SocketFile(connection, false), false, `connect to ${address}`);
  }

  socketError(fd: number): number {
    const error = this.#socket(fd, "socketError").end.takeError();
    return this.#fds.note(error, "socketError", fd);
  }

  bytesAcknowledged(fd: number): number {
    return this.#fds.note(this.#socket(fd, "bytesAcknowledged").end.acknowledgedBytes, "bytesAcknowledged", fd);
  }

  // === Io: bytes

  recv(fd: number, buf: Buf, at: number, bytes: number): number {
    const socket = this.#socket(fd, "recv");
    this.#checkRange(buf, at, bytes, "recv");
    if (bytes === 0) throw this.#fds.error(`recv of 0 bytes from fd ${fd}: its 0 would look like the end`);
    const received = this.#falseAgain() ? -Errno.EAGAIN : this.#recv(socket, buf, at, bytes);
    const behind = at + Math.max(0, received);
    buf.bytes.fill(POISON, behind, Math.min(at + bytes, behind + POISON_BYTES_MAX));
    return this.#fds.note(received, "recv", fd, `+${at}`, bytes);
  }

  #recv(socket: SocketFile, buf: Buf, at: number, bytes: number): number {
    const receivable = socket.end.receivable();
    this.#moved(receivable, socket);
    if (receivable <= 0) return receivable;
    const taken = socket.end.take(this.#shortened(Math.min(bytes, receivable)));
    buf.bytes.set(taken, at);
    return taken.length;
  }

  send(fd: number, buf: Buf, at: number, bytes: number): number {
    const { end } = this.#socket(fd, "send");
    this.#checkRange(buf, at, bytes, "send");
    let sent = this.#falseAgain() ? -Errno.EAGAIN : end.sendable();
    if (sent > 0 && bytes > 0) {
      sent = this.#shortened(Math.min(sent, bytes));
      end.send(buf.bytes.subarray(at, at + sent));
      this.#watches.progress();
    } else if (sent > 0) {
      sent = 0;
    }
    return this.#fds.note(sent, "send", fd, `+${at}`, bytes);
  }

  shutdownWrite(fd: number): number {
    const { end } = this.#socket(fd, "shutdownWrite");
    if (end.connecting) throw this.#fds.error(`shutdownWrite of fd ${fd} before it is connected disconnects it`);
    this.#watches.progress();
    return this.#fds.note(end.shutdownWrite(), "shutdownWrite", fd);
  }

  close(fd: number): void {
    const file = this.#closing(fd, "close");
    if (file.kind === "socket") file.end.close();
    else if (file.kind === "listener") file.close();
    else throw this.#fds.error(`close of fd ${fd}, which is a pipe's: closePipe`);
  }

  reset(fd: number): void {
    const file = this.#closing(fd, "reset");
    if (file.kind !== "socket") throw this.#fds.error(`reset of fd ${fd}, which is no connection`);
    file.end.reset();
  }

  openPipe(bytes: number): Pipe | number {
    if (this.#noFdLeft(2)) return this.#fds.note(-Errno.EMFILE, "openPipe", bytes);
    const { random, adversity } = this.#world;
    const pages = Math.min(Math.max(1, Math.ceil(bytes / PAGE_BYTES)), random.pick(adversity.pipePages));
    const pipe = new PipeBuffer(pages);
    const readFd = this.#fds.add(new PipeEndFile(pipe, false), false, "openPipe");
    const writeFd = this.#fds.add(new PipeEndFile(pipe, true), false, "openPipe");
    this.#fds.note(readFd, "openPipe", bytes);
    return { readFd, writeFd, capacityBytes: pipe.capacityBytes };
  }

  closePipe(pipe: Pipe): void {
    for (const fd of [pipe.readFd, pipe.writeFd]) {
      if (this.#closing(fd, "closePipe").kind !== "pipe end") throw this.#fds.error(`fd ${fd} is no pipe's`);
    }
  }

  splice(fromFd: number, toFd: number, bytes: number, moreComing: boolean): number {
    if (bytes <= 0) throw this.#fds.error(`splice of ${bytes} bytes`);
    const moved = this.#falseAgain() ? -Errno.EAGAIN : this.#splice(fromFd, toFd, bytes);
    return this.#fds.note(moved, "splice", fromFd, toFd, bytes, moreComing ? "more" : "last");
  }

  #splice(fromFd: number, toFd: number, bytes: number): number {
    const from = this.#fds.find(fromFd);
    const to = this.#fds.find(toFd);
    if (from?.kind === "socket" && to?.kind === "pipe end" && to.writes) {
      const moved = to.pipe.fill(from.end, bytes, this.#world);
      this.#moved(moved, from);
      return moved;
    }
    if (from?.kind === "pipe end" && !from.writes && to?.kind === "socket") {
      const moved = from.pipe.drain(to.end, this.#shortened(bytes));
      this.#moved(moved, to);
      return moved;
    }
    throw this.#fds.error(`splice from fd ${fromFd} to fd ${toFd}: not a socket and a pipe's end`);
  }

  copy(to: Buf, toAt: number, from: Buf, fromAt: number, bytes: number): void {
    this.#checkRange(to, toAt, bytes, "copy to");
    this.#checkRange(from, fromAt, bytes, "copy from");
    to.bytes.set(from.bytes.slice(fromAt, fromAt + bytes), toAt);
  }

  // === Checks and chances

  /** Bytes, an error, and the end of a stream are news; the end only once. */
  #moved(result: number, socket: SocketFile): void {
    if (result === -Errno.EAGAIN || (result === 0 && socket.endTold)) return;
    if (result === 0) socket.endTold = true;
    this.#watches.progress();
  }

  #socket(fd: number, call: string): SocketFile {
    const file = this.#fds.find(fd);
    if (file?.kind !== "socket") throw this.#fds.error(`${call} on fd ${fd}, which is no open connection`);
    return file;
  }

  #closing(fd: number, call: string): SocketFile | ListenerFile | PipeEndFile {
    const file = this.#fds.find(fd);
    if (file === null) throw this.#fds.error(`${call} of fd ${fd}, which is not open`);
    this.#watches.progress();
    this.#watches.remove(fd, false);
    this.#fds.remove(fd);
    this.#fds.note(0, call, fd);
    return file;
  }

  #checkRange(buf: Buf, at: number, bytes: number, call: string): void {
    const inside = Number.isInteger(at) && Number.isInteger(bytes) && at >= 0 && bytes >= 0;
    if (inside && at + bytes <= buf.bytes.length) return;
    throw this.#fds.error(`${call} of ${bytes} bytes at ${at} of a buffer of ${buf.bytes.length}`);
  }

  #noFdLeft(needed: number): boolean {
    const { random, adversity } = this.#world;
    return this.#fds.openCount + needed > this.#openFilesMax || random.chance(adversity.fdShortage);
  }

  #falseAgain(): boolean {
    return this.#world.random.chance(this.adversity.falseAgain);
  }

  #shortened(bytes: number): number {
    const { random, adversity } = this.#world;
    return random.chance(adversity.shortMove) ? random.upTo(bytes) : bytes;
  }
}
