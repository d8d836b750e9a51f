import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { CASES } from "./cases.ts";
import { bowline, type Competitor, floor, haproxy, nghttpx, nginx } from "./competitors/index.ts";
import { DESTINATION_CASE, runDestinationCase } from "./destination.ts";
import { type Lab, setUpLab } from "./lab.ts";
import { describeMachine, describeVersions } from "./machine.ts";
import { BUSY_LOAD, formatCase, formatResults, formatTargets, type RunDescription } from "./report.ts";
import { type CaseResult, runCase } from "./run-case.ts";
import { parseSettings, type Settings } from "./settings.ts";

const COMPETITORS: readonly Competitor[] = [haproxy, nginx, nghttpx, floor, bowline];
const RESULTS = join(import.meta.dir, "../RESULTS.md");

const settings = parseSettings(process.env);
if (!("rounds" in settings)) {
  for (const mistake of settings) console.error(`bench: ${mistake}`);
  process.exit(2);
}
endOnSignals();
endAfter(settings.limitSeconds);
process.exit(await main(settings));

/** The exit status: 0, or 1 when something could not run. Figures, good or bad, do not change it. */
async function main(chosen: Settings): Promise<number> {
  const [loadBefore = 0] = loadavg();
  if (loadBefore > BUSY_LOAD) console.log(`bench: the load average is ${loadBefore.toFixed(2)}: figures will be noisy`);
  const results = await runProxyCases(chosen);
  const more = chosen.cases.includes(DESTINATION_CASE) ? [await runDestination(chosen)] : [];
  if (results.length > 0) console.log(`\n${formatTargets(results)}`);
  if (results.length === CASES.length && more.length > 0) {
    writeFileSync(RESULTS, formatResults(await describeRun(chosen, loadBefore), results, more));
    console.log("\nbench: written to bench/RESULTS.md");
  } else {
    console.log("\nbench: only some of the cases were run: bench/RESULTS.md is left as it was");
  }
  return results.some(({ entries }) => entries.some(({ failure }) => failure !== null)) ? 1 : 0;
}

/** No network is set up where only the control plane is measured. */
async function runProxyCases(chosen: Settings): Promise<CaseResult[]> {
  if (!CASES.some(({ name }) => chosen.cases.includes(name))) return [];
  await using lab = await setUpLab(COMPETITORS.length);
  return await runCases(lab, chosen);
}

async function runDestination({ secondsEach }: Settings): Promise<string> {
  console.log(`\nbench: ${DESTINATION_CASE}`);
  const section = await runDestinationCase(secondsEach);
  console.log(`\n${section}`);
  return section;
}

async function runCases(lab: Lab, chosen: Settings): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const benchCase of CASES.filter(({ name }) => chosen.cases.includes(name))) {
    console.log(`\nbench: ${benchCase.name}`);
    const competitors = COMPETITORS.filter(({ modes }) => modes.includes(benchCase.mode));
    const result = await runCase(lab, benchCase, competitors, chosen, (line) => console.log(`  ${line}`));
    results.push(result);
    console.log(`\n${formatCase(result)}`);
  }
  return results;
}

async function describeRun({ rounds, secondsEach }: Settings, loadBefore: number): Promise<RunDescription> {
  const given = ["ROUNDS", "SECONDS_EACH"]
    .filter((name) => process.env[name])
    .map((name) => `${name}=${process.env[name]}`);
  return {
    date: new Date().toISOString().slice(0, 10),
    command: [...given, "make bench"].join(" "),
    machine: describeMachine(),
    versions: await describeVersions(),
    rounds,
    secondsEach,
    loadBefore,
  };
}

/** Ending the process is enough: what the lab set up is removed by its exit hooks. */
function endOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      console.error(`\nbench: ${signal}: stopping everything`);
      process.exit(signal === "SIGINT" ? 130 : 143);
    });
  }
}

function endAfter(limitSeconds: number): void {
  setTimeout(() => {
    console.error(`bench: not finished after ${limitSeconds} s (LIMIT_SECONDS): stopping everything`);
    process.exit(1);
  }, limitSeconds * 1000).unref();
}
