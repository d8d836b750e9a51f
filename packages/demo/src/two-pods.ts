import { runDemo } from "./run-demo.ts";
import { Screen } from "./screen.ts";

// make demo: an unmodified web app and its caller in two network namespaces, meshed by proxy-init and proxy. Exits with
// 0 when everything was as it should be, 1 when not, 2 when it was asked for wrongly, 128 + signal when it was
// interrupted before there was anything to see.

const SECONDS = 20;
const SECONDS_MAX = 86_400;
const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

type Interruption = keyof typeof SIGNAL_NUMBERS;

async function main(): Promise<number> {
  const { DEMO_SECONDS } = process.env;
  const seconds = readSeconds(DEMO_SECONDS);
  if (seconds === null) {
    process.stderr.write(`DEMO_SECONDS: a whole number of seconds, 1 to ${SECONDS_MAX}, is needed\n`);
    return 2;
  }
  if (process.getuid?.() !== 0) {
    process.stderr.write("network namespaces and iptables need root: run this again as root (sudo make demo)\n");
    return 2;
  }
  const interruption = new AbortController();
  let interruptedBy: Interruption | null = null;
  for (const signal of Object.keys(SIGNAL_NUMBERS) as Interruption[]) {
    process.on(signal, () => {
      // A second time means at once: the namespaces go in the exit hook that the testkit has set.
      if (interruptedBy !== null) process.exit(128 + SIGNAL_NUMBERS[signal]);
      interruptedBy = signal;
      interruption.abort(new Error(`interrupted by ${signal}`));
    });
  }
  // The reader of the output went away (`make demo | head`): nobody is left to show anything to.
  process.stdout.on("error", () => process.exit(1));
  try {
    return (await runDemo(new Screen(process.stdout), seconds, interruption.signal)) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return interruptedBy === null ? 1 : 128 + SIGNAL_NUMBERS[interruptedBy];
  }
}

function readSeconds(text: string | undefined): number | null {
  if (text === undefined || text === "") return SECONDS;
  const seconds = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  return seconds >= 1 && seconds <= SECONDS_MAX ? seconds : null;
}

process.exit(await main());
