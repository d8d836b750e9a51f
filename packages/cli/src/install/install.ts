import { DEFAULT_VALUES } from "@bowline/control-plane";
import { type KubeClient, type KubeObject, RESOURCES } from "@bowline/kube";
import type { Command } from "commander";
import { CommandFailure, type Io } from "../io.ts";
import { connect, type GlobalFlags } from "../kube-flags.ts";
import type { SourceFlags } from "./flags.ts";
import { renderCrds } from "./manifests/crds/crds.ts";
import { clusterLookup, manifestLookup, type PresentInstallation, readInstallation } from "./present-installation.ts";
import { type OutputFormat, printObjects } from "./print-objects.ts";
import { readText, renderNew, renderUpgrade, valuesOf } from "./render.ts";

interface InstallFlags extends GlobalFlags, SourceFlags {
  readonly crds?: boolean;
  readonly ignoreCluster?: boolean;
  readonly fromManifests?: string;
  readonly output: OutputFormat;
}

/** `bowline install`: prints what is to be applied. */
export async function install(command: Command, io: Io): Promise<void> {
  const flags = command.optsWithGlobals<InstallFlags>();
  const namespace = flags.linkerdNamespace;
  const { values, ignored } = valuesOf(command, namespace);
  warnOf(ignored, io);
  if (flags.crds === true) {
    io.out(printObjects(renderCrds(values), flags.output));
    return;
  }
  if (flags.ignoreCluster !== true) await assertInstallable(connect(command, io), namespace);
  io.out(printObjects(await renderNew(values, flags), flags.output));
}

/** `bowline upgrade`: prints the same for a control plane that is there, with what it was installed with. */
export async function upgrade(command: Command, io: Io): Promise<void> {
  const flags = command.optsWithGlobals<InstallFlags>();
  const namespace = flags.linkerdNamespace;
  const lookup =
    flags.fromManifests === undefined
      ? clusterLookup(connect(command, io))
      : manifestLookup(flags.fromManifests === "-" ? await io.stdin() : readText(flags.fromManifests));
  const present = await readInstallation(lookup, namespace);
  io.out(printObjects(await renderPresent(command, io, present), flags.output));
}

/** What `upgrade` would print: CRDs with --crds, else everything else. */
export async function renderPresent(
  command: Command,
  io: Io,
  present: PresentInstallation | undefined,
): Promise<readonly KubeObject[]> {
  const flags = command.optsWithGlobals<InstallFlags>();
  const namespace = flags.linkerdNamespace;
  if (present === undefined) {
    throw new CommandFailure(`there is no control plane in namespace ${namespace}; bowline install makes one`);
  }
  const { values, ignored } = valuesOf(command, namespace, present);
  warnOf(ignored, io);
  if (flags.crds === true) return renderCrds(values);
  return renderUpgrade(values, flags, present);
}

async function assertInstallable(client: KubeClient, namespace: string): Promise<void> {
  let installed: PresentInstallation | undefined;
  let missing: string[];
  try {
    const lookup = clusterLookup(client);
    installed = await readInstallation(lookup, namespace);
    const crds = renderCrds({ ...DEFAULT_VALUES, namespace }).map(({ metadata }) => metadata.name);
    const found = await Promise.all(crds.map((name) => lookup(RESOURCES.customresourcedefinitions, "", name)));
    missing = crds.filter((_, at) => found[at] === undefined);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(`${why}\nTo render without looking at the cluster, use --ignore-cluster.`, 1, error);
  }
  if (installed !== undefined) {
    throw new CommandFailure(
      `namespace ${namespace} has a control plane already; use bowline upgrade, or --ignore-cluster to render anew (with new keys)`,
    );
  }
  if (missing.length > 0) {
    throw new CommandFailure(
      `the cluster lacks ${missing.join(", ")}; first run: bowline install --crds | kubectl apply -f -`,
    );
  }
}

function warnOf(ignored: readonly string[], io: Io): void {
  for (const path of ignored) io.err(`Warning: there is no value "${path}"; it has no effect\n`);
}
