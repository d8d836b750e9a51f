import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type ClusterConfig, DEFAULT_CONFIG } from "./cluster-config.ts";
import type { ClusterPaths } from "./paths.ts";

/** What a daemon needs to know at its start; kept in the state directory, which it marks as a cluster's. */
export interface ClusterSettings {
  readonly name: string;
  /** Of the API on the machine's loopback; 0 at first: any free one, the same again afterwards. */
  readonly apiPort: number;
  /** It was asked for: no other will do. */
  readonly isApiPortFixed: boolean;
  readonly config: ClusterConfig;
}

/**
 * The settings of the cluster whose state is in `paths.stateDir`; null when the directory is absent or empty.
 *
 * @throws Error when the directory is something else than this cluster's: it must neither be written to nor removed
 */
export function findSettings(paths: ClusterPaths): ClusterSettings | null {
  const { name, stateDir, settingsFile } = paths;
  if (!existsSync(settingsFile)) {
    if (!existsSync(stateDir) || readdirSync(stateDir).length === 0) return null;
    throw new Error(`${stateDir} is not empty and holds no cluster: name another directory with --state-dir`);
  }
  const settings = parseSettings(paths, readFileSync(settingsFile, "utf8"));
  if (settings.name !== name) throw new Error(`${stateDir} is the state of cluster ${settings.name}, not of ${name}`);
  return settings;
}

/** Throws when there is no such cluster. */
export function readSettings(paths: ClusterPaths): ClusterSettings {
  const settings = findSettings(paths);
  if (settings === null) throw new Error(`there is no cluster ${paths.name} in ${paths.stateDir}`);
  return settings;
}

export function writeSettings(paths: ClusterPaths, settings: ClusterSettings): void {
  mkdirSync(paths.stateDir, { recursive: true });
  writeFileSync(paths.settingsFile, `${JSON.stringify(settings, null, 2)}\n`);
}

/** Older versions wrote fewer fields. A file that a crash left cut off says nothing, and leaves the defaults. */
function parseSettings({ name }: ClusterPaths, text: string): ClusterSettings {
  let read: Partial<ClusterSettings> = {};
  try {
    read = JSON.parse(text) as Partial<ClusterSettings>;
  } catch {
    // As said above.
  }
  return {
    name: read.name ?? name,
    apiPort: read.apiPort ?? 0,
    isApiPortFixed: read.isApiPortFixed ?? false,
    config: { ...DEFAULT_CONFIG, ...read.config },
  };
}
