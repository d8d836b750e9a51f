import type { Direction } from "@bowline/contracts";
import { formatAddress } from "@bowline/loop";
import { type Counter, joinLabels, type LabelPair, labels, type Registry, type SeriesGroup } from "@bowline/metrics";
import { type Cause, FAILURES } from "../failures.ts";
import { DetectSeries } from "./detect-series.ts";
import {
  FAILED,
  INBOUND_HTTP_ERRORS,
  INBOUND_TCP_ERRORS,
  OUTBOUND_HTTP_ERRORS,
  OUTBOUND_TCP_ERRORS,
  REPLAYED,
} from "./families.ts";
import { HttpSeries } from "./http-series.ts";
import { INBOUND_HTTP_ROUTE, InboundRouteSeries } from "./inbound-route-series.ts";
import { TcpSeries } from "./tcp-series.ts";

/** Server names come from peers: a client that invents them gets this many series per target, then an empty name. */
const SNI_SERIES_MAX = 32;
/** Authorities, too, as far as they are labels at all: this many per target, then none. */
const AUTHORITY_SERIES_MAX = 100;

/** What service discovery says of an endpoint, as labels. */
export interface EndpointLabels {
  /** `name:port` of the balanced service, port 80 left out; "" for endpoints of no service. */
  readonly authority: string;
  /** Without the prefix `dst_`. */
  readonly labels: Readonly<Record<string, string>>;
}

/** The parent of an outbound connection that no policy speaks for. */
const NO_PARENT: string = labels([
  ["parent_group", ""],
  ["parent_kind", "default"],
  ["parent_namespace", ""],
  ["parent_name", "endpoint"],
  ["parent_port", ""],
  ["parent_section_name", ""],
]);

/**
 * All series of one target address; they expire together (proxy-facts §5.2). Those of an endpoint are made when first
 * used: of a service with thousands most may never get a connection from here.
 */
export class TargetSeries {
  readonly #group: SeriesGroup;
  readonly #direction: Direction;
  readonly #target: string;
  /** The policy that let the connection in, inbound: the default one, until there is a policy controller. */
  readonly #server: string;
  readonly #accepts = new Map<string, TcpSeries>();
  readonly #cold = new Map<string, Counter>();
  readonly #policy: string;
  readonly #port: number;
  readonly #byAuthority = new Map<string, HttpSeries>();
  #inboundRoute: InboundRouteSeries | null = null;
  readonly #endpoint: EndpointLabels | null;
  readonly #onConnectMade: (connect: TcpSeries) => void;
  #detect: DetectSeries | null = null;
  #accept: TcpSeries | null = null;
  #connect: TcpSeries | null = null;
  #http: HttpSeries | null = null;

  constructor(
    registry: Registry,
    direction: Direction,
    ip: string,
    port: number,
    policy: string,
    onDrop: () => void,
    endpoint: EndpointLabels | null = null,
    onConnectMade: (connect: TcpSeries) => void = () => {},
  ) {
    this.#group = registry.group(onDrop);
    this.#direction = direction;
    this.#endpoint = endpoint;
    this.#onConnectMade = onConnectMade;
    this.#policy = policy;
    this.#port = port;
    this.#target = labels([
      ["target_addr", formatAddress(ip, port)],
      ["target_ip", ip],
      ["target_port", String(port)],
    ]);
    const inbound = direction === "inbound";
    const server: LabelPair[] = [
      ["srv_group", ""],
      ["srv_kind", "default"],
      ["srv_name", policy],
      ["srv_port", String(port)],
    ];
    this.#server = inbound ? labels(server) : "";
    if (endpoint !== null) return;
    this.#detect = this.detect;
    this.#accept = this.accept;
    this.#connect = this.connect;
    this.#http = this.http;
  }

  /** For connections that no policy speaks for. */
  get detect(): DetectSeries {
    this.#detect ??= new DetectSeries(
      this.#group,
      this.#direction,
      this.#direction === "inbound" ? this.#server : NO_PARENT,
    );
    return this.#detect;
  }

  get accept(): TcpSeries {
    this.#accept ??= new TcpSeries(
      this.#group,
      this.#acceptLabels(noIdentity(this.#direction === "inbound" ? "no_tls_from_remote" : "loopback")),
    );
    return this.#accept;
  }

  get connect(): TcpSeries {
    this.#connect ??= this.#makeConnect();
    return this.#connect;
  }

  get http(): HttpSeries {
    this.#http ??= new HttpSeries(this.#group, this.#endpointLabels(this.#authority, this.#dst));
    return this.#http;
  }

  /** Keeps the series from expiring; once per connection that will count here. */
  pin(): void {
    this.#group.pin();
  }

  unpin(): void {
    this.#group.unpin();
  }

  /** The series of accepted connections whose TLS is passed through, by the server name they ask for. */
  acceptTls(sni: string): TcpSeries {
    // Outbound always says loopback (proxy-facts §5.2).
    if (this.#direction === "outbound") return this.accept;
    const name = this.#accepts.has(sni) || this.#accepts.size < SNI_SERIES_MAX ? sni : "";
    return this.#acceptVariant(
      name,
      labels([
        ["tls", "opaque"],
        ["sni", name],
      ]),
    );
  }

  /** The series of accepted connections to a port that is never looked into. */
  acceptOpaque(): TcpSeries {
    return this.#direction === "inbound" ? this.#acceptVariant(":opaque", noIdentity("port_skipped")) : this.accept;
  }

  /** The series of requests for an authority, inbound, where authorities are to be labels. */
  httpOf(authority: string): HttpSeries {
    let series = this.#byAuthority.get(authority);
    if (series !== undefined) return series;
    if (authority === "" || this.#byAuthority.size >= AUTHORITY_SERIES_MAX) return this.http;
    series = new HttpSeries(this.#group, this.#endpointLabels(labels([["authority", authority]]), ""));
    this.#byAuthority.set(authority, series);
    return series;
  }

  /** The series of the default route, which lets in what no policy speaks for; null for an outbound target. */
  inboundRoute(): InboundRouteSeries | null {
    if (this.#inboundRoute === null && this.#direction === "inbound") this.#inboundRoute = this.#makeInboundRoute();
    return this.#inboundRoute;
  }

  /** Counts a failed HTTP request (`http`) or TCP connection by cause. */
  failed(cause: Cause, http: boolean): void {
    const { errorLabel, name } = FAILURES[cause];
    const direction = labels([["direction", this.#direction]]);
    this.#count(`cause ${name}`, () => this.#group.counter(FAILED, joinLabels(direction, labels([["cause", name]]))));
    const error = labels([["error", errorLabel]]);
    if (this.#direction === "outbound") {
      if (http) this.#count(`http ${errorLabel}`, () => this.#group.counter(OUTBOUND_HTTP_ERRORS, error));
      else
        this.#count(`tcp ${errorLabel}`, () =>
          this.#group.counter(OUTBOUND_TCP_ERRORS, joinLabels(this.#target, error)),
        );
    } else if (http) {
      this.#count(`http ${errorLabel}`, () =>
        this.#group.counter(INBOUND_HTTP_ERRORS, joinLabels(error, this.#target, this.#server)),
      );
    } else {
      this.#count(`tcp ${errorLabel}`, () => this.#group.counter(INBOUND_TCP_ERRORS, joinLabels(error, this.#target)));
    }
  }

  replayed(): void {
    this.#count("replayed", () => this.#group.counter(REPLAYED, labels([["direction", this.#direction]])));
  }

  get #authority(): string {
    const authority = this.#endpoint?.authority ?? "";
    return authority === "" ? "" : labels([["authority", authority]]);
  }

  get #dst(): string {
    return this.#endpoint === null ? "" : destinationLabels(this.#endpoint.labels);
  }

  #makeConnect(): TcpSeries {
    const connect = new TcpSeries(this.#group, this.#connectLabels(this.#authority, this.#dst));
    this.#onConnectMade(connect);
    return connect;
  }

  #makeInboundRoute(): InboundRouteSeries {
    const text = labels([
      ["parent_group", ""],
      ["parent_kind", "default"],
      ["parent_name", this.#policy],
      ["parent_port", String(this.#port)],
      ["route_group", ""],
      ["route_kind", "default"],
      ["route_name", "default"],
    ]);
    return new InboundRouteSeries(this.#group, INBOUND_HTTP_ROUTE, text);
  }

  #count(key: string, make: () => Counter): void {
    let counter = this.#cold.get(key);
    if (counter === undefined) {
      counter = make();
      this.#cold.set(key, counter);
    }
    counter.value += 1;
  }

  #acceptVariant(key: string, tls: string): TcpSeries {
    let series = this.#accepts.get(key);
    if (series === undefined) {
      series = new TcpSeries(this.#group, this.#acceptLabels(tls));
      this.#accepts.set(key, series);
    }
    return series;
  }

  #acceptLabels(tls: string): string {
    return joinLabels(
      labels([
        ["direction", this.#direction],
        ["peer", "src"],
      ]),
      this.#target,
      tls,
      this.#server,
    );
  }

  #connectLabels(authority: string, dst: string): string {
    const peer = labels([
      ["direction", this.#direction],
      ["peer", "dst"],
    ]);
    return this.#direction === "inbound"
      ? joinLabels(peer, noIdentity("loopback"))
      : joinLabels(peer, authority, this.#target, noIdentity("not_provided_by_service_discovery"), dst);
  }

  #endpointLabels(authority: string, dst: string): string {
    const direction = labels([["direction", this.#direction]]);
    if (this.#direction === "outbound") {
      return joinLabels(direction, authority, this.#target, noIdentity("not_provided_by_service_discovery"), dst);
    }
    const route = labels([
      ["route_group", ""],
      ["route_kind", "default"],
      ["route_name", "default"],
    ]);
    const authz = labels([
      ["authz_group", ""],
      ["authz_kind", "default"],
      ["authz_name", this.#policy],
    ]);
    return joinLabels(direction, authority, this.#target, noIdentity("no_tls_from_remote"), this.#server, route, authz);
  }
}

/** Sorted by key, as Linkerd writes them (proxy-facts §5.2). */
function destinationLabels(values: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(values).map(([key, value]): LabelPair => [`dst_${key}`, value]);
  return labels(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function noIdentity(reason: string): string {
  return labels([
    ["tls", "no_identity"],
    ["no_tls_reason", reason],
  ]);
}
