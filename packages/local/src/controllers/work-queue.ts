import { ApiError } from "@bowline/kube";

/** Keys waiting to be reconciled. A key that is added while it waits counts once; while it is worked on, once more afterwards. */
export interface WorkQueue {
  add(key: string): void;
  /** The earliest of several delays of one key counts. */
  addAfter(key: string, delayMs: number): void;
  /** Nothing is begun any more; what is under way ends by itself. */
  stop(): void;
}

export interface WorkQueueOptions {
  readonly name: string;
  /** Never called twice at once for the same key. What it throws puts the key off, and no other. */
  readonly reconcile: (key: string) => Promise<void>;
  readonly warn: (line: string) => void;
  /** Keys worked on at the same time. Default 8. */
  readonly workers?: number;
  /** How long a key waits for more of the same news before it is worked on. Default 0. */
  readonly settleMs?: number;
}

const RETRY_MIN_MS = 10;
/** Short enough that what was mended by hand goes on while its mender still watches. */
const RETRY_MAX_MS = 5_000;
/** The first failures are mostly conflicts with other writers, over by the next try. */
const QUIET_FAILURES = 3;

export function startWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { name, reconcile, warn, workers = 8, settleMs = 0 } = options;
  const waiting = new Set<string>();
  const running = new Set<string>();
  const again = new Set<string>();
  const failures = new Map<string, number>();
  const timers = new Map<string, { at: number; timer: ReturnType<typeof setTimeout> }>();
  let stopped = false;

  function add(key: string): void {
    if (stopped) return;
    if (running.has(key)) {
      again.add(key);
      return;
    }
    if (settleMs > 0) addAfter(key, settleMs);
    else enqueue(key);
  }

  function enqueue(key: string): void {
    if (running.has(key)) {
      again.add(key);
      return;
    }
    waiting.add(key);
    queueMicrotask(drain);
  }

  function addAfter(key: string, delayMs: number): void {
    if (stopped) return;
    const at = performance.now() + delayMs;
    const planned = timers.get(key);
    if (planned !== undefined) {
      if (planned.at <= at) return;
      clearTimeout(planned.timer);
    }
    const timer = setTimeout(
      () => {
        timers.delete(key);
        enqueue(key);
      },
      Math.min(delayMs, LONGEST_TIMER_MS),
    );
    timers.set(key, { at, timer });
  }

  function drain(): void {
    for (const key of waiting) {
      if (stopped || running.size >= workers) return;
      waiting.delete(key);
      running.add(key);
      void work(key);
    }
  }

  async function work(key: string): Promise<void> {
    try {
      await reconcile(key);
      failures.delete(key);
    } catch (error) {
      putOff(key, error);
    }
    running.delete(key);
    if (again.delete(key)) add(key);
    drain();
  }

  function putOff(key: string, error: unknown): void {
    const count = (failures.get(key) ?? 0) + 1;
    failures.set(key, count);
    if (count > QUIET_FAILURES || !(error instanceof ApiError)) warn(`${name}: ${key}: ${describe(error)}`);
    addAfter(key, Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** count));
  }

  return {
    add,
    addAfter,
    stop() {
      stopped = true;
      waiting.clear();
      again.clear();
      for (const { timer } of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}

/** Beyond this setTimeout fires at once; a key that comes too early reconciles to nothing and plans anew. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function describe(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
