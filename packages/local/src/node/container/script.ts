import { type BindMount, type ContainerLaunch, envWords, setprivWords } from "./launch.ts";
import { quoteWord, quoteWords } from "./shell-quote.ts";

/** The machine's root as a container's script sees it while it mounts volumes; an empty directory afterwards. */
export const HOST_ROOT = "/dev/.host";

/** Where tools are looked for while a container is set up; also what a container gets that has no PATH of its own. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What the script says on its standard output once the command takes over, or instead of it. */
export const STARTED = "started";

/**
 * The supervisor of one run of a container, for dash. It begins in the container's directory and in namespaces that
 * `nsenter` and `unshare` have made; its one child is PID 1 of the container, sets up the file system and becomes the command.
 *
 * The supervisor can't start anything after that (its PID namespace is gone with PID 1), so it writes the exit code with a
 * builtin, to a file opened while the machine's root was still in sight. The child runs in the foreground because a shell
 * lets background commands ignore SIGINT and SIGQUIT.
 *
 * Output goes through a FIFO, not straight to the log, because programs open /dev/stdout and /dev/stderr again, and with
 * O_TRUNC if they are shells.
 *
 * Files: `pid` the supervisor's, `exit` empty until the end, `fault` why the command never ran, `output` the FIFO and `input` another; `upper`, `work`
 * and `root` belong to overlayfs.
 */
export function containerScript(launch: ContainerLaunch): string {
  return [
    `PATH=${DEFAULT_PATH}`,
    "echo $$ >pid",
    "exec 3>exit 4>&1 5>fault >/dev/null 2>&1",
    "(",
    // Waits for the logger to open the other end.
    launch.stdin ? "exec 3>&- <input >output 2>&1" : "exec 3>&- >output 2>&1",
    // The daemon may be gone by now: that must not end the container.
    "tell() { (trap '' PIPE; echo \"$1\" >&4) 2>&5; }",
    'fail() { echo "$1" >&5; tell failed; exit 128; }',
    'must() { said=$("$@" 2>&1) || fail "$*: $said"; }',
    ...rootFileSystem(launch),
    ...launch.mounts.flatMap(bindMount),
    ...(launch.readOnlyRoot ? ["must mount -o remount,ro /"] : []),
    `must umount -l ${HOST_ROOT}`,
    ...(launch.privileged ? [] : protectKernel()),
    ...command(launch),
    ")",
    "echo $? >&3",
    "",
  ].join("\n");
}

function rootFileSystem(launch: ContainerLaunch): string[] {
  const sysctls = launch.sysctls.map(
    ([name, value]) =>
      `echo ${quoteWord(value)} >/proc/sys/${quoteWord(name.replaceAll(".", "/"))} || fail ${quoteWord(`sysctl ${name} could not be set`)}`,
  );
  return [
    // Overlayfs takes no layer that lies within another, as all of ours lie within /, so they are copied.
    `must cp -a ${quoteWords(launch.layers.map((layer) => `${layer}/.`))} upper/`,
    "must mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root",
    ...launch.hostMounts.map((path) => `must mount -o bind,ro ${quoteWord(path)} ${quoteWord(`root${path}`)}`),
    "cd root || fail 'no root file system'",
    `must pivot_root . .${HOST_ROOT}`,
    "cd /",
    `must mount -a -T ${quoteWord(HOST_ROOT + launch.fstab)}`,
    `echo ${quoteWord(launch.hostname)} >/proc/sys/kernel/hostname`,
    ...sysctls,
  ];
}

function bindMount(mount: BindMount): string[] {
  const target = quoteWord(mount.target);
  const parent = quoteWord(mount.target.slice(0, mount.target.lastIndexOf("/")) || "/");
  return [
    mount.directory
      ? `[ -d ${target} ] || must mkdir -p ${target}`
      : `[ -e ${target} ] || { [ -d ${parent} ] || must mkdir -p ${parent}; : >${target}; }`,
    `must mount -o ${mount.readOnly ? "bind,ro" : "rbind"} ${quoteWord(HOST_ROOT + mount.source)} ${target}`,
  ];
}

/** What lets root reach the machine's kernel is read-only or hidden, as container runtimes have it. */
function protectKernel(): string[] {
  return [
    "must mount -o bind,ro /proc/sys /proc/sys",
    "for file in /proc/kcore /proc/sysrq-trigger; do [ ! -e $file ] || must mount --bind /dev/null $file; done",
  ];
}

function command(launch: ContainerLaunch): string[] {
  const directory = quoteWord(launch.workingDir);
  const program = launch.argv[0] ?? "";
  return [
    `[ -d ${directory} ] || must mkdir -p ${directory}`,
    `cd ${directory} || fail ${quoteWord(`chdir to cwd (${JSON.stringify(launch.workingDir)}) failed`)}`,
    ...(program.includes("/") ? findByPath(program) : findInPath(program, launch.env.get("PATH") ?? DEFAULT_PATH)),
    `tell ${STARTED}`,
    `exec ${quoteWords([...setprivWords(launch), ...envWords(launch.env), ...launch.argv])} 4>&- 5>&-`,
  ];
}

function findByPath(program: string): string[] {
  const [word, name] = [quoteWord(program), JSON.stringify(program)];
  return [
    `[ -e ${word} ] || fail ${quoteWord(`exec: ${name}: stat ${program}: no such file or directory`)}`,
    `{ [ -f ${word} ] && [ -x ${word} ]; } || fail ${quoteWord(`exec: ${name}: permission denied`)}`,
  ];
}

function findInPath(program: string, path: string): string[] {
  const candidates = quoteWords(path.split(":").map((directory) => `${directory || "."}/${program}`));
  return [
    `found=; for file in ${candidates}; do if [ -f "$file" ] && [ -x "$file" ]; then found=1; fi; done`,
    `[ "$found" ] || fail ${quoteWord(`exec: ${JSON.stringify(program)}: executable file not found in $PATH`)}`,
  ];
}
