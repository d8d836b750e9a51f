/** In the order of their bits, as linux/capability.h numbers them. */
const CAPABILITIES: readonly string[] = [
  "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service",
  "net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin",
  "sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override",
  "mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore",
].flatMap((line) => line.split(" "));

/** What Docker and containerd leave to a container that asks for nothing. */
const DEFAULT_CAPABILITIES: readonly string[] = [
  "chown dac_override fsetid fowner mknod net_raw setgid setuid setfcap setpcap net_bind_service sys_chroot kill",
  "audit_write",
].flatMap((line) => line.split(" "));

export interface CapabilityRequest {
  readonly privileged: boolean;
  /** As in a securityContext: upper case, with or without `CAP_`, or `ALL`. */
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly root: boolean;
}

export interface CapabilitySets {
  readonly bounding: readonly string[];
  /** Also inheritable: what a user other than root has from its first instruction. */
  readonly ambient: readonly string[];
}

/**
 * The sets of a container's first process, in setpriv's names. A user other than root gets what was added for it, which
 * Kubernetes promises to no one and runtimes differ in: without it `capabilities.add` would be of no use to such a user.
 * @param available what this process may hand out, from `availableCapabilities`
 */
export function capabilitySets(request: CapabilityRequest, available: ReadonlySet<string>): CapabilitySets {
  const inOrder = (names: Set<string>) => CAPABILITIES.filter((name) => names.has(name) && available.has(name));
  if (request.privileged) return { bounding: inOrder(new Set(CAPABILITIES)), ambient: [] };
  const added = new Set(request.add.flatMap(named));
  const dropped = new Set(request.drop.flatMap(named));
  const bounding = new Set([...DEFAULT_CAPABILITIES.filter((name) => !dropped.has(name)), ...added]);
  return { bounding: inOrder(bounding), ambient: request.root ? [] : inOrder(added) };
}

/** The bounding set in the text of a /proc/PID/status. */
export function availableCapabilities(status: string): ReadonlySet<string> {
  const bits = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return new Set(CAPABILITIES.filter((_, bit) => ((bits >> BigInt(bit)) & 1n) === 1n));
}

function named(name: string): readonly string[] {
  return name.toUpperCase() === "ALL" ? CAPABILITIES : [name.toLowerCase().replace(/^cap_/, "")];
}
