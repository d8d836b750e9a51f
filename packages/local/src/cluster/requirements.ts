/** Programs that the node calls, and the Debian packages that have them. */
const TOOLS: Readonly<Record<string, string>> = {
  ip: "iproute2",
  nft: "nftables",
  nsenter: "util-linux",
  unshare: "util-linux",
  setpriv: "util-linux",
  mount: "mount",
};

/** What to do about not being root, in words; null for root. */
export function needsRoot(): string | null {
  return process.getuid?.() === 0
    ? null
    : "an embedded cluster makes network namespaces and mounts: run this as root (sudo)";
}

/** What this machine lacks for an embedded cluster, in words; null when it has everything. */
export function missingTools(): string | null {
  const notRoot = needsRoot();
  if (notRoot !== null) return notRoot;
  // Debian keeps these where an ordinary user's PATH does not look.
  const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  const missing = Object.keys(TOOLS).filter((tool) => Bun.which(tool, { PATH }) === null);
  if (missing.length === 0) return null;
  const packages = [...new Set(missing.map((tool) => TOOLS[tool]))].join(" ");
  return `missing programs: ${missing.join(", ")}; on Debian: apt-get install ${packages}`;
}
