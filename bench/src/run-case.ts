import type { RunningProcess } from "@bowline/testkit";
import { startBackend } from "./backend.ts";
import type { BenchCase } from "./cases.ts";
import type { Competitor } from "./competitors/index.ts";
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
  readonly route: Route;
  readonly running: RunningProcess;
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
        const contender = await startContender(lab, benchCase, entry, lab.routes[index]!);
        contenders.push(contender);
        await checkRunning(lab, benchCase, contender);
      });
    }
    for (let round = 0; round < settings.rounds; round++) {
      for (const contender of rotated(contenders, round)) {
        await attempt(contender.entry, async () => {
          await runLoad(
            lab,
            contender.route.backendPort,
            benchCase.load,
            Math.min(settings.secondsEach, warmUpSeconds(round)),
          );
          const sample = await measure(lab, benchCase, contender, settings.secondsEach);
          contender.entry.samples[round] = sample;
          progress(progressLine(benchCase, contender, round, sample));
        });
      }
    }
    for (const contender of contenders) {
      await attempt(contender.entry, async () => {
        contender.entry.memory = readMemory(contender.running.pid);
        await checkRunning(lab, benchCase, contender);
        await contender.entry.competitor.checkAfter?.(lab);
      });
    }
  } finally {
    await Promise.all(contenders.map(({ running }) => running.stop()));
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
      const { running, route } = await startContender(lab, benchCase, entry, lab.routes[index]!);
      try {
        await fillMemory(lab, benchCase, { entry, route, running }, settings.secondsEach);
        progress(`${entry.competitor.name}: ${((entry.memory?.rssBytes ?? 0) / 1e6).toFixed(1)} MB`);
      } finally {
        await running.stop();
      }
    });
  }
}

async function fillMemory(lab: Lab, { load, name }: BenchCase, contender: Contender, seconds: number): Promise<void> {
  const { entry, route, running } = contender;
  switch (load.kind) {
    case "held": {
      const holder = await holdConnections(lab, route.backendPort, load, seconds);
      entry.memory = readMemory(running.pid);
      await holder.stop();
      return;
    }
    case "idle-streams": {
      const holder = await connectHolder(lab, route.backendPort, load);
      await Bun.sleep(seconds * 1000);
      const before = readMemory(running.pid);
      await holder.openAll();
      await Bun.sleep(seconds * 1000);
      entry.memory = readMemory(running.pid);
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

async function startContender(lab: Lab, benchCase: BenchCase, entry: Entry, route: Route): Promise<Contender> {
  const command = entry.competitor.command(lab, route, benchCase);
  return { entry, route, running: await lab.startProxy(entry.competitor.name, command) };
}

async function checkRunning(lab: Lab, { load }: BenchCase, { route, running }: Contender): Promise<void> {
  if (running.result() !== null) throw new Error(`it ended by itself\n${running.stderr()}`);
  await checkAnswers(lab, route.backendPort, load);
}

async function measure(lab: Lab, benchCase: BenchCase, contender: Contender, seconds: number): Promise<Sample> {
  const before = readCpuTime(contender.running.pid);
  const { units, seconds: took, ...rest } = await runLoad(lab, contender.route.backendPort, benchCase.load, seconds);
  const after = readCpuTime(contender.running.pid);
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
