import { INJECTOR_HELP, InjectorFlagError, parseInjectorFlags } from "./flags.ts";

/**
 * Runs the proxy injector until SIGTERM or SIGINT.
 *
 * @param args the flags, without the program's name
 * @returns the process's exit code
 */
export async function runProxyInjector(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(INJECTOR_HELP);
    return 0;
  }
  try {
    const flags = parseInjectorFlags(args);
    const { startInjector } = await import("./run-injector.ts");
    const asked = stopAsked();
    const running = await startInjector(flags, env);
    await asked;
    await running.stop();
    return 0;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`Error: ${message}\n${error instanceof InjectorFlagError ? `\n${INJECTOR_HELP}` : ""}`);
    return 1;
  }
}

function stopAsked(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
}
