import { type ChannelState, type Client, type Clock, exponentialBackoff, GrpcError, GrpcStatus } from "@bowline/grpc";
import { Balancer, endpointKey, type Slot } from "@bowline/model";
import type { DescService } from "@bufbuild/protobuf";
import type { BackoffConfig, ControlService, SocketAddr } from "../../../config/types.ts";
import type { Logger } from "../../../log/logger.ts";
import { logTarget } from "../../../log/target.ts";
import type { WatchSource } from "../watch.ts";
import { controlAddr, controlAuthority, type Dns, resolveControlService } from "./control-address.ts";
import { ControlEndpoint } from "./control-endpoint.ts";
import type { ControlSeries } from "./control-series.ts";

export interface ControlClientOptions {
  readonly service: ControlService;
  readonly dns: Dns;
  /** How old an answer of DNS may become before the next call asks again. */
  readonly dnsTtlMs: number;
  readonly connectTimeoutMs: number;
  readonly backoff: BackoffConfig;
  readonly series: ControlSeries;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

/** Makes a call on one endpoint. `signal` cancels it, `onAnswer` hears of the response's head, or of its status. */
type MakeCall<S extends DescService, Request, Item> = (
  client: Client<S>,
  request: Request,
  options: { readonly signal: AbortSignal; readonly onHeaders: () => void; readonly onTrailers: () => void },
) => AsyncIterable<Item>;

const TARGET = logTarget("control");

/** Linkerd's parameters for the control plane. */
const LOAD = { kind: "peak-ewma", defaultRttMs: 30, decayMs: 10_000 } as const;
/** A meshed control plane is reached through its proxy, which takes pings as often as Linkerd's proxies send them. */
const PROXY_KEEP_ALIVE = { intervalMs: 10_000, timeoutMs: 3_000 };
/** Anything else may be a gRPC server, which ends connections that ping more often than every five minutes. */
const SERVER_KEEP_ALIVE = { intervalMs: 310_000, timeoutMs: 10_000 };
const CONNECTIONS_PER_ENDPOINT_MAX = 16;

/**
 * The client of one service of the control plane. Each call goes to one of the service's addresses, by two random choices
 * and load; an address that cannot be connected to is left out until its back-off is over, and the call goes elsewhere.
 * A call fails as UNAVAILABLE when there is no address left: its watch then tries again.
 *
 * Names are looked up when a call needs them and the last answer is old. Node hands out no TTL with SRV records, so an
 * answer's age is limited to what Kubernetes' DNS says of all of them (see dnsTtlMs).
 */
export class ControlClient<S extends DescService> {
  readonly #service: S;
  readonly #options: ControlClientOptions;
  readonly #endpoints: Balancer<ControlEndpoint<S>>;
  #resolvedMs = Number.NEGATIVE_INFINITY;
  /** The lookup that is under way. */
  #resolution: Promise<void> | null = null;
  #resolveError: Error | null = null;
  #reachable = true;
  #closed = false;

  constructor(service: S, options: ControlClientOptions) {
    this.#service = service;
    this.#options = options;
    this.#endpoints = new Balancer(LOAD, options.random);
  }

  /** A method that answers with a stream, for watches. */
  source<Request, Item>(makeCall: MakeCall<S, Request, Item>): WatchSource<Request, Item> {
    return { open: (request, signal) => this.#open(makeCall, request, signal) };
  }

  /** Ends all connections and calls. */
  close(): void {
    this.#closed = true;
    for (const slot of this.#endpoints.slots()) this.#remove(slot);
  }

  async *#open<Request, Item>(
    makeCall: MakeCall<S, Request, Item>,
    request: Request,
    signal: AbortSignal,
  ): AsyncGenerator<Item> {
    const { series, clock } = this.#options;
    const startMs = clock.nowMs();
    series.balancer.requests.value += 1;
    for (;;) {
      const slot = await this.#pick(startMs);
      if (signal.aborted) return;
      const call = new Call(slot, series, clock);
      try {
        for await (const item of makeCall(slot.endpoint.client, request, { signal, ...call.listeners })) {
          call.onItem();
          yield item;
        }
        call.onEnd(null);
        return;
      } catch (error) {
        if (!(error instanceof GrpcError)) throw error;
        call.onEnd(error);
        // The address could not be connected to, so that nobody has seen the call: another may do better.
        if (call.answered || slot.ready || signal.aborted) throw error;
      } finally {
        call.onEnd(null);
      }
    }
  }

  /** An endpoint to call. */
  async #pick(startMs: number): Promise<Slot<ControlEndpoint<S>>> {
    const { clock, dnsTtlMs, series } = this.#options;
    if (clock.nowMs() - this.#resolvedMs >= dnsTtlMs) {
      this.#resolution ??= this.#resolve();
      // What is known serves meanwhile.
      if (this.#endpoints.readyCount === 0) {
        series.balancer.queueLength.value += 1;
        await this.#resolution;
        series.balancer.queueLength.value -= 1;
      }
    }
    const nowMs = clock.nowMs();
    const slot = this.#closed ? null : this.#endpoints.pick(nowMs);
    if (slot === null) throw new GrpcError(GrpcStatus.Unavailable, this.#whyNone());
    series.balancer.latencySeconds.observe((nowMs - startMs) / 1000);
    return slot;
  }

  #whyNone(): string {
    if (this.#closed) return "the client is closed";
    if (this.#endpoints.size > 0) return "no address can be connected to";
    return this.#resolveError?.message ?? "the name has no addresses";
  }

  /** Never rejects: without an answer the addresses stay as they are. */
  async #resolve(): Promise<void> {
    const { service, dns, series, clock, log } = this.#options;
    try {
      this.#update(await resolveControlService(service, dns, (type, found) => series.resolution(type, found)));
      this.#resolveError = null;
    } catch (error) {
      const say = this.#resolveError === null ? "warn" : "debug";
      this.#resolveError = error instanceof Error ? error : new Error(String(error));
      log[say](TARGET, `${controlAddr(service)}: ${this.#resolveError.message}`);
    }
    this.#resolvedMs = clock.nowMs();
    this.#resolution = null;
  }

  #update(addresses: readonly SocketAddr[]): void {
    if (this.#closed) return;
    const keys = new Set(addresses.map(endpointKey));
    const gone = [...this.#endpoints.slots()].filter(({ key }) => !keys.has(key));
    const added = addresses.filter((address) => this.#endpoints.get(endpointKey(address)) === null);
    for (const slot of gone) this.#remove(slot);
    for (const address of added) this.#add(address);
    this.#options.series.balancer.updated(false, added.length, gone.length);
    this.#onChange();
  }

  #add(address: SocketAddr): void {
    const { service, clock, random, backoff, connectTimeoutMs } = this.#options;
    const key = endpointKey(address);
    const endpoint = new ControlEndpoint(this.#service, {
      target: { host: address.ip, port: address.port },
      authority: controlAuthority(service),
      backoff: exponentialBackoff(backoff, random),
      connectTimeoutMs,
      connectionsMax: CONNECTIONS_PER_ENDPOINT_MAX,
      keepAlive: service.tlsName === null ? SERVER_KEEP_ALIVE : PROXY_KEEP_ALIVE,
      clock,
      random,
      onState: (state, error) => this.#onState(key, state, error),
    });
    this.#endpoints.setReady(this.#endpoints.add(key, endpoint, clock.nowMs()), true);
  }

  #remove(slot: Slot<ControlEndpoint<S>>): void {
    this.#endpoints.remove(slot.key);
    if (this.#closed) slot.endpoint.close();
    else slot.endpoint.retire();
  }

  #onState(key: string, state: ChannelState, error: Error | null): void {
    const slot = this.#endpoints.get(key);
    if (slot === null) return;
    if (error !== null) this.#options.log.debug(TARGET, `${key}: ${error.message}`);
    this.#endpoints.setReady(slot, state !== "failing");
    this.#onChange();
  }

  #onChange(): void {
    const { series, service, log } = this.#options;
    const slots = [...this.#endpoints.slots()];
    const connected = slots.filter(({ endpoint }) => endpoint.connected).length;
    series.balancer.endpoints(connected, slots.length - connected);
    if (this.#reachable && this.#endpoints.readyCount === 0) {
      this.#reachable = false;
      series.balancer.shut();
      log.warn(TARGET, `${controlAddr(service)} cannot be reached; what is known stays in use`);
    } else if (!this.#reachable && connected > 0) {
      this.#reachable = true;
      series.balancer.opened();
      log.info(TARGET, `${controlAddr(service)} is reached again`);
    }
  }
}

/** What is measured about one call on one endpoint. */
class Call {
  answered = false;
  readonly listeners: { readonly onHeaders: () => void; readonly onTrailers: () => void };
  readonly #slot: Slot<{ callStarted(): void; callEnded(): void }>;
  readonly #series: ControlSeries;
  readonly #clock: Clock;
  readonly #startMs: number;
  #measured = false;
  #ended = false;

  constructor(slot: Slot<{ callStarted(): void; callEnded(): void }>, series: ControlSeries, clock: Clock) {
    this.#slot = slot;
    this.#series = series;
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    const onAnswer = (): void => {
      this.answered = true;
    };
    this.listeners = { onHeaders: onAnswer, onTrailers: onAnswer };
    series.request();
    slot.start();
    slot.endpoint.callStarted();
  }

  onItem(): void {
    this.#measure();
  }

  /** The first word counts: null for OK, and for a caller that has heard enough. */
  onEnd(failure: GrpcError | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#measure();
    this.#slot.endpoint.callEnded();
    this.#series.response(this.answered, failure);
  }

  /** Load is the time to the first message: streams stay open for as long as they like. */
  #measure(): void {
    if (this.#measured) return;
    this.#measured = true;
    const nowMs = this.#clock.nowMs();
    this.#slot.finish(this.#startMs, nowMs);
    if (this.answered) this.#series.latency(nowMs - this.#startMs);
  }
}
