import { describeFailure, runCommand } from "@bowline/testkit";

/** The two programs that a person would type. */
export interface Tools {
  bowline(args: readonly string[], input?: string): Promise<string>;
  kubectl(args: readonly string[], input?: string): Promise<string>;
}

const TIMEOUT_MS = 60_000;

/**
 * @param bowline path of the executable
 * @param kubeconfig path that both find the cluster by
 */
export function makeTools(bowline: string, kubeconfig: string): Tools {
  const env = { KUBECONFIG: kubeconfig };
  const run = async (argv: readonly string[], input: string | undefined): Promise<string> => {
    const result = await runCommand(argv, { env, timeoutMs: TIMEOUT_MS, ...(input === undefined ? {} : { input }) });
    if (result.code !== 0) throw new Error(describeFailure(argv, result));
    return result.stdout;
  };
  return {
    bowline: (args, input) => run([bowline, ...args], input),
    kubectl: (args, input) => run(["kubectl", ...args], input),
  };
}
