import { type Buf, Errno, Stream, type StreamOwner, Timer, type TimerOwner, WriteResult } from "@bowline/loop";
import type { Connection } from "../connection.ts";
import { type Cause, connectCause } from "../failures.ts";
import type { Side } from "../side.ts";
import { Flow, FlowStep } from "./flow.ts";

/** Passes the bytes of a connection both ways without looking at them: half-closes as half-closes, resets as resets. */
export class OpaqueRelay implements StreamOwner, TimerOwner {
  readonly #side: Side;
  readonly #toServer: Flow;
  readonly #toClient: Flow;
  readonly #connectTimer: Timer = new Timer(this, 0);
  #upstream: Stream;
  #connection: Connection | null = null;

  constructor(side: Side) {
    this.#side = side;
    this.#upstream = new Stream(side.plane.reactor, side.plane.bufs, this);
    this.#toServer = new Flow(side.plane);
    this.#toClient = new Flow(side.plane);
  }

  /** Gives the relay a connection to the server; returns the closed stream it had in its place, for the owner of that. */
  swapUpstream(upstream: Stream): Stream {
    const spare = this.#upstream;
    spare.owner = upstream.owner;
    this.#upstream = upstream;
    return spare;
  }

  /** Relays `connection`, of which buf[at, end) has been received already; connects unless there is an upstream. */
  begin(connection: Connection, buf: Buf | null, at: number, end: number): void {
    const { stream } = connection;
    const target = connection.endpoint!;
    const upstream = this.#upstream;
    this.#connection = connection;
    stream.owner = this;
    upstream.owner = this;
    this.#toServer.begin(stream, upstream);
    this.#toClient.begin(upstream, stream);
    if (upstream.closed) {
      const refusal = this.#side.refusal(target);
      const result = refusal === null ? upstream.connect(target, this.#side.connectOptions) : 0;
      if (refusal !== null || result < 0) {
        this.#failed(refusal ?? connectCause(-result));
        return;
      }
    }
    if (upstream.connecting) this.#side.plane.reactor.after(this.#connectTimer, this.#side.config.connectTimeoutMs);
    stream.resumeReading();
    upstream.resumeReading();
    // A tunnel may begin with bytes of the response still on their way to the client.
    if (stream.heldBytes > 0) upstream.pauseReading();
    if (buf !== null && end > at) this.#sendFirst(buf, at, end);
    else if (upstream.connecting) stream.pauseReading();
  }

  onReadable(stream: Stream): void {
    const flow = stream === this.#upstream ? this.#toClient : this.#toServer;
    this.#after(flow, flow.pump());
  }

  onDrained(stream: Stream): void {
    const flow = stream === this.#upstream ? this.#toServer : this.#toClient;
    this.#after(flow, flow.ended ? FlowStep.Ended : flow.resume());
  }

  onConnected(stream: Stream): void {
    this.#connectTimer.cancel();
    const target = this.#connection!.endpoint!;
    const series = target.series.connect;
    stream.meter = series;
    series.opened();
    target.member?.onReachable();
    if (stream.heldBytes === 0) this.#connection!.stream.resumeReading();
  }

  onBroken(stream: Stream, errno: number): void {
    if (stream.connecting) this.#failed(connectCause(errno));
    else this.#abort();
  }

  onTimer(_kind: number): void {
    this.#failed(connectCause(Errno.ETIMEDOUT));
  }

  #sendFirst(buf: Buf, at: number, end: number): void {
    switch (this.#upstream.write(buf, at, end)) {
      case WriteResult.Held:
        this.#connection!.stream.pauseReading();
        break;
      case WriteResult.Broken:
        this.#connection!.stream.pauseReading();
        this.#toServer.refused = true;
        this.#toServer.ended = true;
        break;
      default:
        break;
    }
  }

  #after(flow: Flow, step: FlowStep): void {
    switch (step) {
      case FlowStep.Going:
        break;
      case FlowStep.Ended:
        if (!this.#toServer.ended || !this.#toClient.ended) break;
        if (this.#toServer.refused || this.#toClient.refused) this.#abort();
        else this.#close();
        break;
      case FlowStep.Reset:
        this.#abort();
        break;
      case FlowStep.Refused:
        // What the refusing side said before it closed may still be on its way to the other.
        if ((flow === this.#toServer ? this.#toClient : this.#toServer).ended) this.#abort();
        break;
    }
  }

  /** No connection to the server: the client's ends as one to a port where nobody listens. */
  #failed(cause: Cause): void {
    const target = this.#connection!.endpoint!;
    target.member?.onUnreachable(null);
    this.#side.failed(target, cause, false, "");
    this.#connection!.onNoServer(cause);
    this.#abort();
  }

  #close(): void {
    // The last bytes may still be held; the side that waits for them is closed when they have gone.
    const client = this.#connection!.stream;
    const upstream = this.#upstream;
    if (client.heldBytes > 0 || upstream.heldBytes > 0) return;
    upstream.close();
    client.close();
    this.#release();
  }

  #abort(): void {
    if (!this.#upstream.closed) this.#upstream.reset();
    this.#connection!.stream.reset();
    this.#release();
  }

  #release(): void {
    this.#connectTimer.cancel();
    this.#toServer.release();
    this.#toClient.release();
    this.#connection = null;
    this.#side.opaqueRelays.release(this);
  }
}
