import type { Call } from "./call.ts";

/** Calls that wait for something, in order; a call leaves in constant time when nobody waits for it any more. */
export class CallQueue {
  first: Call | null = null;
  length = 0;
  #last: Call | null = null;

  append(call: Call): void {
    call.queue = this;
    call.queuePrevious = this.#last;
    call.queueNext = null;
    if (this.#last === null) this.first = call;
    else this.#last.queueNext = call;
    this.#last = call;
    this.length += 1;
  }

  remove(call: Call): void {
    if (call.queuePrevious === null) this.first = call.queueNext;
    else call.queuePrevious.queueNext = call.queueNext;
    if (call.queueNext === null) this.#last = call.queuePrevious;
    else call.queueNext.queuePrevious = call.queuePrevious;
    call.queue = null;
    call.queuePrevious = null;
    call.queueNext = null;
    this.length -= 1;
  }

  /** Takes out the call that has waited longest, or null. */
  shift(): Call | null {
    const { first } = this;
    if (first !== null) this.remove(first);
    return first;
  }
}
