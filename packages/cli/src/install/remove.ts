import type { Command } from "commander";
import { CommandFailure, type Io } from "../io.ts";
import { connect, type GlobalFlags } from "../kube-flags.ts";
import { renderPresent } from "./install.ts";
import { extensions, identityOf, labelledObjects, meshedPods, nameOnly } from "./labelled-objects.ts";
import { renderCrds } from "./manifests/crds/crds.ts";
import { clusterLookup, readInstallation } from "./present-installation.ts";
import { type OutputFormat, printObjects } from "./print-objects.ts";
import { valuesOf } from "./render.ts";

interface RemoveFlags extends GlobalFlags {
  readonly force?: boolean;
  readonly output: OutputFormat;
}

/** `bowline uninstall`: prints what is to be deleted. Whatever lies in the control plane's namespace goes with it. */
export async function uninstall(command: Command, io: Io): Promise<void> {
  const flags = command.optsWithGlobals<RemoveFlags>();
  const client = connect(command, io);
  const namespace = flags.linkerdNamespace;
  if (flags.force !== true) {
    const present = await extensions(client);
    if (present.length > 0) {
      throw new CommandFailure(
        `uninstall the extensions first, or use --force; their namespaces: ${present.join(", ")}`,
      );
    }
    const pods = await meshedPods(client, namespace);
    if (pods.length > 0) {
      const names = pods.map(({ metadata }) => `  * ${metadata.namespace}/${metadata.name}`);
      throw new CommandFailure(
        `these pods still have a proxy; uninject them first, or use --force:\n${names.join("\n")}`,
      );
    }
  }
  const objects = (await labelledObjects(client, namespace)).filter(({ metadata }) => metadata.namespace !== namespace);
  if (objects.length === 0)
    throw new CommandFailure(`there is no control plane of namespace ${namespace} in the cluster`);
  io.out(printObjects(objects.map(nameOnly), flags.output));
}

/** `bowline prune`: prints what is there and no longer belongs there. */
export async function prune(command: Command, io: Io): Promise<void> {
  const flags = command.optsWithGlobals<RemoveFlags>();
  const client = connect(command, io);
  const namespace = flags.linkerdNamespace;
  const present = await readInstallation(clusterLookup(client), namespace);
  const objects = await renderPresent(command, io, present);
  const crds = renderCrds(valuesOf(command, namespace, present).values);
  const wanted = new Set([...objects, ...crds].map(identityOf));
  const found = await labelledObjects(client, namespace);
  io.out(printObjects(found.filter((object) => !wanted.has(identityOf(object))).map(nameOnly), flags.output));
}
