import { runProgram } from "../../program.ts";

export interface CliResult {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command line within the test's process. */
export async function runCli(
  args: readonly string[],
  options: { readonly stdin?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<CliResult> {
  let [out, err] = ["", ""];
  const exitCode = await runProgram(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: options.env ?? {},
    stdin: async () => options.stdin ?? "",
  });
  return { exitCode, out, err };
}
