import type { Client } from "./authority.ts";
import type { Batch, Flushable } from "./batch.ts";
import { type Candidate, candidatesOf, sameCandidate, type TargetPort, targetPortOf } from "./candidates.ts";
import {
  type ClusterIndex,
  nodeTopic,
  podTopic,
  serviceOf,
  serviceTopic,
  slicesText,
  type TopicListener,
  workloadTopic,
  zoneOf,
} from "./cluster-index.ts";
import { encodeLabels } from "./endpoint-messages.ts";
import { EndpointView, type UpdateSink, type ViewContext, type ViewKey } from "./endpoint-view.ts";
import { keyOf } from "./objects.ts";
import type { DiscoverySettings } from "./settings.ts";

/** What happens to one port, for metrics. */
export interface PortObserver {
  onSubscribers(count: number): void;
  onUpdate(): void;
  onEndpoints(count: number, exists: boolean): void;
  onClose(): void;
}

/** Where a port's service is, and what it shares with all others. */
export interface ServicePortOptions {
  readonly index: ClusterIndex;
  readonly settings: DiscoverySettings;
  readonly batch: Batch;
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
  readonly observer: PortObserver;
}

/** A client that follows a port's endpoints. */
export interface EndpointWatch {
  readonly sink: UpdateSink;
  readonly hostname: string;
  readonly client: Client;
  view: EndpointView;
}

/**
 * The endpoints of one port of one service, for as long as somebody follows them: which addresses the slices name, and the
 * views of them that clients have. Follows the service, its slices, and whatever the slices refer to.
 */
export class ServicePort implements TopicListener, Flushable {
  readonly #options: ServicePortOptions;
  readonly #key: string;
  readonly #context: ViewContext;
  readonly #slices = new Map<string, ReadonlyMap<string, Candidate>>();
  readonly #groups = new Map<string, Candidate[]>();
  readonly #views = new Map<string, EndpointView>();
  readonly #watches = new Set<EndpointWatch>();
  /** Watches by node. */
  readonly #nodes = new Map<string, number>();
  readonly #changedSlices = new Set<string>();
  readonly #changedGroups = new Set<string>();
  #serviceChanged = false;
  #nodesChanged = false;
  #targetPort: TargetPort;
  #exists = false;
  #local = false;

  constructor(options: ServicePortOptions) {
    const { index, settings, namespace, name, port } = options;
    this.#options = options;
    this.#key = `${namespace}/${name}`;
    const labels = encodeLabels({ namespace, service: name });
    this.#context = { index, settings, port, labels, groups: this.#groups };
    this.#targetPort = targetPortOf(undefined, port);
    index.subscribe(serviceTopic(this.#key), this);
    index.subscribe(slicesText(this.#key), this);
    this.#readService();
    for (const slice of index.find("endpointslices", slicesText(this.#key))) this.#readSlice(keyOf(slice));
    this.#changedGroups.clear();
  }

  get watches(): number {
    return this.#watches.size;
  }

  /** What a client follows from now on; it is told of all there is by the next call of `view.whole()`. */
  add(sink: UpdateSink, hostname: string, client: Client): EndpointWatch {
    const key = this.#viewKey(hostname, client);
    const watch = { sink, hostname, client, view: this.#view(key) };
    watch.view.sinks.add(sink);
    this.#watches.add(watch);
    this.#countNode(client.nodeName, 1);
    this.#options.observer.onSubscribers(this.#watches.size);
    return watch;
  }

  remove(watch: EndpointWatch): void {
    if (!this.#watches.delete(watch)) return;
    this.#leave(watch);
    this.#countNode(watch.client.nodeName, -1);
    this.#options.observer.onSubscribers(this.#watches.size);
  }

  /** Nobody follows this any more. */
  close(): void {
    const { index, observer } = this.#options;
    index.unsubscribe(serviceTopic(this.#key), this);
    index.unsubscribe(slicesText(this.#key), this);
    for (const nodeName of this.#nodes.keys()) index.unsubscribe(nodeTopic(nodeName), this);
    for (const candidates of this.#slices.values()) for (const one of candidates.values()) this.#drop(one);
    observer.onClose();
  }

  onChange(topic: string, key: string): void {
    if (topic === slicesText(this.#key)) this.#changedSlices.add(key);
    else if (topic === serviceTopic(this.#key)) this.#serviceChanged = true;
    else if (topic === podTopic(key)) this.#changedGroups.add(podGroup(key));
    else if (topic === workloadTopic(key)) this.#changedGroups.add(workloadGroup(key));
    else this.#nodesChanged = true;
    this.#options.batch.add(this);
  }

  flush(): void {
    const wasLocal = this.#local;
    if (this.#serviceChanged) this.#readService();
    for (const key of this.#changedSlices) this.#readSlice(key);
    let updated = false;
    for (const view of this.#views.values()) updated = view.refresh(this.#changedGroups, this.#exists) || updated;
    if (updated) this.#options.observer.onUpdate();
    if (this.#nodesChanged || wasLocal !== this.#local) for (const watch of this.#watches) this.#rehome(watch);
    this.#serviceChanged = false;
    this.#nodesChanged = false;
    this.#changedSlices.clear();
    this.#changedGroups.clear();
    this.#reportEndpoints();
  }

  // === views ===

  #view(key: ViewKey): EndpointView {
    const text = viewText(key);
    let view = this.#views.get(text);
    if (view === undefined) {
      view = new EndpointView(this.#context, key, this.#exists);
      this.#views.set(text, view);
      this.#reportEndpoints();
    }
    return view;
  }

  #viewKey(hostname: string, { nodeName }: Client): ViewKey {
    const node = this.#options.index.get("nodes", `/${nodeName}`);
    return { hostname, zone: zoneOf(node), nodeName: this.#local && nodeName !== "" ? nodeName : null };
  }

  /** A client's node has moved, or the service's policy: the client sees other endpoints. */
  #rehome(watch: EndpointWatch): void {
    const view = this.#view(this.#viewKey(watch.hostname, watch.client));
    const old = watch.view;
    if (view === old) return;
    view.sinks.add(watch.sink);
    watch.view = view;
    for (const message of view.messagesAfter(old)) watch.sink.send(message);
    this.#leaveView(old, watch.sink);
  }

  #leave(watch: EndpointWatch): void {
    this.#leaveView(watch.view, watch.sink);
  }

  #leaveView(view: EndpointView, sink: UpdateSink): void {
    view.sinks.delete(sink);
    if (view.sinks.size > 0) return;
    for (const [text, one] of this.#views) if (one === view) this.#views.delete(text);
  }

  #countNode(nodeName: string, by: 1 | -1): void {
    const { index } = this.#options;
    if (nodeName === "") return;
    const count = (this.#nodes.get(nodeName) ?? 0) + by;
    if (count === 0) {
      this.#nodes.delete(nodeName);
      index.unsubscribe(nodeTopic(nodeName), this);
      return;
    }
    if (count === 1 && by === 1) index.subscribe(nodeTopic(nodeName), this);
    this.#nodes.set(nodeName, count);
  }

  #reportEndpoints(): void {
    let size = 0;
    for (const view of this.#views.values()) size = Math.max(size, view.size);
    this.#options.observer.onEndpoints(size, this.#exists);
  }

  // === candidates ===

  #readService(): void {
    const service = this.#options.index.get("services", this.#key);
    this.#exists = service !== undefined && service.spec?.type !== "ExternalName";
    this.#local = service?.spec?.internalTrafficPolicy === "Local";
    const targetPort = targetPortOf(service, this.#options.port);
    if (sameTargetPort(targetPort, this.#targetPort)) return;
    this.#targetPort = targetPort;
    for (const key of this.#slices.keys()) this.#changedSlices.add(key);
  }

  #readSlice(key: string): void {
    const old = this.#slices.get(key);
    const slice = this.#options.index.get("endpointslices", key);
    // A slice may have been given to another service.
    const ours = slice !== undefined && serviceOf(slice) === this.#key;
    const now = new Map(ours ? candidatesOf(slice, this.#targetPort) : []);
    for (const [identity, candidate] of old ?? []) {
      const next = now.get(identity);
      if (next !== undefined && sameCandidate(candidate, next)) now.set(identity, candidate);
      else this.#drop(candidate);
    }
    for (const [identity, candidate] of now) if (old?.get(identity) !== candidate) this.#insert(candidate);
    if (ours) this.#slices.set(key, now);
    else this.#slices.delete(key);
  }

  #insert(candidate: Candidate): void {
    const members = this.#groups.get(candidate.group);
    if (members === undefined) {
      this.#groups.set(candidate.group, [candidate]);
      const topic = targetTopic(candidate);
      if (topic !== null) this.#options.index.subscribe(topic, this);
    } else {
      members.push(candidate);
    }
    this.#changedGroups.add(candidate.group);
  }

  #drop(candidate: Candidate): void {
    const members = this.#groups.get(candidate.group)?.filter((one) => one !== candidate) ?? [];
    if (members.length > 0) {
      this.#groups.set(candidate.group, members);
    } else {
      this.#groups.delete(candidate.group);
      const topic = targetTopic(candidate);
      if (topic !== null) this.#options.index.unsubscribe(topic, this);
    }
    this.#changedGroups.add(candidate.group);
  }
}

const podGroup = (key: string): string => `pod ${key}`;
const workloadGroup = (key: string): string => `workload ${key}`;

function targetTopic({ target }: Candidate): string | null {
  switch (target.kind) {
    case "pod":
      return podTopic(target.key);
    case "workload":
      return workloadTopic(target.key);
    case "none":
      return null;
  }
}

function viewText({ hostname, zone, nodeName }: ViewKey): string {
  return JSON.stringify([hostname, zone, nodeName]);
}

function sameTargetPort(a: TargetPort, b: TargetPort): boolean {
  if (a.kind === "named" && b.kind === "named") return a.name === b.name;
  return a.kind === "number" && b.kind === "number" && a.port === b.port;
}
