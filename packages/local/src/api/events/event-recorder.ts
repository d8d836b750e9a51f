import { ApiError, type Event, type KubeObject } from "@bowline/kube";
import type { ResourceType } from "../../schema/resource-type.ts";
import { SYSTEM_CONTEXT } from "../write/context.ts";
import { timestamp } from "../write/metadata.ts";
import type { Writer } from "../write/writer.ts";

/** Events remembered for counting up. */
const KNOWN_MAX = 4096;
/** A crash loop that is told of a thousand times a second must not fill the memory with what is to be written. */
const QUEUED_MAX = 1024;

interface Occurrence {
  readonly about: KubeObject;
  readonly kind: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  readonly component: string;
  readonly atMs: number;
}

/** Writes Events, one after the other, and counts up those that repeat. */
export class EventRecorder {
  readonly #writer: Writer;
  readonly #type: ResourceType;
  readonly #warn: (line: string) => void;
  /** What an event says → the stored Event, the least recently used first. */
  readonly #known: Map<string, { namespace: string; name: string }> = new Map();
  readonly #queue: Occurrence[] = [];
  #writing = false;

  constructor(writer: Writer, type: ResourceType, warn: (line: string) => void) {
    this.#writer = writer;
    this.#type = type;
    this.#warn = warn;
  }

  record(about: KubeObject, kind: "Normal" | "Warning", reason: string, message: string, component: string): void {
    if (this.#queue.length >= QUEUED_MAX) return;
    this.#queue.push({ about, kind, reason, message, component, atMs: Date.now() });
    if (!this.#writing) void this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      try {
        await this.#write(next);
      } catch (error) {
        // Namespaces go away with events still on their way; nobody misses these.
        const expected = error instanceof ApiError && (error.code === 404 || error.code === 403);
        if (!expected)
          this.#warn(`an event was not recorded: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    this.#writing = false;
  }

  async #write(occurrence: Occurrence): Promise<void> {
    const { about, kind, reason, message, component } = occurrence;
    const key = JSON.stringify([about.metadata.uid, about.kind, about.metadata.name, kind, reason, message, component]);
    const known = this.#known.get(key);
    this.#known.delete(key);
    if (known !== undefined && (await this.#countUp(known, occurrence))) {
      this.#known.set(key, known);
      return;
    }
    const { namespace = "", name } = (await this.#writer.create(this.#type, eventOf(occurrence), SYSTEM_CONTEXT))
      .metadata;
    this.#known.set(key, { namespace, name });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= KNOWN_MAX) break;
      this.#known.delete(oldest);
    }
  }

  /** False when the event is no longer stored. */
  async #countUp(known: { namespace: string; name: string }, { atMs }: Occurrence): Promise<boolean> {
    const edit = (old: KubeObject): KubeObject => {
      const event = structuredClone(old) as Event;
      event.count = (event.count ?? 1) + 1;
      event.lastTimestamp = timestamp(atMs);
      return event;
    };
    try {
      await this.#writer.update(this.#type, known.namespace, known.name, edit, SYSTEM_CONTEXT);
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.code === 404) return false;
      throw error;
    }
  }
}

function eventOf({ about, kind, reason, message, component, atMs }: Occurrence): Event {
  const { name, namespace = "", uid, resourceVersion } = about.metadata;
  const at = timestamp(atMs);
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: {
      name: `${name}.${nameSuffix(atMs)}`,
      namespace: namespace === "" ? "default" : namespace,
    },
    involvedObject: {
      apiVersion: about.apiVersion,
      kind: about.kind,
      name,
      ...(namespace === "" ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    reason,
    message,
    type: kind,
    source: { component },
    reportingComponent: component,
    reportingInstance: "",
    firstTimestamp: at,
    lastTimestamp: at,
    count: 1,
  };
}

/** Events are listed by their names, so the names are in the order of time, as in Kubernetes: nanoseconds in hexadecimal. */
function nameSuffix(atMs: number): string {
  serial = (serial + 1) % 1_000_000;
  return (BigInt(Math.floor(atMs)) * 1_000_000n + BigInt(serial)).toString(16);
}

let serial = 0;
