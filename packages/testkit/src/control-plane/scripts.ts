import { destination, type outbound } from "@bowline/contracts/proto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { addressOf, type EndpointInit, keyOf } from "./messages.ts";
import { StreamScript } from "./stream-script.ts";

/** The endpoints of one name, as Destination.Get tells them. New streams begin with the set of that moment. */
export class DestinationScript extends StreamScript<destination.Update> {
  /** Metric labels of all endpoints that are told of from now on. */
  labels: Readonly<Record<string, string>> = {};
  readonly #endpoints = new Map<string, EndpointInit>();
  #empty: destination.Update | null = null;

  /** Adds endpoints, or changes what is said of them. */
  add(...endpoints: EndpointInit[]): void {
    this.#enter(endpoints);
    this.recover();
    this.say(addition(endpoints, this.labels));
  }

  /** @param addresses `ip:port` */
  remove(...addresses: string[]): void {
    for (const address of addresses) this.#endpoints.delete(address);
    this.recover();
    this.say(update({ case: "remove", value: { addrs: addresses.map(addressOf) } }));
  }

  /** Says that there are no endpoints: of a service that is only empty, or does not exist. */
  noEndpoints(exists: boolean): void {
    this.#endpoints.clear();
    this.#empty = update({ case: "noEndpoints", value: { exists } });
    this.recover();
    this.say(this.#empty);
  }

  /** Replaces the set behind the back of open streams: only later ones hear of it. */
  replaceUnheard(...endpoints: EndpointInit[]): void {
    this.#endpoints.clear();
    this.#enter(endpoints);
  }

  protected override opening(): destination.Update[] {
    if (this.#endpoints.size > 0) return [addition([...this.#endpoints.values()], this.labels)];
    return this.#empty === null ? [] : [this.#empty];
  }

  #enter(endpoints: readonly EndpointInit[]): void {
    this.#empty = null;
    for (const endpoint of endpoints) this.#endpoints.set(keyOf(endpoint), endpoint);
  }
}

/** A stream of which each message replaces the one before. New streams begin with the last. */
class LatestScript<M extends destination.DestinationProfile | outbound.OutboundPolicy> extends StreamScript<M> {
  #latest: M | null = null;

  send(message: M): void {
    this.#latest = message;
    this.recover();
    this.say(message);
  }

  protected override opening(): M[] {
    return this.#latest === null ? [] : [this.#latest];
  }
}

/** What GetProfile tells of one name or address. */
export class ProfileScript extends LatestScript<destination.DestinationProfile> {}

/** What OutboundPolicies.Watch tells of one address. */
export class PolicyScript extends LatestScript<outbound.OutboundPolicy> {}

function addition(endpoints: readonly EndpointInit[], labels: Readonly<Record<string, string>>): destination.Update {
  return update({ case: "add", value: { addrs: [...endpoints], metricLabels: { ...labels } } });
}

function update(what: MessageInitShape<typeof destination.UpdateSchema>["update"]): destination.Update {
  return create(destination.UpdateSchema, what === undefined ? {} : { update: what });
}
