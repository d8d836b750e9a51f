import { chownSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { unescapePath } from "../volume/mount-table.ts";
import { availableCapabilities } from "./capabilities.ts";
import { HOST_ROOT } from "./script.ts";

/** What containers of this machine have in common; made anew by every daemon. */
export interface Machine {
  /** Goes over `/` in each container: devices, mount points, and a whiteout where the cluster keeps its secrets. */
  readonly baseLayer: string;
  readonly fstab: string;
  readonly hostMounts: readonly string[];
  readonly capabilities: ReadonlySet<string>;
}

const DEVICES = [
  ["null", "1", "3"],
  ["zero", "1", "5"],
  ["full", "1", "7"],
  ["random", "1", "8"],
  ["urandom", "1", "9"],
  ["tty", "5", "0"],
] as const;

const LINKS = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
  ["ptmx", "pts/ptmx"],
] as const;

const FSTAB = `proc /proc proc nosuid,nodev,noexec 0 0
sysfs /sys sysfs ro,nosuid,nodev,noexec 0 0
devpts /dev/pts devpts newinstance,ptmxmode=0666,mode=620 0 0
tmpfs /dev/shm tmpfs nosuid,nodev,noexec,mode=1777,size=64m 0 0
mqueue /dev/mqueue mqueue nosuid,nodev,noexec 0 0
`;

/** File systems that hold people's programs and data; the rest (snaps, containers' own, kernel's) no pod has any use for. */
const SHOWN_TYPES = /^(ext[234]|xfs|btrfs|zfs|f2fs|bcachefs|overlay|9p|virtiofs|nfs4?|ceph|fuseblk)$/;
const HIDDEN_PATHS = /^\/(boot|dev|proc|run|snap|sys|var\/lib\/(docker|containerd|containers|kubelet|lxcfs))(\/|$)/;

/**
 * Prepares `directory` for containers, and checks that their file systems can be made there.
 * @param secretDir hidden from containers: the directory of the cluster
 * @throws when overlayfs does not work here, saying what to do about it
 */
export function prepareMachine(directory: string, secretDir: string): Machine {
  rmSync(directory, { recursive: true, force: true });
  const baseLayer = join(directory, "base");
  makeBaseLayer(baseLayer, secretDir);
  const fstab = join(directory, "fstab");
  writeFileSync(fstab, FSTAB);
  assertOverlay(join(directory, "overlay"));
  return {
    baseLayer,
    fstab,
    hostMounts: shownMounts(readFileSync("/proc/self/mountinfo", "utf8"), secretDir),
    capabilities: availableCapabilities(readFileSync("/proc/self/status", "utf8")),
  };
}

/** Mount points from the text of a /proc/PID/mountinfo that a container must be shown, since overlayfs sees `/` alone. */
export function shownMounts(mountinfo: string, secretDir: string): string[] {
  const mounts = mountinfo.split("\n").flatMap((line) => {
    const [left = "", right = ""] = line.split(" - ");
    const path = unescapePath(left.split(" ")[4] ?? "");
    return SHOWN_TYPES.test(right.split(" ")[0] ?? "") ? [path] : [];
  });
  const shown = mounts.filter(
    (path) => path !== "/" && !HIDDEN_PATHS.test(path) && !`${path}/`.startsWith(`${secretDir}/`),
  );
  return [...new Set(shown)];
}

function makeBaseLayer(base: string, secretDir: string): void {
  const device = join(base, "dev");
  for (const name of [`.${HOST_ROOT}`, "dev/pts", "dev/shm", "dev/mqueue", "proc", "sys"]) {
    mkdirSync(join(base, name), { recursive: true, mode: 0o755 });
  }
  for (const [name, major, minor] of DEVICES) run(["mknod", "-m", "666", join(device, name), "c", major, minor]);
  for (const [name, target] of LINKS) symlinkSync(target, join(device, name));
  writeFileSync(join(device, "termination-log"), "", { mode: 0o666 });
  run(["chmod", "666", join(device, "termination-log")]);
  makeParents(base, secretDir);
  // To overlayfs a character device 0/0 says: nothing here, whatever a lower layer has.
  run(["mknod", join(base, secretDir), "c", "0", "0"]);
}

/** The layer's directories hide their lower twins' owners and modes, so they get the same. */
function makeParents(base: string, path: string): void {
  const parents: string[] = [];
  for (let parent = dirname(path); parent !== "/"; parent = dirname(parent)) parents.unshift(parent);
  for (const parent of parents) {
    const twin = join(base, relative("/", parent));
    if (existsSync(twin)) continue;
    const { mode, uid, gid } = lstatSync(parent);
    mkdirSync(twin);
    chownSync(twin, uid, gid);
    run(["chmod", (mode & 0o7777).toString(8), twin]);
  }
}

function assertOverlay(directory: string): void {
  for (const name of ["upper", "work", "root"]) mkdirSync(join(directory, name), { recursive: true });
  const options = "lowerdir=/,upperdir=upper,workdir=work";
  const mount = ["unshare", "--mount", "mount", "-t", "overlay", "-o", options, "overlay", "root"];
  const { success, stderr } = Bun.spawnSync(mount, { cwd: directory, stdout: "ignore", stderr: "pipe" });
  if (success) return;
  throw new Error(
    `containers need overlayfs, which does not work in ${directory}: ${stderr.toString().trim()}. Run as root on a kernel with ` +
      "overlay (modprobe overlay), and keep the cluster's state on a file system that can be an upper layer: ext4, xfs, btrfs or tmpfs, not another overlay",
  );
}

function run(words: string[]): void {
  const { success, stderr } = Bun.spawnSync(words, { stdout: "ignore", stderr: "pipe" });
  if (!success) throw new Error(`${words.join(" ")}: ${stderr.toString().trim()}`);
}
