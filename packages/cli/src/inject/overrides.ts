import { CONFIG_ANNOTATION, INJECT_ANNOTATION } from "@bowline/contracts";
import { DEFAULT_VALUES, valuesWith } from "@bowline/control-plane";
import { type Command, Option } from "commander";
import { CommandFailure } from "../io.ts";
import { OTHER_SWITCHES, OVERRIDE_FLAGS } from "./flags.ts";

/** What the command line says beside the global flags. */
export interface Overrides {
  /** The annotations that the flags stand for, `linkerd.io/inject: ingress` included. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Inputs that the parser took for values of switches: `--ingress web.yaml`. */
  readonly inputs: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;
type OptionValues = Readonly<Record<string, string | true | undefined>>;

/** @throws CommandFailure when a flag's value can't be used */
export function readOverrides(command: Command, env: Env): Overrides {
  const inputs: string[] = [];
  const options = command.opts<OptionValues>();
  const switches = [...OVERRIDE_FLAGS.filter(({ isSwitch }) => isSwitch === true), ...OTHER_SWITCHES];
  const on: Record<string, string> = {};
  for (const { flags } of switches) {
    const value = options[attributeOf(flags)];
    if (typeof value === "string" && value !== "true" && value !== "false") inputs.push(value);
    if (value !== undefined) on[attributeOf(flags)] = value === "false" ? "false" : "true";
  }
  const annotations = annotationsOf({ ...options, ...on }, env);
  check(annotations);
  return { annotations, inputs };
}

function annotationsOf(options: OptionValues, env: Env): Readonly<Record<string, string>> {
  const annotations: Record<string, string> = {};
  for (const { flags, annotation } of OVERRIDE_FLAGS) {
    const value = options[attributeOf(flags)];
    if (typeof value === "string") annotations[annotation] = value;
  }
  const registry = options["registry"] ?? env["LINKERD_DOCKER_REGISTRY"];
  if (typeof registry === "string" && registry !== "")
    annotations[CONFIG_ANNOTATION.proxyImage] ??= imageFrom(registry);
  if (options["ingress"] === "true") annotations[INJECT_ANNOTATION] = "ingress";
  return annotations;
}

/** The default image's last part behind the registry. */
function imageFrom(registry: string): string {
  const name = DEFAULT_VALUES.proxy.image.name;
  return `${registry.replace(/\/+$/, "")}${name.slice(name.lastIndexOf("/"))}`;
}

/** By name an opaque port can be checked only where the pod is known. */
const PORT_NAME = /^[a-z0-9-]*[a-z][a-z0-9-]*$/;

function check(annotations: Readonly<Record<string, string>>): void {
  for (const { flags, annotation } of OVERRIDE_FLAGS) {
    const text = annotations[annotation];
    if (text === undefined) continue;
    const numbers = text.split(",").filter((item) => !PORT_NAME.test(item.trim()));
    const checked = annotation === CONFIG_ANNOTATION.opaquePorts ? numbers.join(",") : text;
    const [complaint] = valuesWith(DEFAULT_VALUES, { [annotation]: checked }).complaints;
    if (complaint === undefined) continue;
    const [flag] = flags.split(" ");
    throw new CommandFailure(`${flag} ${text}: ${complaint.reason}`);
  }
}

function attributeOf(flags: string): string {
  return new Option(flags).attributeName();
}
