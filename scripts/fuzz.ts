import { type FuzzReport, fuzz, keepInput } from "@bowline/testkit";
import { FUZZ_TARGETS } from "../test/fuzz/targets.ts";

/**
 * Fuzzes every target in turns for FUZZ_SECONDS (300) altogether, beginning with FUZZ_SEED (random). An input that
 * failed goes to test/corpus/TARGET, where `make test` finds it from then on. FUZZ_TARGETS names some of the targets.
 *
 * A turn is a process of its own (`fuzz.ts TARGET SEED SECONDS`), so that an endless loop can be ended and a runaway
 * heap does no harm to the next turn.
 */
const TURN_SECONDS_MAX = 15;
/** What a turn may take beyond its time: starting, shrinking a failure, one slow input. */
const TURN_GRACE_SECONDS = 30;

interface Turn {
  readonly target: string;
  readonly seed: number;
  readonly seconds: number;
}

/** What a turn prints; the failure is in words, its input is kept already. */
type TurnReport = Omit<FuzzReport, "failure"> & { readonly failure: string | null };

const [targetName, seedText, secondsText] = process.argv.slice(2);
if (targetName === undefined) process.exit(await runCampaign());
print(JSON.stringify(takeTurn({ target: targetName, seed: Number(seedText), seconds: Number(secondsText) })));

async function runCampaign(): Promise<number> {
  const { FUZZ_SECONDS = "300", FUZZ_SEED = String(Math.floor(Math.random() * 2 ** 31)) } = process.env;
  const totalSeconds = Number(FUZZ_SECONDS);
  const names = new Set(chosenTargets());
  if (!(totalSeconds > 0) || !Number.isInteger(Number(FUZZ_SEED)) || names.size === 0) {
    process.stderr.write(
      "fuzz: FUZZ_SECONDS must be above 0, FUZZ_SEED a whole number, FUZZ_TARGETS names of targets\n",
    );
    return 2;
  }
  const seconds = Math.min(TURN_SECONDS_MAX, totalSeconds / names.size);
  const until = performance.now() + totalSeconds * 1000;
  let failures = 0;
  for (let seed = Number(FUZZ_SEED); performance.now() < until && names.size > 0; seed++) {
    for (const target of names) {
      const line = await runTurn({ target, seed, seconds });
      if (line.failed) {
        failures++;
        // It would only find the same again.
        names.delete(target);
      }
      print(`fuzz: ${target}, seed ${seed}: ${line.text}`);
    }
  }
  print(failures === 0 ? "fuzz: nothing found" : `fuzz: ${failures} failures`);
  return failures === 0 ? 0 : 1;
}

function chosenTargets(): string[] {
  const { FUZZ_TARGETS: text = "" } = process.env;
  const wanted = text.split(/[\s,]+/).filter(Boolean);
  const known = FUZZ_TARGETS.map(({ name }) => name);
  if (wanted.some((name) => !known.includes(name))) return [];
  return wanted.length === 0 ? known : wanted;
}

async function runTurn({ target, seed, seconds }: Turn): Promise<{ failed: boolean; text: string }> {
  const child = Bun.spawn([process.execPath, import.meta.path, target, String(seed), String(seconds)], {
    stdout: "pipe",
    stderr: "inherit",
    timeout: (seconds + TURN_GRACE_SECONDS) * 1000,
    killSignal: "SIGKILL",
  });
  const output = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) return { failed: true, text: "FAILED: it crashed, or ran for ever and was ended" };
  const { inputs, ways, failure } = JSON.parse(output) as TurnReport;
  const tried = `${inputs} inputs, ${ways} ways`;
  return { failed: failure !== null, text: failure === null ? tried : `FAILED after ${tried}: ${failure}` };
}

function takeTurn({ target: name, seed, seconds }: Turn): TurnReport {
  const target = FUZZ_TARGETS.find((one) => one.name === name);
  if (target === undefined) throw new Error(`no target ${name}`);
  const { failure, ...rest } = fuzz(target, seed, { seconds });
  if (failure === null) return { ...rest, failure };
  const { error, input } = failure;
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const path = keepInput(name, input, `Seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
  return { ...rest, failure: `${why}\nkept in ${path}` };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
