import { Errno, errnoName } from "@bowline/sys";
import type { Io } from "./io.ts";
import { type Timer, TimerWheel } from "./timer-wheel.ts";

/** Something with an fd that the reactor watches. */
export abstract class Source {
  /** -1 while it is not registered. */
  fd = -1;
  /** Differs for each registration, so that an event for an fd's former owner is not taken for the new one's. */
  tag = 0;
  /** What the owner wants to hear of (EPOLLIN, EPOLLOUT), and what the kernel was last told; -1: not watched. */
  wantedEvents = 0;
  watchedEvents = -1;
  queued = false;

  abstract onReady(events: number): void;
}

/** Somebody with work that is best done once for all that a turn brought, such as writing out collected frames. */
export interface TurnEnd {
  /** May ask to be called at the end of this turn again. */
  onTurnEnd(): void;
}

const TAG_MAX = 0x7fffffff;

/** Even an idle loop comes round this often, so that its supervisor can tell idle from stuck. */
const WAIT_MAX_MS = 500;

/**
 * The event loop of one data thread. Changes of interest are collected and told to the kernel once before each wait,
 * so that a connection that opens, sends and waits for an answer costs one epoll_ctl.
 */
export class Reactor {
  readonly io: Io;
  readonly #sources: (Source | null)[] = [];
  readonly #changed: Source[] = [];
  readonly #timers: TimerWheel;
  readonly #turnEnds: TurnEnd[] = [];
  /** The time of this turn, ms on the Io's clock. */
  nowMs: number;
  #nextTag = 1;

  constructor(io: Io) {
    this.io = io;
    this.nowMs = io.nowMs();
    this.#timers = new TimerWheel(this.nowMs);
  }

  /** Watches `fd` for `source` until `remove`. */
  add(source: Source, fd: number, events: number): void {
    while (this.#sources.length <= fd) this.#sources.push(null);
    this.#sources[fd] = source;
    source.fd = fd;
    source.tag = this.#nextTag;
    // 0 stays the tag of a source that is not registered.
    this.#nextTag = this.#nextTag === TAG_MAX ? 1 : this.#nextTag + 1;
    source.watchedEvents = -1;
    this.want(source, events);
  }

  /** Says which events the source wants from the next wait on; -1 leaves the fd unwatched (not even for errors). */
  want(source: Source, events: number): void {
    source.wantedEvents = events;
    if (!source.queued && events !== source.watchedEvents) {
      source.queued = true;
      this.#changed.push(source);
    }
  }

  /** Forgets the source. Closing its fd, which ends the kernel's watch, is the caller's next step. */
  remove(source: Source): void {
    if (source.fd < 0) return;
    this.#sources[source.fd] = null;
    source.fd = -1;
    source.tag = 0;
  }

  /** Fires the timer `delayMs` after the beginning of this turn, or up to a tick and a turn later. */
  after(timer: Timer, delayMs: number): void {
    this.#timers.schedule(timer, this.nowMs, delayMs);
  }

  /** Calls `task` once before the loop waits again. Asking twice means being called twice: the asker keeps count. */
  atTurnEnd(task: TurnEnd): void {
    this.#turnEnds.push(task);
  }

  /** One turn: tell the kernel what changed, wait, handle what is ready, fire the timers that are due. */
  turn(waitMaxMs: number = WAIT_MAX_MS): void {
    // Also before the wait: what somebody outside a turn asked for may not wait for the next event.
    this.#endTurn();
    this.#applyChanges();
    // Rounded up: a wait that ends before its tick would come round for nothing.
    const ready = this.io.wait(Math.ceil(this.#timers.delayMs(this.nowMs, waitMaxMs)));
    if (ready < 0 && ready !== -Errno.EINTR) throw new Error(`waiting for events failed: ${errnoName(-ready)}`);
    this.nowMs = this.io.nowMs();
    for (let i = 0; i < ready; i++) {
      const source = this.#sources[this.io.readyFd(i)];
      if (source && source.tag === this.io.readyTag(i)) source.onReady(this.io.readyEvents(i));
    }
    this.#timers.advance(this.nowMs);
    this.#endTurn();
  }

  #endTurn(): void {
    const tasks = this.#turnEnds;
    for (let i = 0; i < tasks.length; i++) tasks[i]!.onTurnEnd();
    tasks.length = 0;
  }

  #applyChanges(): void {
    const changed = this.#changed;
    for (let i = 0; i < changed.length; i++) {
      const source = changed[i]!;
      source.queued = false;
      if (source.fd < 0 || source.wantedEvents === source.watchedEvents) continue;
      this.#tellKernel(source);
      source.watchedEvents = source.wantedEvents;
    }
    changed.length = 0;
  }

  #tellKernel(source: Source): void {
    const { fd, tag, wantedEvents } = source;
    let result: number;
    if (wantedEvents < 0) result = this.io.unwatch(fd);
    else if (source.watchedEvents < 0) result = this.io.watch(fd, wantedEvents, tag);
    else result = this.io.rewatch(fd, wantedEvents, tag);
    // A bug of ours, or no memory left for watches. A source that nobody watches would hang for ever; the supervisor
    // of a loop that ends here can at least start a new one.
    if (result < 0) throw new Error(`watching fd ${fd} for ${wantedEvents} failed: ${errnoName(-result)}`);
  }
}
