import { KubeClient, loadKubeConfig } from "@bowline/kube";
import type { Command } from "commander";
import { CommandFailure, type Io } from "./io.ts";

/** The flags that every command has: they stand before or behind its name. */
export interface GlobalFlags {
  readonly linkerdNamespace: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly as?: string;
  readonly asGroup: readonly string[];
  readonly apiAddr?: string;
  readonly verbose?: boolean;
}

/** A client for the cluster that the flags and the environment name. Throws KubeConfigError when they name none. */
export function connect(command: Command, io: Io): KubeClient {
  const flags = command.optsWithGlobals<GlobalFlags>();
  const [group, ...others] = flags.asGroup;
  if (others.length > 0) throw new CommandFailure("--as-group: one group is possible");
  if (group !== undefined && flags.as === undefined) throw new CommandFailure("--as-group needs --as");
  return new KubeClient(
    loadKubeConfig({
      env: io.env,
      ...(flags.kubeconfig === undefined ? {} : { path: flags.kubeconfig }),
      ...(flags.context === undefined ? {} : { context: flags.context }),
      ...(flags.as === undefined ? {} : { impersonate: { user: flags.as, ...(group === undefined ? {} : { group }) } }),
    }),
  );
}

/** The same client each time, made when it is first asked for: some commands find out only later whether they need one. */
export function connectLater(command: Command, io: Io): () => KubeClient {
  let client: KubeClient | undefined;
  return () => {
    client ??= connect(command, io);
    return client;
  };
}
