import type { RunningProcess } from "@bowline/testkit";
import { startBackend } from "./backend.ts";
import type { BenchCase } from "./cases.ts";
import type { Competitor, Setup } from "./competitors/index.ts";
import type { Lab, Route } from "./lab.ts";
import { holdConnections } from "./load/held.ts";
import { connectHolder } from "./load/idle-streams.ts";
import { checkAnswers, runLoad } from "./load/index.ts";
import { type Memory, readCpuTime, readMemory } from "./process-usage.ts";
import type { Settings } from "./settings.ts";
import { rotated } from "./statistics.ts";

/** One proxy's figures of one round. The unit is a request or, for bulk, a GiB. */
export interface Sample {
  readonly userUsPerUnit: number;
  readonly systemUsPerUnit: number;
  readonly unitsPerSecond: number;
  /** Only where there are requests. */
  readonly p50Us?: number;
  readonly p99Us?: number;
  readonly errors: number;
}

/** What became of one proxy in one case. */
export interface Entry {
  readonly competitor: Competitor;
  /** By round; a round in which the proxy could not be measured has none. */
  readonly samples: (Sample | undefined)[];
  memory: Memory | null;
  /** Only where streams are held. */
  bytesPerStream: number | null;
  /** Why it did not take part, which is no failure. */
  readonly absence: string | null;
  /** What went wrong. */
  failure: string | null;
}

export interface CaseResult {
  readonly benchCase: BenchCase;
  readonly entries: readonly Entry[];
}

interface Contender {
  readonly entry: Entry;
  /** Where its load asks. */
  readonly port: number;
  /** One proxy, or the two of a chain. */
  readonly running: readonly RunningProcess[];
}

/** Just-in-time compilers want a while; once warm, a short run fills caches and connection pools again. */
const FIRST_WARM_UP_SECONDS = 3;
const WARM_UP_SECONDS = 1;

/**
 * Measures every competitor in one case. What goes wrong with one of them is noted in its entry and does not stop the
 * others.
 *
 * @param progress gets one line per measurement
 * @throws Error when the backend does not start
 */
export async function runCase(
  lab: Lab,
  benchCase: BenchCase,
  competitors: readonly Competitor[],
  settings: Settings,
  progress: (line: string) => void,
): Promise<CaseResult> {
  const entries = competitors.map((competitor) => ({
    competitor,
    samples: [],
    memory: null,
    bytesPerStream: null,
    absence: competitor.absence(benchCase.mode),
    failure: null,
  }));
  for (const { competitor, absence } of entries)
    if (absence !== null) progress(`${competitor.name}: left out: ${absence}`);
  const backend = await startBackend(lab, benchCase);
  try {
    if (benchCase.load.kind === "held" || benchCase.load.kind === "idle-streams")
      await measureMemory(lab, benchCase, entries, settings, progress);
    else await measureRounds(lab, benchCase, entries, settings, progress);
  } finally {
    await backend.stop();
  }
  return { benchCase, entries };
}

/** All proxies are up for the whole case and idle while another one is measured. */
async function measureRounds(
  lab: Lab,
  benchCase: BenchCase,
  entries: Entry[],
  settings: Settings,
  progress: (line: string) => void,
): Promise<void> {
  const contenders: Contender[] = [];
  const attempt = attemptWith(progress);
  try {
    for (const [index, entry] of entries.entries()) {
      await attempt(entry, async () => {
        const contender = await startContender(lab, benchCase, entry, index);
        contenders.push(contender);
        await checkRunning(lab, benchCase, contender);
      });
    }
    for (let round = 0; round < settings.rounds; round++) {
      for (const contender of rotated(contenders, round)) {
        await attempt(contender.entry, async () => {
          await runLoad(lab, contender.port, benchCase.load, Math.min(settings.secondsEach, warmUpSeconds(round)));
          const sample = await measure(lab, benchCase, contender, settings.secondsEach);
          contender.entry.samples[round] = sample;
          progress(progressLine(benchCase, contender, round, sample));
        });
      }
    }
    for (const contender of contenders) {
      await attempt(contender.entry, async () => {
        contender.entry.memory = readMemory(pidsOf(contender));
        await checkRunning(lab, benchCase, contender);
        await contender.entry.competitor.checkAfter?.(lab, benchCase.mode);
      });
    }
  } finally {
    await Promise.all(contenders.map(stopContender));
  }
}

/** One proxy at a time and freshly started, so that its memory is that of this case alone. */
async function measureMemory(
  lab: Lab,
  benchCase: BenchCase,
  entries: Entry[],
  settings: Settings,
  progress: (line: string) => void,
): Promise<void> {
  const attempt = attemptWith(progress);
  for (const [index, entry] of entries.entries()) {
    await attempt(entry, async () => {
      const contender = await startContender(lab, benchCase, entry, index);
      try {
        await fillMemory(lab, benchCase, contender, settings.secondsEach);
        progress(`${entry.competitor.name}: ${((entry.memory?.rssBytes ?? 0) / 1e6).toFixed(1)} MB`);
      } finally {
        await stopContender(contender);
      }
    });
  }
}

async function fillMemory(lab: Lab, { load, name }: BenchCase, contender: Contender, seconds: number): Promise<void> {
  const { entry, port } = contender;
  const pids = pidsOf(contender);
  switch (load.kind) {
    case "held": {
      const holder = await holdConnections(lab, port, load, seconds);
      entry.memory = readMemory(pids);
      await holder.stop();
      return;
    }
    case "idle-streams": {
      const holder = await connectHolder(lab, port, load);
      await Bun.sleep(seconds * 1000);
      const before = readMemory(pids);
      await holder.openAll();
      await Bun.sleep(seconds * 1000);
      entry.memory = readMemory(pids);
      const grownBytes = entry.memory.anonymousBytes - before.anonymousBytes;
      entry.bytesPerStream = grownBytes / (load.connections * (load.streams - 1));
      await holder.stop();
      return;
    }
    default:
      throw new Error(`${name} holds nothing`);
  }
}

/** Runs a step for an entry unless it is absent or has failed already; a failure is noted and told, not thrown. */
function attemptWith(progress: (line: string) => void): (entry: Entry, step: () => Promise<void>) => Promise<void> {
  return async (entry, step) => {
    if (entry.absence !== null || entry.failure !== null) return;
    try {
      await step();
    } catch (error) {
      entry.failure = error instanceof Error ? error.message : String(error);
      progress(`${entry.competitor.name}: FAILED: ${entry.failure}`);
    }
  };
}

async function startContender(lab: Lab, benchCase: BenchCase, entry: Entry, index: number): Promise<Contender> {
  const { competitor } = entry;
  const { mode, largeBodies } = benchCase;
  const port = lab.routes[index]!.backendPort;
  const start = (route: Route, setup: Omit<Setup, "largeBodies">, end: "near" | "far") =>
    lab.startProxy(competitor.name, competitor.command(lab, route, { ...setup, largeBodies }), end);
  if (mode !== "chain") {
    const setup = { mode: mode === "services" ? "http" : mode, discovers: mode === "services" } as const;
    return { entry, port, running: [await start(lab.routes[index]!, setup, "near")] };
  }
  const { near, far } = lab.chainRoutes[index]!;
  const last = await start(far, { mode: "http2-to-http", discovers: false }, "far");
  try {
    return { entry, port, running: [await start(near, { mode: "http-to-http2", discovers: true }, "near"), last] };
  } catch (error) {
    await last.stop();
    throw error;
  }
}

function pidsOf({ running }: Contender): number[] {
  return running.map(({ pid }) => pid);
}

async function stopContender({ running }: Contender): Promise<void> {
  await Promise.all(running.map((one) => one.stop()));
}

async function checkRunning(lab: Lab, { load }: BenchCase, { port, running }: Contender): Promise<void> {
  const ended = running.find((one) => one.result() !== null);
  if (ended !== undefined) throw new Error(`it ended by itself\n${ended.stderr()}`);
  await checkAnswers(lab, port, load);
}

async function measure(lab: Lab, benchCase: BenchCase, contender: Contender, seconds: number): Promise<Sample> {
  const before = readCpuTime(pidsOf(contender));
  const { units, seconds: took, ...rest } = await runLoad(lab, contender.port, benchCase.load, seconds);
  const after = readCpuTime(pidsOf(contender));
  if (units === 0) throw new Error(`nothing came through, ${rest.errors} errors`);
  return {
    userUsPerUnit: (after.userUs - before.userUs) / units,
    systemUsPerUnit: (after.systemUs - before.systemUs) / units,
    unitsPerSecond: units / took,
    ...rest,
  };
}

function warmUpSeconds(round: number): number {
  return round === 0 ? FIRST_WARM_UP_SECONDS : WARM_UP_SECONDS;
}

function progressLine({ load }: BenchCase, { entry }: Contender, round: number, sample: Sample): string {
  const cpu = (sample.userUsPerUnit + sample.systemUsPerUnit).toFixed(1);
  const unit = load.kind === "bulk" ? "GiB" : "request";
  const rate = sample.unitsPerSecond.toFixed(load.kind === "bulk" ? 2 : 0);
  return `round ${round + 1} ${entry.competitor.name}: ${cpu} µs/${unit}, ${rate} ${unit}s/s`;
}
