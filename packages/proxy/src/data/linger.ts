import type { Stream } from "@bowline/loop";

/** A client that takes nothing for this long, whatever it sends, has taken all that it will. */
const STILL_MS = 2000;
/** By then a client that takes everything at once has told so. */
const ARRIVAL_MS = 200;
const NOTHING_SEEN = -1;

/**
 * How long a connection on which all is said is still read from, so that what the client sends does not reset away what it has not
 * taken yet (RFC 9112 §9.6). The kernel may hold as much of that as a slow client takes seconds for.
 */
export class Linger {
  #acknowledgedSeen = NOTHING_SEEN;

  /** @returns how long to wait before `moreMs` is asked, in ms */
  begin(): number {
    this.#acknowledgedSeen = NOTHING_SEEN;
    return ARRIVAL_MS;
  }

  /** @returns how long to wait before it is asked again, in ms; 0 when it is time to close */
  moreMs(stream: Stream): number {
    const acknowledged = stream.bytesAcknowledged();
    if (acknowledged === this.#acknowledgedSeen) return 0;
    this.#acknowledgedSeen = acknowledged;
    return STILL_MS;
  }
}
