/**
 * Runs the destination service until SIGTERM or SIGINT. What it is made of is loaded here.
 * @param args the flags, without the program's name
 * @returns the process's exit code
 */
export async function runDestination(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const { DESTINATION_HELP, FlagError, parseDestinationFlags } = await import("./flags.ts");
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(DESTINATION_HELP);
    return 0;
  }
  try {
    const flags = parseDestinationFlags(args);
    const { startDestination } = await import("./run-destination.ts");
    const asked = stopAsked();
    const running = await startDestination(flags, env);
    try {
      await Promise.race([asked, running.serving.then(() => asked)]);
    } finally {
      await running.stop();
    }
    return 0;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`Error: ${message}\n${error instanceof FlagError ? `\n${DESTINATION_HELP}` : ""}`);
    return 1;
  }
}

function stopAsked(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
}
