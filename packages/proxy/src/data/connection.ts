import {
  type Buf,
  type ByteCounter,
  Errno,
  type Meter,
  Stream,
  type StreamOwner,
  Timer,
  type TimerOwner,
} from "@bowline/loop";
import { ClientHello, Detected, detectProtocol, HELLO_BYTES_MAX, HelloStep, readClientHello } from "@bowline/wire";
import { Cause } from "./failures.ts";
import { Carry, HEADROOM_BYTES, READ_BYTES_FIRST } from "./http1/carry.ts";
import { Http2Server } from "./http2/serve.ts";
import type { Backend, Seeker } from "./pool/backend.ts";
import type { Logical, RoutingWaiter } from "./pool/logical.ts";
import type { Routing } from "./route/routing.ts";
import type { Choice } from "./route/way.ts";
import type { Side } from "./side.ts";
import type { Target } from "./target.ts";
import type { DetectResult, DetectSeries, Protocol } from "./telemetry/detect-series.ts";
import type { TcpSeries } from "./telemetry/tcp-series.ts";
import {
  type TransportRouteError,
  type TransportRouteSeries,
  transportRouteError,
} from "./telemetry/transport-route-series.ts";

/**
 * A client that has not spoken for this long may be waiting for the server to speak first: the upstream connection is
 * then opened without knowing the protocol, and whichever side speaks decides. Long enough that an HTTP client's request
 * mostly arrives before.
 */
const EARLY_DIAL_MS = 10;
/** How often it is asked at least whether there is an endpoint by now that the server may be found at. */
const EARLY_RETRY_MAX_MS = 200;
/** Time left for a client to speak, and get an HTTP answer, once its destination is known to be out of reach. */
const UNREACHABLE_GRACE_MS = 1000;
const DETECT_BYTES_MAX = 65536 + 64;

/** RFC 9113 §4.1, §6.5: three bytes of length, of which the last counts settings, the type, no flags, stream 0. */
const SETTINGS_HEAD: readonly number[] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const SETTINGS_LENGTH_AT = 2;
const SETTING_BYTES = 6;

const DETECT_TIMER = 0;
const EARLY_TIMER = 1;

/** One hello at a time is looked at, within one call. */
const hello: ClientHello = new ClientHello();
const latin1 = new TextDecoder("latin1");

/**
 * An accepted connection, from accept to close: finds out what its client speaks and hands its stream to those who
 * serve that. Counts its bytes under the series that the protocol decides.
 */
export class Connection implements StreamOwner, TimerOwner, Meter, RoutingWaiter, Seeker {
  readonly stream: Stream;
  /** What the control plane says about the target; null where it is not asked. */
  logical: Logical | null = null;
  /** The endpoint that a connection of bytes goes to: the target itself unless service discovery found another. */
  endpoint: Target | null = null;
  received: ByteCounter = { value: 0 };
  sent: ByteCounter = { value: 0 };
  readonly #side: Side;
  readonly #carry: Carry;
  readonly #detectTimer: Timer = new Timer(this, DETECT_TIMER);
  readonly #earlyTimer: Timer = new Timer(this, EARLY_TIMER);
  readonly #undecided: ByteCounter = { value: 0 };
  /** The upstream connection opened early; closed unless there is one. */
  #early: Stream;
  #target: Target | null = null;
  #series: TcpSeries | null = null;
  /** The route that it took as bytes, and why that led nowhere. */
  #route: TransportRouteSeries | null = null;
  #routeError: TransportRouteError = "";
  #acceptedMs = 0;
  /** Whose the target was when it was found out where it leads. */
  #tenancy = 0;
  #detecting = false;
  /** The backend that is looking for an endpoint; null while none is. */
  #seekingAt: Backend | null = null;
  #readingHello = false;
  /** First bytes that detection has looked at already: a line that drips in is not searched from its start each time. */
  #scannedBytes = 0;

  constructor(side: Side) {
    const { reactor, bufs } = side.plane;
    this.#side = side;
    this.stream = new Stream(reactor, bufs, this);
    this.#early = new Stream(reactor, bufs, this);
    this.#carry = new Carry(reactor.io, bufs);
  }

  get target(): Target {
    return this.#target!;
  }

  get hasEarly(): boolean {
    return !this.#early.closed;
  }

  /** Goes to its target and nowhere else, as far as is known now. */
  get plain(): boolean {
    return this.logical === null || this.logical.routing?.plain === true;
  }

  /** Takes the early connection out, leaving `spare`, a closed stream, in its place. */
  swapEarly(spare: Stream): Stream {
    const early = this.#early;
    spare.owner = this;
    this.#early = spare;
    return early;
  }

  /** Begins with a connection just accepted that was going to `target`. */
  accept(fd: number, target: Target): void {
    const side = this.#side;
    const { reactor } = side.plane;
    this.#target = target;
    this.#series = null;
    this.#routeError = "";
    this.#detecting = true;
    this.#readingHello = false;
    this.#scannedBytes = 0;
    this.#undecided.value = 0;
    this.received = this.#undecided;
    this.sent = this.#undecided;
    this.#acceptedMs = reactor.nowMs;
    this.stream.owner = this;
    this.stream.meter = this;
    this.stream.open(fd);
    target.series.pin();
    side.open += 1;
    this.endpoint = target;
    this.#seekingAt = null;
    if (side.discovery === null) {
      this.#begin(side.isOpaquePort(target.port));
      return;
    }
    // Not a byte is taken before it is known where it may go.
    this.stream.pauseReading();
    this.logical = side.discovery.enter(target);
    this.logical.whenKnown(this);
  }

  onRouting(routing: Routing): void {
    this.#tenancy = this.logical!.tenancy;
    this.stream.resumeReading();
    this.#begin(routing.opaque || this.#side.isOpaquePort(this.target.port));
  }

  #begin(opaque: boolean): void {
    const side = this.#side;
    const { reactor } = side.plane;
    if (opaque) {
      this.#count(this.target.series.acceptOpaque(), "opaq");
      this.#relay(null, 0, 0);
      return;
    }
    reactor.after(this.#detectTimer, side.config.detectTimeoutMs);
    reactor.after(this.#earlyTimer, Math.min(EARLY_DIAL_MS, side.config.detectTimeoutMs));
  }

  onReadable(stream: Stream): void {
    if (stream === this.#early) {
      // Served as HTTP/1, but without a whole request so far: what the server does now is of no use to it.
      if (!this.#detecting) {
        stream.reset();
        return;
      }
      this.#onServerFirst(stream);
      return;
    }
    if (this.#outlived) {
      stream.reset();
      return;
    }
    const carry = this.#carry;
    carry.makeRoom(DETECT_BYTES_MAX);
    const held = carry.buf;
    const buf = held ?? this.#side.plane.rx;
    const at = held === null ? HEADROOM_BYTES : carry.end;
    const received = stream.read(buf, at, held === null ? READ_BYTES_FIRST : carry.room);
    if (received > 0) {
      if (held !== null) carry.end += received;
      this.#detect(buf, held === null ? at : carry.at, at + received);
    } else if (received === 0) {
      // Also when it has said nothing: its server may have something to say to it.
      this.#decideOpaque("not_http", carry.buf, carry.at, carry.end);
    } else if (received !== -Errno.EAGAIN) {
      this.#detectSeries.detected("error", this.#elapsedSeconds());
      stream.reset();
    }
  }

  onDrained(_stream: Stream): void {}

  onConnected(stream: Stream): void {
    this.#earlyTimer.cancel();
    const series = this.endpoint!.series.connect;
    stream.meter = series;
    series.opened();
  }

  onBroken(stream: Stream, _errno: number): void {
    if (stream === this.#early) this.#onUnreachable();
    else stream.reset();
  }

  onTimer(kind: number): void {
    if (kind === EARLY_TIMER) {
      if (this.#early.closed) this.#dialEarly();
      else this.#onUnreachable();
    } else if (this.#readingHello && this.#side.direction === "inbound") {
      this.#count(this.target.series.accept, null);
      this.#detectSeries.detected("read_timeout", this.#elapsedSeconds());
      this.#side.failed(this.target, Cause.TlsDetectTimeout, false, "");
      this.stream.reset();
    } else if (this.#outlived) {
      this.stream.reset();
    } else {
      this.#decideOpaque("read_timeout", this.#carry.buf, this.#carry.at, this.#carry.end);
    }
  }

  /** The accepted stream has been closed, by whoever had it. */
  closed(errno: number): void {
    const side = this.#side;
    if (this.#series === null) this.#count(this.target.series.accept, null);
    this.#series!.closed(errno);
    this.#route?.closed(this.#routeError);
    this.#route = null;
    this.#detectTimer.cancel();
    this.#earlyTimer.cancel();
    this.#carry.clear();
    if (!this.#early.closed) this.#early.reset();
    this.#leaveLogical();
    this.target.series.unpin();
    side.open -= 1;
    side.connections.release(this);
  }

  #detect(buf: Buf, at: number, end: number): void {
    switch (detectProtocol(buf.bytes, at, end, at + this.#scannedBytes)) {
      case Detected.NeedMore:
        this.#scannedBytes = end - at;
        if (end - at < DETECT_BYTES_MAX) this.#carry.keep(buf, at, end);
        else this.#decideOpaque("not_http", buf, at, end);
        break;
      case Detected.Http1:
        this.#detectSeries.detected("http/1", this.#elapsedSeconds());
        this.#count(this.target.series.accept, "http/1");
        this.#serveHttp1(buf, at, end);
        break;
      case Detected.Http2:
        this.#detectSeries.detected("http/2", this.#elapsedSeconds());
        this.#count(this.target.series.accept, "http/2");
        this.#serveHttp2(buf, at, end);
        break;
      case Detected.Tls:
        this.#detectServerName(buf, at, end);
        break;
      case Detected.Opaque:
        this.#decideOpaque("not_http", buf, at, end);
        break;
    }
  }

  #detectServerName(buf: Buf, at: number, end: number): void {
    switch (readClientHello(buf.bytes, at, end, hello)) {
      case HelloStep.NeedMore:
        if (end - at <= HELLO_BYTES_MAX) {
          this.#readingHello = true;
          this.#carry.keep(buf, at, end);
          break;
        }
        this.#decideOpaque("not_http", buf, at, end);
        break;
      case HelloStep.Ok: {
        const sni = latin1.decode(hello.sniBytes.subarray(0, hello.sniLength));
        this.#detectSeries.detected("not_http", this.#elapsedSeconds());
        this.#count(this.target.series.acceptTls(sni), "tls");
        this.#relay(buf, at, end);
        break;
      }
      case HelloStep.NotTls:
        this.#decideOpaque("not_http", buf, at, end);
        break;
    }
  }

  /**
   * The server speaks first, or ends: not HTTP either way, but for servers of HTTP/2, whose SETTINGS wait for no client.
   * Its bytes decide, not epoll's word that there are some.
   */
  #onServerFirst(early: Stream): void {
    const { rx } = this.#side.plane;
    const received = early.read(rx, 0, READ_BYTES_FIRST);
    if (received === -Errno.EAGAIN) return;
    if (received > 0 && isHttp2Settings(rx.bytes, received)) {
      early.reset();
      return;
    }
    this.#detectSeries.detected("not_http", this.#elapsedSeconds());
    this.#count(this.target.series.accept, "opaq");
    // The relay reads an end or an error again, and finds out about a client that is gone.
    if (received > 0) this.stream.write(rx, 0, received);
    this.#relay(this.#carry.buf, this.#carry.at, this.#carry.end);
  }

  #decideOpaque(result: DetectResult, buf: Buf | null, at: number, end: number): void {
    this.#detectSeries.detected(result, this.#elapsedSeconds());
    this.#count(this.target.series.accept, "opaq");
    this.#relay(buf, at, end);
  }

  #serveHttp1(buf: Buf, at: number, end: number): void {
    this.#endDetection();
    // Its requests go to endpoints of their own.
    if (!this.plain && this.hasEarly) this.#early.reset();
    this.#side.http1Servers.acquire().begin(this, buf, at, end);
    this.#carry.clear();
  }

  #serveHttp2(buf: Buf, at: number, end: number): void {
    this.#endDetection();
    // Calls share connections of their own.
    if (this.hasEarly) this.#early.reset();
    new Http2Server(this.#side, this).begin(buf, at, end);
    this.#carry.clear();
  }

  #relay(buf: Buf | null, at: number, end: number): void {
    this.#endDetection();
    const way = this.logical?.routing?.tcp ?? null;
    this.#route = way === null ? null : way.series;
    this.#route?.opened();
    if (way === null || this.hasEarly) this.#relayTo(buf, at, end);
    else this.#seek(way.choice, buf, at, end);
  }

  /** Looks for an endpoint; what has been received waits for it. */
  #seek(choice: Choice | Cause, buf: Buf | null, at: number, end: number): void {
    const backend = typeof choice === "number" ? null : choice.pick();
    if (backend === null) {
      this.onNoTarget(typeof choice === "number" ? choice : Cause.LoadShed);
      return;
    }
    if (buf !== null) this.#carry.keep(buf, at, end);
    this.stream.owner = this;
    this.stream.pauseReading();
    this.#seekingAt = backend.backend;
    backend.backend.seek(this);
  }

  onTarget(target: Target): void {
    this.#seekingAt = null;
    this.endpoint = target;
    const { buf, at, end } = this.#carry;
    this.#relayTo(buf, at, end);
  }

  onNoTarget(cause: Cause): void {
    this.#seekingAt = null;
    this.#side.failed(this.target, cause, false, "");
    this.onNoServer(cause);
    this.stream.reset();
  }

  /** Its bytes go nowhere, for this cause. */
  onNoServer(cause: Cause): void {
    this.#routeError = transportRouteError(cause);
  }

  #relayTo(buf: Buf | null, at: number, end: number): void {
    const relay = this.#side.opaqueRelays.acquire();
    if (this.hasEarly) this.#early = relay.swapUpstream(this.#early);
    relay.begin(this, buf, at, end);
    this.#carry.clear();
  }

  #leaveLogical(): void {
    const { logical } = this;
    if (logical === null) return;
    this.logical = null;
    logical.forget(this);
    this.#seekingAt?.forget(this);
    this.#seekingAt = null;
    this.#side.discovery!.leave(logical);
  }

  #endDetection(): void {
    this.#detecting = false;
    this.#detectTimer.cancel();
    this.#earlyTimer.cancel();
  }

  /** From here on the connection counts under `series`, with what it has read so far. */
  #count(series: TcpSeries, protocol: Protocol | null): void {
    this.#series = series;
    series.opened();
    series.received.value += this.#undecided.value;
    this.received = series.received;
    this.sent = series.sent;
    if (protocol !== null) this.#detectSeries.protocol(protocol);
  }

  #dialEarly(): void {
    const side = this.#side;
    const endpoint = this.#earlyEndpoint();
    if (endpoint === null) {
      const waitedMs = side.plane.reactor.nowMs - this.#acceptedMs;
      side.plane.reactor.after(this.#earlyTimer, Math.max(EARLY_DIAL_MS, Math.min(waitedMs, EARLY_RETRY_MAX_MS)));
      return;
    }
    this.endpoint = endpoint;
    if (side.refusal(endpoint) !== null || this.#early.connect(endpoint, side.connectOptions) !== 0) {
      this.#onUnreachable();
      return;
    }
    side.plane.reactor.after(this.#earlyTimer, side.config.connectTimeoutMs);
  }

  /** Where an early connection may go; null when it is not known at once. */
  #earlyEndpoint(): Target | null {
    if (this.logical === null) return this.target;
    const choice = this.logical.routing?.tcp.choice ?? null;
    return choice === null || typeof choice === "number" ? null : (choice.pick()?.backend.tryPick() ?? null);
  }

  #onUnreachable(): void {
    if (!this.#early.closed) this.#early.close();
    this.#earlyTimer.cancel();
    if (!this.#detecting) return;
    const { reactor } = this.#side.plane;
    const left = this.#acceptedMs + this.#side.config.detectTimeoutMs - reactor.nowMs;
    reactor.after(this.#detectTimer, Math.min(left, UNREACHABLE_GRACE_MS));
  }

  /** Its client meant a pod that is gone, and whose address another one has. */
  get #outlived(): boolean {
    return this.logical !== null && this.logical.tenancy !== this.#tenancy;
  }

  get #detectSeries(): DetectSeries {
    return this.logical?.routing?.detect ?? this.target.series.detect;
  }

  #elapsedSeconds(): number {
    return (this.#side.plane.reactor.nowMs - this.#acceptedMs) / 1000;
  }
}

/** Whether [0, end) is how a server of HTTP/2 begins, as far as it goes: the head of a SETTINGS frame. */
function isHttp2Settings(bytes: Uint8Array, end: number): boolean {
  const compared = Math.min(end, SETTINGS_HEAD.length);
  for (let i = 0; i < compared; i++) {
    if (i === SETTINGS_LENGTH_AT ? bytes[i]! % SETTING_BYTES !== 0 : bytes[i] !== SETTINGS_HEAD[i]) return false;
  }
  return true;
}
