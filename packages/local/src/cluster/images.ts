import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ImageDefinition, ImageTable } from "../node/types.ts";
import type { ConfiguredImage } from "./cluster-config.ts";

/** How this project's programs are started: the executable, or the runtime and the main file. */
export interface OwnPrograms {
  readonly bowline: readonly string[];
  /** The sample application. */
  readonly demo: readonly string[];
}

interface MountedPrograms extends OwnPrograms {
  readonly mounts: NonNullable<ImageDefinition["mounts"]>;
}

/** Where containers find this project's executable, when there is one. */
const EXECUTABLE = "/usr/local/lib/bowline/bowline";

/** Registries and prefixes under which the same images go. */
const prefixes = (name: string): readonly string[] =>
  ["bowline", "*/bowline", "linkerd", "*/linkerd", "linkerd-io", "*/linkerd-io"].map((prefix) => `${prefix}/${name}`);

/**
 * Writes the files of Bowline's own images and tells what image names mean: first the cluster's configuration, then the
 * built-in images.
 */
export function makeImageTable(dir: string, own: OwnPrograms, configured: readonly ConfiguredImage[]): ImageTable {
  rmSync(dir, { recursive: true, force: true });
  const programs = mounted(own);
  const builtIn = [proxyImages, controllerImages, demoImages].flatMap((images) => images(dir, programs));
  const entries = [...configured, ...builtIn].map((definition) => ({
    definition,
    matches: patternOf(definition.image),
  }));
  return {
    resolve(image) {
      const name = nameOf(image);
      return entries.find(({ matches }) => matches.test(image) || matches.test(name))?.definition;
    },
  };
}

/**
 * Containers of any user run the executable, which may lie where only its owner may look, so it is mounted into them.
 * Sources run where they are.
 */
function mounted(own: OwnPrograms): MountedPrograms {
  const [executable = "", ...args] = own.bowline;
  if (args.length > 0) return { ...own, mounts: [] };
  return {
    bowline: [EXECUTABLE],
    demo: [EXECUTABLE, ...own.demo.slice(1)],
    mounts: [{ source: executable, target: EXECUTABLE }],
  };
}

function proxyImages(dir: string, own: MountedPrograms): ConfiguredImage[] {
  const layer = join(dir, "proxy");
  const proxy = "/usr/lib/linkerd/linkerd2-proxy";
  const init = "/usr/lib/linkerd/linkerd2-proxy-init";
  writeProgram(layer, proxy, [...own.bowline, "proxy"]);
  writeProgram(layer, init, [...own.bowline, "proxy-init"]);
  writeProgram(layer, "/usr/lib/linkerd/linkerd-await", [...own.bowline, "await"]);
  writeProgram(layer, "/usr/local/bin/proxy-init", [...own.bowline, "proxy-init"]);
  writeProgram(layer, "/usr/local/bin/bowline", own.bowline);
  return [
    ...prefixes("proxy").map((image) => ({ image, command: [proxy], layers: [layer], mounts: own.mounts })),
    ...prefixes("proxy-init").map((image) => ({ image, command: [init], layers: [layer], mounts: own.mounts })),
  ];
}

function controllerImages(dir: string, own: MountedPrograms): ConfiguredImage[] {
  const layer = join(dir, "controller");
  const program = "/usr/local/bin/bowline";
  writeProgram(layer, program, own.bowline);
  return ["bowline/controller", "*/bowline/controller"].map((image) => ({
    image,
    command: [program],
    layers: [layer],
    mounts: own.mounts,
  }));
}

/** Ours, and the names under which the emoji application of Linkerd's documents is known. */
function demoImages(dir: string, own: MountedPrograms): ConfiguredImage[] {
  const layer = join(dir, "demo");
  const parts = ["web", "emoji", "voting", "vote-bot"].map((part) => ({
    part,
    program: `/usr/local/bin/emojivoto-${part}`,
  }));
  writeProgram(layer, "/usr/local/bin/demo", own.demo);
  for (const { part, program } of parts) writeProgram(layer, program, [...own.demo, part]);
  return [
    ...["bowline/demo", "*/bowline/demo"].map((image) => ({
      image,
      command: ["/usr/local/bin/demo"],
      layers: [layer],
      mounts: own.mounts,
    })),
    ...parts.map(({ part, program }) => ({
      image: `*/emojivoto-${part}`,
      command: [program],
      layers: [layer],
      mounts: own.mounts,
    })),
  ];
}

function writeProgram(layer: string, path: string, command: readonly string[]): void {
  const file = join(layer, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\nexec ${command.map(shellQuote).join(" ")} "$@"\n`);
  chmodSync(file, 0o755);
}

function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Without tag and digest, and without what Docker leaves out of its own registry's names. */
function nameOf(image: string): string {
  const name = image.replace(/@sha256:[0-9a-f]+$/, "").replace(/:[\w][\w.-]*$/, "");
  return name.replace(/^docker\.io\//, "").replace(/^library\//, "");
}

function patternOf(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^${escaped}$`);
}
