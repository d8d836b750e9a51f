import type { Http1Client } from "./relay.ts";

/** The idle connections of one target that last carried requests for one Host, most recently used last. */
export class HostPool {
  readonly host: Uint8Array;
  /** The same as text, under which the target keeps it. */
  readonly key: string;
  readonly idle: Http1Client[] = [];

  constructor(host: Uint8Array, key: string) {
    this.host = host;
    this.key = key;
  }

  /** Whether bytes[start, end) is this pool's host, letter case included: a miss only costs a connection. */
  serves(bytes: Uint8Array, start: number, end: number): boolean {
    const host = this.host;
    if (end - start !== host.length) return false;
    for (let i = 0; i < host.length; i++) {
      if (bytes[start + i] !== host[i]) return false;
    }
    return true;
  }

  remove(client: Http1Client): void {
    const index = this.idle.lastIndexOf(client);
    if (index >= 0) this.idle.splice(index, 1);
  }
}

/**
 * All idle connections of a direction in the order they became idle, as an intrusive list: since all wait equally
 * long, the first is always the next to expire.
 */
export class IdleList {
  first: Http1Client | null = null;
  #last: Http1Client | null = null;

  append(client: Http1Client): void {
    client.idlePrevious = this.#last;
    client.idleNext = null;
    if (this.#last === null) this.first = client;
    else this.#last.idleNext = client;
    this.#last = client;
  }

  remove(client: Http1Client): void {
    if (client.idlePrevious === null) this.first = client.idleNext;
    else client.idlePrevious.idleNext = client.idleNext;
    if (client.idleNext === null) this.#last = client.idlePrevious;
    else client.idleNext.idlePrevious = client.idlePrevious;
    client.idlePrevious = null;
    client.idleNext = null;
  }
}
