import type { Candidate } from "./candidates.ts";
import type { ClusterIndex } from "./cluster-index.ts";
import { addMessages, encodeEndpoint, noEndpointsMessage, removeMessage, sameBytes } from "./endpoint-messages.ts";
import type { DiscoverySettings } from "./settings.ts";
import { addZone, type EndpointAddress, gatewayAddr, podAddr, workloadAddr } from "./weighted-addr.ts";

/** Takes framed updates: a client's stream. */
export interface UpdateSink {
  send(framed: Uint8Array): void;
}

/** For whom a service's endpoints look the same. */
export interface ViewKey {
  /** "" is every pod. */
  readonly hostname: string;
  readonly zone: string;
  /** null: endpoints of every node are used. */
  readonly nodeName: string | null;
}

/** What the views of one service's port share. */
export interface ViewContext {
  readonly index: ClusterIndex;
  readonly settings: DiscoverySettings;
  readonly port: number;
  /** Encoded labels of the service. */
  readonly labels: Uint8Array;
  /** Ready addresses by group. */
  readonly groups: ReadonlyMap<string, readonly Candidate[]>;
}

/** An endpoint that clients have been told of. */
interface Told {
  readonly ip: string;
  readonly port: number;
  readonly bytes: Uint8Array;
}

/** A group's addresses: those that could be used, and of those the ones that are. */
interface Group {
  readonly usable: readonly Candidate[];
  chosen: readonly Candidate[];
}

/**
 * The endpoints of a service's port as its clients with the same key are to see them, and what they have been told. All of
 * them get the same messages, made once.
 *
 * What is usable is found out group by group, so that a change costs what it changes. Only zones need to be known of all: when
 * every address has hints, and some for the client's zone, then those are used alone.
 */
export class EndpointView {
  readonly sinks: Set<UpdateSink> = new Set();
  readonly #context: ViewContext;
  readonly #key: ViewKey;
  readonly #groups = new Map<string, Group>();
  /** Chosen addresses. Two groups claim the same one when a pod is gone and its address used again. */
  readonly #claims = new Map<string, readonly Candidate[]>();
  readonly #told = new Map<string, Told>();
  #exists = false;
  #unhinted = 0;
  #hintedHere = 0;
  #byZone = false;
  #whole: readonly Uint8Array[] | null = null;

  constructor(context: ViewContext, key: ViewKey, exists: boolean) {
    this.#context = context;
    this.#key = key;
    this.#exists = exists;
    this.refresh([...context.groups.keys()], exists);
  }

  /** All that a client has to be told that knows nothing. */
  whole(): readonly Uint8Array[] {
    this.#whole ??=
      this.#told.size === 0
        ? [noEndpointsMessage(this.#exists)]
        : addMessages(
            [...this.#told.values()].map(({ bytes }) => bytes),
            this.#context.labels,
          );
    return this.#whole;
  }

  get size(): number {
    return this.#told.size;
  }

  /** Looks at these groups anew and tells every sink what is different. @returns whether anything is */
  refresh(groups: Iterable<string>, exists: boolean): boolean {
    const addresses = new Set<string>();
    for (const group of groups) this.#readGroup(group, addresses);
    const byZone = this.#unhinted === 0 && this.#hintedHere > 0;
    if (byZone !== this.#byZone) {
      this.#byZone = byZone;
      for (const group of this.#groups.values()) this.#choose(group, addresses);
    }
    const messages = exists === this.#exists ? this.#change(addresses) : this.#becomeExistent(exists);
    this.#send(messages);
    return messages.length > 0;
  }

  /** What a client has to be told that knows another view of the same port. */
  messagesAfter(other: EndpointView): readonly Uint8Array[] {
    const added: Uint8Array[] = [];
    const removed: Told[] = [];
    for (const [address, told] of this.#told) {
      const known = other.#told.get(address);
      if (known === undefined || !sameBytes(known.bytes, told.bytes)) added.push(told.bytes);
    }
    for (const [address, told] of other.#told) if (!this.#told.has(address)) removed.push(told);
    return this.#messages(added, removed);
  }

  #send(messages: readonly Uint8Array[]): void {
    if (messages.length === 0) return;
    this.#whole = null;
    for (const sink of this.sinks) for (const message of messages) sink.send(message);
  }

  // === which addresses ===

  #readGroup(name: string, addresses: Set<string>): void {
    const old = this.#groups.get(name);
    for (const candidate of old?.usable ?? []) this.#count(candidate, -1);
    const usable = (this.#context.groups.get(name) ?? []).filter((candidate) => this.#isUsable(candidate));
    for (const candidate of usable) this.#count(candidate, 1);
    const group: Group = { usable, chosen: old?.chosen ?? [] };
    if (usable.length > 0) this.#groups.set(name, group);
    else this.#groups.delete(name);
    this.#choose(group, addresses);
  }

  #isUsable({ target, hostname, nodeName, family }: Candidate): boolean {
    const { index, settings } = this.#context;
    if (this.#key.hostname !== "" && this.#key.hostname !== hostname) return false;
    if (family === 6 && !settings.ipv6) return false;
    switch (target.kind) {
      case "pod": {
        const pod = index.get("pods", target.key);
        if (pod === undefined) return false;
        // A slice may be older than the pod: what was there before had another uid.
        if (target.uid !== "" && (pod.metadata.uid ?? target.uid) !== target.uid) return false;
        return this.#isNodeUsed(nodeName || (pod.spec?.nodeName ?? ""));
      }
      case "workload":
        return this.#isNodeUsed(nodeName) && index.get("externalworkloads", target.key) !== undefined;
      case "none":
        return this.#isNodeUsed(nodeName);
    }
  }

  #isNodeUsed(nodeName: string): boolean {
    return this.#key.nodeName === null || this.#key.nodeName === nodeName;
  }

  #count({ hintZones }: Candidate, by: 1 | -1): void {
    if (hintZones === null) this.#unhinted += by;
    else if (hintZones.includes(this.#key.zone)) this.#hintedHere += by;
  }

  /** Renews a group's choice, and with it the claims to addresses; notes each address that may be told differently. */
  #choose(group: Group, addresses: Set<string>): void {
    const inZone = this.#byZone
      ? group.usable.filter(({ hintZones }) => hintZones?.includes(this.#key.zone) === true)
      : group.usable;
    const hasIpv6 = inZone.some(({ family, target }) => family === 6 && target.kind !== "none");
    const chosen = hasIpv6 ? inZone.filter(({ family }) => family === 6) : inZone;
    for (const candidate of group.chosen) {
      this.#unclaim(candidate);
      addresses.add(candidate.address);
    }
    group.chosen = chosen;
    for (const candidate of chosen) {
      const others = this.#claims.get(candidate.address);
      this.#claims.set(candidate.address, others === undefined ? [candidate] : [...others, candidate]);
      addresses.add(candidate.address);
    }
  }

  #unclaim(candidate: Candidate): void {
    const others = this.#claims.get(candidate.address)?.filter((one) => one !== candidate) ?? [];
    if (others.length === 0) this.#claims.delete(candidate.address);
    else this.#claims.set(candidate.address, others);
  }

  /** Of several pods at one address it is the one that was made last. */
  #winner(address: string): Candidate | undefined {
    const claims = this.#claims.get(address);
    if (claims === undefined || claims.length === 1) return claims?.[0];
    const byAge = (a: Candidate, b: Candidate): number => compare(this.#age(b), this.#age(a));
    return [...claims].sort((a, b) => byAge(a, b) || compare(a.group, b.group) || compare(a.slice, b.slice))[0];
  }

  #age({ target }: Candidate): string {
    if (target.kind !== "pod") return "";
    return this.#context.index.get("pods", target.key)?.metadata.creationTimestamp ?? "";
  }

  // === what is told of them ===

  #change(addresses: Iterable<string>): readonly Uint8Array[] {
    if (!this.#exists) return [];
    const added: Uint8Array[] = [];
    const removed: Told[] = [];
    for (const address of addresses) {
      const told = this.#told.get(address);
      const winner = this.#winner(address);
      if (winner === undefined) {
        if (told === undefined) continue;
        this.#told.delete(address);
        removed.push(told);
        continue;
      }
      const bytes = this.#encode(winner);
      if (told !== undefined && sameBytes(told.bytes, bytes)) continue;
      this.#told.set(address, { ip: winner.ip, port: winner.port, bytes });
      added.push(bytes);
    }
    return this.#messages(added, removed);
  }

  #becomeExistent(exists: boolean): readonly Uint8Array[] {
    this.#exists = exists;
    this.#told.clear();
    const messages = this.#change(this.#claims.keys());
    return messages.length > 0 ? messages : [noEndpointsMessage(exists)];
  }

  /** Additions first, so that there is no moment without endpoints where all of them are replaced. */
  #messages(added: readonly Uint8Array[], removed: readonly Told[]): readonly Uint8Array[] {
    const messages = addMessages(added, this.#context.labels);
    if (removed.length > 0) messages.push(removeMessage(removed));
    return messages;
  }

  #encode(candidate: Candidate): Uint8Array {
    const { settings } = this.#context;
    const endpoint = this.#endpointOf(candidate);
    addZone(endpoint, candidate.zone, this.#key.zone, settings);
    return encodeEndpoint(endpoint);
  }

  #endpointOf({ target, ip, port, zone }: Candidate): ReturnType<typeof gatewayAddr> {
    const { index, settings } = this.#context;
    const address: EndpointAddress = { ip, port, zone, podPort: null };
    if (target.kind === "none") return gatewayAddr(settings, address, this.#context.port, target);
    if (target.kind === "pod") {
      const pod = index.get("pods", target.key);
      if (pod !== undefined) return podAddr(index, settings, pod, address);
    } else {
      const workload = index.get("externalworkloads", target.key);
      if (workload !== undefined) return workloadAddr(index, settings, workload, address);
    }
    throw new Error(`${target.kind} ${target.key} was usable and is not there`);
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
