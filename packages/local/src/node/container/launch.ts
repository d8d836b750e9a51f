import type { CapabilitySets } from "./capabilities.ts";

/** Everything that a container's script needs to know; nothing is looked up later. */
export interface ContainerLaunch {
  /** Directories whose content goes over the machine's root file system; a later one wins. */
  readonly layers: readonly string[];
  /** File systems of the machine below its root, shown read-only where they are. */
  readonly hostMounts: readonly string[];
  /** A table for `mount -a` with the kernel's own file systems. */
  readonly fstab: string;
  readonly hostname: string;
  /** Names with dots, as in a pod's securityContext. */
  readonly sysctls: readonly (readonly [name: string, value: string])[];
  /** In the order in which they are mounted. */
  readonly mounts: readonly BindMount[];
  readonly readOnlyRoot: boolean;
  readonly privileged: boolean;
  readonly user: ContainerUser;
  readonly capabilities: CapabilitySets;
  readonly noNewPrivileges: boolean;
  readonly env: ReadonlyMap<string, string>;
  readonly workingDir: string;
  readonly argv: readonly string[];
  /** It reads what those who attach write; else it has nothing to read. */
  readonly stdin: boolean;
}

export interface BindMount {
  /** A path of the machine. */
  readonly source: string;
  /** A path of the container. */
  readonly target: string;
  readonly readOnly: boolean;
  readonly directory: boolean;
}

export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** The words that change a process to the container's user and capabilities before it runs what follows them. */
export function setprivWords(launch: ContainerLaunch): string[] {
  const { uid, gid, groups } = launch.user;
  const { bounding, ambient } = launch.capabilities;
  const only = (names: readonly string[]) => ["-all", ...names.map((name) => `+${name}`)].join(",");
  const words = ["setpriv", "--reuid", String(uid), "--regid", String(gid)];
  words.push(...(groups.length === 0 ? ["--clear-groups"] : ["--groups", groups.join(",")]));
  if (launch.noNewPrivileges) words.push("--no-new-privs");
  words.push("--bounding-set", only(bounding), "--inh-caps", only(ambient), "--ambient-caps", only(ambient));
  // A container does not outlive its supervisor, who alone would notice how it ended.
  words.push("--pdeathsig", "KILL");
  return words;
}

export function envWords(env: ReadonlyMap<string, string>): string[] {
  return ["env", "-i", ...Array.from(env, ([name, value]) => `${name}=${value}`)];
}
