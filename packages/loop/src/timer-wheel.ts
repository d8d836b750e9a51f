/** Who is told that a timer has run out; `kind` is the timer's own, for owners with several. */
export interface TimerOwner {
  onTimer(kind: number): void;
}

/** One deadline, made once by its owner and scheduled as often as needed; scheduling allocates nothing. */
export class Timer {
  readonly owner: TimerOwner | null;
  readonly kind: number;
  /** Links of the list of its slot; a timer that is not scheduled points at itself. */
  previous: Timer = this;
  next: Timer = this;
  dueTick = 0;

  constructor(owner: TimerOwner | null, kind: number) {
    this.owner = owner;
    this.kind = kind;
  }

  get scheduled(): boolean {
    return this.next !== this;
  }

  cancel(): void {
    this.previous.next = this.next;
    this.next.previous = this.previous;
    this.next = this;
    this.previous = this;
  }
}

/** Coarse enough that thousands of timers share a wake-up, fine enough for the 10 ms wait before an early dial. */
const TICK_MS = 4;
const SLOTS = 1024;
const WORDS = SLOTS / 32;

/**
 * A hashed timer wheel: scheduling and cancelling are O(1), a timer fires up to one tick late. Deadlines beyond one
 * turn of the wheel (4 s) stay in their slot and are looked at once a turn.
 *
 *   slots    [0] [1] [2] … [1023]     each a ring of timers behind a sentinel
 *   occupied bit i set ⇒ slot i may hold timers (cleared when it is found empty)
 */
export class TimerWheel {
  readonly #slots: Timer[] = Array.from({ length: SLOTS }, () => new Timer(null, 0));
  readonly #occupied = new Int32Array(WORDS);
  readonly #due = new Timer(null, 0);
  #tick: number;

  constructor(nowMs: number) {
    this.#tick = Math.floor(nowMs / TICK_MS);
  }

  /** (Re)starts the timer, to fire `delayMs` after `nowMs`. */
  schedule(timer: Timer, nowMs: number, delayMs: number): void {
    timer.cancel();
    timer.dueTick = Math.max(this.#tick + 1, Math.ceil((nowMs + delayMs) / TICK_MS));
    this.#insert(timer);
  }

  /** How long until a slot with timers comes up, ms, at most `limitMs`. */
  delayMs(nowMs: number, limitMs: number): number {
    const ticks = Math.min(SLOTS, Math.ceil(limitMs / TICK_MS));
    for (let ahead = 1; ahead <= ticks; ahead++) {
      const slot = (this.#tick + ahead) & (SLOTS - 1);
      const word = this.#occupied[slot >> 5]! >>> (slot & 31);
      if (word === 0) {
        // Nothing in the rest of this word: on to the first slot of the next one.
        ahead += 31 - (slot & 31);
      } else if (word & 1) {
        return Math.min(limitMs, Math.max(0, (this.#tick + ahead) * TICK_MS - nowMs));
      }
    }
    return limitMs;
  }

  /** Fires what is due. Owners may schedule and cancel any timer meanwhile. */
  advance(nowMs: number): void {
    const target = Math.floor(nowMs / TICK_MS);
    // After a long stall one turn of the wheel still visits every slot.
    if (target - this.#tick > SLOTS) this.#tick = target - SLOTS;
    while (this.#tick < target) {
      this.#tick++;
      const slot = this.#tick & (SLOTS - 1);
      if ((this.#occupied[slot >> 5]! >>> (slot & 31)) & 1) this.#fireSlot(slot, target);
    }
  }

  #fireSlot(slot: number, targetTick: number): void {
    const sentinel = this.#slots[slot]!;
    this.#occupied[slot >> 5]! &= ~(1 << (slot & 31));
    if (!sentinel.scheduled) return;
    // The whole ring moves behind `due`, so that what owners schedule into this slot is not visited again.
    const due = this.#due;
    due.next = sentinel.next;
    due.previous = sentinel.previous;
    due.next.previous = due;
    due.previous.next = due;
    sentinel.next = sentinel;
    sentinel.previous = sentinel;
    while (due.scheduled) {
      const timer = due.next;
      timer.cancel();
      if (timer.dueTick <= targetTick) timer.owner!.onTimer(timer.kind);
      else this.#insert(timer);
    }
  }

  #insert(timer: Timer): void {
    const slot = timer.dueTick & (SLOTS - 1);
    const sentinel = this.#slots[slot]!;
    timer.previous = sentinel.previous;
    timer.next = sentinel;
    sentinel.previous.next = timer;
    sentinel.previous = timer;
    this.#occupied[slot >> 5]! |= 1 << (slot & 31);
  }
}
