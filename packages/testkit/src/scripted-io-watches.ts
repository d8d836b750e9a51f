import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT } from "@bowline/sys";
import type { KernelFile } from "./scripted-io-files.ts";
import type { FdTable } from "./scripted-io-table.ts";
import type { World } from "./scripted-io-tcp.ts";

interface Ready {
  readonly fd: number;
  readonly tag: number;
  readonly events: number;
}

interface Watch {
  readonly file: KernelFile;
  events: number;
  tag: number;
}

/** Answers in a row that told of ready fds although nothing came of the ones before. */
const SPINS_MAX = 300;
/** A turn of the code under test takes up to this long. */
const TURN_MS_MAX = 0.2;

/** epoll, level-triggered: an fd is told ready in every answer for as long as it is. */
export class Watches {
  readonly #world: World;
  readonly #fds: FdTable;
  readonly #watches = new Map<number, Watch>();
  #ready: Ready[] = [];
  #spins = 0;

  constructor(world: World, fds: FdTable) {
    this.#world = world;
    this.#fds = fds;
  }

  add(fd: number, file: KernelFile, events: number, tag: number): void {
    if (this.#watches.has(fd)) throw this.#fds.error(`watch of fd ${fd}, which is watched already`);
    this.#watches.set(fd, { file, events, tag });
  }

  modify(fd: number, events: number, tag: number): void {
    const watch = this.#watches.get(fd);
    if (watch === undefined) throw this.#fds.error(`rewatch of fd ${fd}, which is not watched`);
    watch.events = events;
    watch.tag = tag;
  }

  /** @param mustExist false when the fd is closed, which ends its watch if there is one */
  remove(fd: number, mustExist: boolean): void {
    if (!this.#watches.delete(fd) && mustExist) throw this.#fds.error(`unwatch of fd ${fd}, which is not watched`);
  }

  ready(index: number): Ready {
    const ready = this.#ready[index];
    if (ready === undefined) throw this.#fds.error(`ready fd ${index} of ${this.#ready.length}`);
    return ready;
  }

  /** Something has moved: whoever is told of ready fds does not do so in vain. */
  progress(): void {
    this.#spins = 0;
  }

  letTimePass(forMs: number): void {
    const { agenda } = this.#world;
    agenda.nowMs = Math.min(agenda.nowMs + forMs, Math.max(agenda.nowMs, agenda.nextMs));
    agenda.runDue();
  }

  wait(timeoutMs: number): number {
    if (!Number.isInteger(timeoutMs) || timeoutMs < -1) throw this.#fds.error(`wait of ${timeoutMs} ms`);
    const { agenda, random, adversity } = this.#world;
    const deadlineMs = timeoutMs < 0 ? Number.POSITIVE_INFINITY : agenda.nowMs + timeoutMs;
    if (timeoutMs !== 0)
      agenda.nowMs += Math.min(timeoutMs < 0 ? TURN_MS_MAX : timeoutMs, random.fraction() * TURN_MS_MAX);
    agenda.runDue();
    let found = this.#find();
    if (random.chance(adversity.spuriousWake)) return this.#answer(random.chance(0.5) ? [] : this.#falselyReady());
    if (found.length > 0) this.#countSpin();
    else this.#spins = 0;
    while (found.length === 0) {
      if (agenda.nextMs > deadlineMs || agenda.nextMs === Number.POSITIVE_INFINITY) {
        if (deadlineMs === Number.POSITIVE_INFINITY) throw this.#fds.error("a wait that nothing will ever end");
        agenda.nowMs = Math.max(agenda.nowMs, deadlineMs);
        break;
      }
      agenda.nowMs = agenda.nextMs;
      agenda.runDue();
      found = this.#find();
    }
    return this.#answer(found);
  }

  #find(): Ready[] {
    const found: Ready[] = [];
    for (const [fd, { file, events, tag }] of this.#watches) {
      const ready = file.poll() & (events | EPOLLERR | EPOLLHUP);
      if (ready !== 0) found.push({ fd, tag, events: ready });
    }
    return found;
  }

  /** Any established connection or listener may be told ready once too often; a connecting one never is. */
  #falselyReady(): Ready[] {
    const { random } = this.#world;
    const found = this.#find();
    for (const [fd, { file, events, tag }] of this.#watches) {
      const asked = events & (EPOLLIN | EPOLLOUT);
      if (asked === 0 || (file.kind === "socket" && file.end.connecting) || random.chance(0.5)) continue;
      if (!found.some((ready) => ready.fd === fd)) found.push({ fd, tag, events: asked });
    }
    return found;
  }

  #answer(found: Ready[]): number {
    const { random, adversity } = this.#world;
    if (adversity.shuffle) random.shuffle(found);
    if (found.length > 1 && random.chance(adversity.withhold)) found.length = random.between(1, found.length);
    this.#ready = found;
    return found.length;
  }

  #countSpin(): void {
    this.#spins++;
    if (this.#spins > SPINS_MAX) {
      throw this.#fds.error(`the loop spins: told of ready fds ${SPINS_MAX} times in a row, it moved nothing`);
    }
  }
}
