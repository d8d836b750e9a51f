import type { ProfileRoute, ProfileRouteTable, RequestFacts } from "@bowline/model";
import type { Cause } from "../failures.ts";
import type { DetectSeries } from "../telemetry/detect-series.ts";
import type { TcpWay, Way } from "./way.ts";

/** Finds the way of a request; null when no route matches. */
export interface HttpRouter {
  find(facts: RequestFacts): Way | null;
}

/** One way for every request. */
export class OneWay implements HttpRouter {
  readonly #way: Way;

  constructor(way: Way) {
    this.#way = way;
  }

  find(_facts: RequestFacts): Way {
    return this.#way;
  }
}

/** One way for every request, made when there is one. */
export class LateWay implements HttpRouter {
  readonly #make: () => Way;
  #way: Way | null = null;

  constructor(make: () => Way) {
    this.#make = make;
  }

  find(_facts: RequestFacts): Way {
    this.#way ??= this.#make();
    return this.#way;
  }
}

/** Where the routes of a policy are found; gives the same object for the same route, rule and match. */
export interface RouteTable<M> {
  find(facts: RequestFacts): M | null;
}

/** The routes of a policy, HTTP's or gRPC's. */
export class PolicyRouter<M> implements HttpRouter {
  readonly #table: RouteTable<M>;
  readonly #ways = new Map<M, Way>();
  readonly #make: (match: M) => Way;

  constructor(table: RouteTable<M>, make: (match: M) => Way) {
    this.#table = table;
    this.#make = make;
  }

  find(facts: RequestFacts): Way | null {
    const match = this.#table.find(facts);
    if (match === null) return null;
    let way = this.#ways.get(match);
    if (way === undefined) {
      way = this.#make(match);
      this.#ways.set(match, way);
    }
    return way;
  }
}

/** The routes of a service profile; what matches none goes the default way. */
export class ProfileRouter implements HttpRouter {
  readonly #table: ProfileRouteTable;
  readonly #ways: ReadonlyMap<ProfileRoute | null, Way>;

  constructor(table: ProfileRouteTable, ways: ReadonlyMap<ProfileRoute | null, Way>) {
    this.#table = table;
    this.#ways = ways;
  }

  find(facts: RequestFacts): Way {
    return this.#ways.get(this.#table.find(facts))!;
  }
}

/** Something that is there as long as whoever needs it holds it. */
export interface Held {
  release(): void;
}

/** What makes up a Routing. */
export interface RoutingParts {
  /** Connections are passed on without a look at their bytes. */
  readonly opaque: boolean;
  /** For HTTP/1 and HTTP/2 requests; a cause when every request fails. */
  readonly http1: HttpRouter | Cause;
  readonly http2: HttpRouter | Cause;
  /** For anything else. Made when there is a connection for it: mostly there is none, and it may hold a balancer. */
  readonly tcp: () => TcpWay;
  /** For connections by what they speak; null where nobody is known that they are for. */
  readonly detect: DetectSeries | null;
  /** What it holds, also by and by; released when nobody uses the routing any more. */
  readonly held: readonly Held[];
  /** Everything goes to where the client's connection was going, and nobody wants to know more about it. */
  readonly plain?: boolean;
}

/**
 * Where everything goes that is sent to one original destination, as the control plane has it. Never changed. When
 * another takes its place, what is under way by it goes on by it: each user holds it until it is done.
 */
export class Routing {
  readonly opaque: boolean;
  readonly http1: HttpRouter | Cause;
  readonly http2: HttpRouter | Cause;
  readonly detect: DetectSeries | null;
  readonly plain: boolean;
  readonly #parts: RoutingParts;
  #tcp: TcpWay | null = null;
  #users = 0;

  constructor(parts: RoutingParts) {
    this.opaque = parts.opaque;
    this.http1 = parts.http1;
    this.http2 = parts.http2;
    this.detect = parts.detect;
    this.plain = parts.plain ?? false;
    this.#parts = parts;
  }

  hold(): void {
    this.#users += 1;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    for (const held of this.#parts.held) held.release();
  }

  /** For connections; to be used only while the routing is in effect. */
  get tcp(): TcpWay {
    this.#tcp ??= this.#parts.tcp();
    return this.#tcp;
  }

  /** The same, but connections are passed on without a look at their bytes. */
  opaqueVersion(): Routing {
    return new Routing({ ...this.#parts, opaque: true });
  }
}

/**
 * Everything fails for this cause.
 * @param held what there is to be released with the routing nevertheless
 */
export function failingRouting(cause: Cause, held: readonly Held[]): Routing {
  return new Routing({
    opaque: false,
    http1: cause,
    http2: cause,
    tcp: () => ({ choice: cause, series: null }),
    detect: null,
    held,
  });
}
