import { dirname, join, resolve } from "node:path";

/** Where a cluster keeps everything; nothing of it is elsewhere but its network namespaces, which begin with its name. */
export interface ClusterPaths {
  readonly name: string;
  readonly stateDir: string;
  /** What pods must not see: with the default directory, also the directories of other clusters. */
  readonly secretDir: string;
  readonly kubeconfig: string;
  readonly pidFile: string;
  /** Held by `up` while it starts the daemon; beside the directory, which is not there at first. */
  readonly lockFile: string;
  readonly logFile: string;
  /** What the daemon was started with: `status` shows it, `up` after a crash uses it again. */
  readonly settingsFile: string;
  /** Files that built-in images lay over the machine's. */
  readonly imagesDir: string;
}

/** Made for the first cluster, and removed with the last. */
export const STATE_ROOT: string = "/var/lib/bowline";
/** Namespaces are `bowline-NAME-` and 8 characters; interfaces within them have no need of the name. */
const NAME = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** Throws an Error that names the rule when `name` cannot be a cluster's. */
export function clusterPaths(name: string, stateDir?: string): ClusterPaths {
  if (!NAME.test(name)) {
    throw new Error(`--name ${JSON.stringify(name)}: a cluster's name is 1 to 40 lower case letters, digits and '-'`);
  }
  const dir = resolve(stateDir ?? join(STATE_ROOT, name));
  return {
    name,
    stateDir: dir,
    secretDir: dirname(dir) === STATE_ROOT ? STATE_ROOT : dir,
    kubeconfig: join(dir, "kubeconfig"),
    pidFile: join(dir, "daemon.pid"),
    lockFile: `${dir}.lock`,
    logFile: join(dir, "daemon.log"),
    settingsFile: join(dir, "settings.json"),
    imagesDir: join(dir, "images"),
  };
}
