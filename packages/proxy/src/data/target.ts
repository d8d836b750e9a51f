import type { Destination } from "@bowline/loop";
import { addressOf, encodeSockaddr, formatAddress, ipv4Key, isLoopback, sockaddrIp, sockaddrPort } from "@bowline/loop";
import type { EndpointMeta } from "@bowline/model";
import type { HostPool } from "./http1/host-pool.ts";
import type { Http2Pool } from "./http2/dial.ts";
import type { Member } from "./pool/member.ts";
import type { TargetSeries } from "./telemetry/target-series.ts";

/** Live targets at most; connections to more share one unnamed set of series, so that a port scan fills no memory. */
const TARGETS_MAX = 4096;

/** One address that connections go to, with what is kept for it: counters and idle connections. */
export class Target implements Destination {
  readonly ip: string;
  readonly port: number;
  readonly name: string;
  readonly loopback: boolean;
  readonly sockaddr: Uint8Array;
  readonly sockaddrAddress: number;
  readonly series: TargetSeries;
  /** Idle HTTP/1 connections by Host (proxy-facts §4.5). */
  readonly pools: Map<string, HostPool> = new Map();
  /** Its HTTP/2 connections; null until there is a call for them. */
  http2: Http2Pool | null = null;
  /** What service discovery says of it; null when it knows nothing. */
  readonly meta: EndpointMeta | null;
  /** Its place among the endpoints of a balanced service; null when it is the only one there is. */
  member: Member | null = null;
  /** It is no endpoint any more: connections to it are not kept. */
  retired = false;

  constructor(ip: string, port: number, series: TargetSeries, meta: EndpointMeta | null = null) {
    this.meta = meta;
    this.ip = ip;
    this.port = port;
    this.name = formatAddress(ip, port);
    this.sockaddr = encodeSockaddr(ip, port);
    this.sockaddrAddress = addressOf(this.sockaddr);
    this.loopback = isLoopback(this.sockaddr);
    this.series = series;
  }
}

/** Finds the target of a sockaddr; the common, IPv4, case makes no string. */
export class TargetTable {
  readonly #byKey = new Map<number | string, Target>();
  readonly #makeSeries: (ip: string, port: number, onDrop: () => void) => TargetSeries;
  #overflow: TargetSeries | null = null;

  constructor(makeSeries: (ip: string, port: number, onDrop: () => void) => TargetSeries) {
    this.#makeSeries = makeSeries;
  }

  find(sockaddr: Uint8Array): Target {
    const ipv4 = ipv4Key(sockaddr);
    const key = ipv4 >= 0 ? ipv4 : formatAddress(sockaddrIp(sockaddr), sockaddrPort(sockaddr));
    return this.#byKey.get(key) ?? this.#make(key, sockaddrIp(sockaddr), sockaddrPort(sockaddr));
  }

  #make(key: number | string, ip: string, port: number): Target {
    if (this.#byKey.size >= TARGETS_MAX) {
      this.#overflow ??= this.#makeSeries("", 0, () => {
        this.#overflow = null;
      });
      return new Target(ip, port, this.#overflow);
    }
    const target = new Target(
      ip,
      port,
      this.#makeSeries(ip, port, () => this.#byKey.delete(key)),
    );
    this.#byKey.set(key, target);
    return target;
  }
}
