import { LINKERD_CONFIG, LINKERD_CONFIG_KEY } from "@bowline/contracts";
import { DEFAULT_VALUES, parseValues, type Uninjection, uninject, type Values } from "@bowline/control-plane";
import { ApiError, RESOURCES } from "@bowline/kube";
import type { Command } from "commander";
import { CommandFailure, type Io } from "../io.ts";
import { connect, type GlobalFlags } from "../kube-flags.ts";
import { type InjectOptions, injector } from "./inject-object.ts";
import { formatReport } from "./inject-report.ts";
import { readInputs } from "./inputs.ts";
import { applyPatch } from "./json-patch.ts";
import { readOverrides } from "./overrides.ts";
import { type TransformedInput, type Transformer, transformInput } from "./transform.ts";

interface InjectFlags extends GlobalFlags {
  readonly manual?: boolean;
  readonly ignoreCluster?: boolean;
  readonly output: "yaml" | "json";
}

/** `bowline inject`. Throws CommandFailure. */
export async function runInject(names: readonly string[], command: Command, io: Io): Promise<void> {
  const flags = command.optsWithGlobals<InjectFlags>();
  const { annotations, inputs } = readOverrides(command, io.env);
  const values = { ...DEFAULT_VALUES, namespace: flags.linkerdNamespace };
  const manual = flags.manual === true ? await manualValues(command, io, flags) : null;
  const options: InjectOptions = { manual, overrides: annotations, values };
  const results = await transformAll([...inputs, ...names], injector(options), io);
  print(results, flags.output, io);
  io.err(
    formatReport(
      results.flatMap(({ reports }) => reports),
      flags.verbose === true,
    ),
  );
}

/** `bowline uninject`. Throws CommandFailure. */
export async function runUninject(names: readonly string[], command: Command, io: Io): Promise<void> {
  const results = await transformAll(names, uninjector, io);
  print(results, command.opts<{ output: "yaml" | "json" }>().output, io);
  const lines = results.flatMap(({ reports }) => reports.map(uninjectSummary));
  io.err(["", ...lines, "", ""].join("\n"));
}

const uninjector: Transformer<Uninjection> = (object) => {
  const report = uninject(object);
  return { object: applyPatch(object, report.patch), report };
};

function uninjectSummary({ kind, name, uninjected }: Uninjection): string {
  if (kind === "") return 'document missing "kind" field, skipped';
  return `${kind} "${name}" ${uninjected ? "uninjected" : "skipped"}`;
}

/** All or nothing: half of the input in `kubectl apply` would be worse than none. */
async function transformAll<Report>(
  names: readonly string[],
  transform: Transformer<Report>,
  io: Io,
): Promise<readonly TransformedInput<Report>[]> {
  const results: TransformedInput<Report>[] = [];
  const errors: string[] = [];
  for (const input of await readInputs(names, io)) {
    const result = transformInput(input, transform);
    if ("errors" in result) errors.push(...result.errors);
    else results.push(result);
  }
  if (errors.length === 0) return results;
  io.err(`Error transforming resources:\n${errors.join("\n")}\n`);
  throw new CommandFailure("");
}

function print(results: readonly TransformedInput<unknown>[], format: "yaml" | "json", io: Io): void {
  const objects = results.flatMap(({ values }) => values.filter((value) => value !== null && value !== undefined));
  if (format === "yaml") io.out(joinYaml(results.map(({ text }) => text)));
  else io.out(objects.map((object) => `${JSON.stringify(object, null, 2)}\n`).join(""));
}

/** Texts of several inputs become documents of one stream; a single one stays as it is, byte by byte. */
function joinYaml(texts: readonly string[]): string {
  return texts.reduce((stream, text) => {
    if (stream === "") return text;
    const ended = stream.endsWith("\n") ? stream : `${stream}\n`;
    return /^---(?:\s|$)/.test(text) || ended.endsWith("\n---\n") ? ended + text : `${ended}---\n${text}`;
  }, "");
}

async function manualValues(command: Command, io: Io, flags: InjectFlags): Promise<Values> {
  if (flags.ignoreCluster === true) return { ...DEFAULT_VALUES, namespace: flags.linkerdNamespace };
  const configMap = await connect(command, io)
    .get(RESOURCES.configmaps, flags.linkerdNamespace, LINKERD_CONFIG)
    .catch((error: unknown) => {
      if (!(error instanceof ApiError) || error.code !== 404) throw error;
      const missing = `there is no control plane in namespace ${flags.linkerdNamespace} (no ConfigMap ${LINKERD_CONFIG})`;
      throw new CommandFailure(`${missing}: install it, or use --ignore-cluster for the default configuration`);
    });
  const data = configMap["data"] as Readonly<Record<string, string>> | undefined;
  return parseValues(data?.[LINKERD_CONFIG_KEY] ?? "");
}
