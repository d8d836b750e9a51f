import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandResult, NetNamespace } from "@bowline/testkit";
import { ARTICLE, BOWLINE, bowline, everything, FAMILIES, MODES, savedRules } from "./bowline.ts";

const REAL_PROGRAMS = ["iptables", "ip6tables"].flatMap((family) =>
  ["", "-nft", "-legacy"].flatMap((mode) => [`${family}${mode}-save`, `${family}${mode}-restore`]),
);

let pod: NetNamespace;
let bin: string;

beforeEach(async () => {
  pod = await NetNamespace.create("failures");
  bin = mkdtempSync(join(tmpdir(), "bowline-path-"));
});

afterEach(async () => {
  rmSync(bin, { recursive: true });
  await pod[Symbol.asyncDispose]();
});

/** Runs with a PATH of one directory that holds only these programs: links to the real ones, or scripts. */
function withPrograms(
  real: readonly string[],
  scripts: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<CommandResult> {
  for (const name of real) {
    const path = Bun.which(name);
    if (path === null) throw new Error(`${name} is not installed`);
    symlinkSync(path, join(bin, name));
  }
  for (const [name, body] of Object.entries(scripts)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const inside = ["env", `PATH=${bin}`, ...BOWLINE, ...args];
  return pod.exec(inside);
}

async function nothingThere(): Promise<void> {
  expect(await pod.run(["nft", "list", "ruleset"])).toBe("");
  const names = "cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null || true";
  expect(await pod.run(["sh", "-c", names])).toBe("");
}

describe("a bad value names its flag, exits with 1 and changes nothing", () => {
  const rows: { flag: string; value: string }[] = [
    { flag: "--incoming-proxy-port", value: "70000" },
    { flag: "--inbound-ports-to-ignore", value: "5-2" },
    { flag: "--subnets-to-ignore", value: "10.0.0.0/33" },
    { flag: "--proxy-uid", value: "nobody" },
    { flag: "--iptables-mode", value: "bpf" },
  ];
  for (const { flag, value } of rows) {
    test(`${flag} ${value}`, async () => {
      const result = await bowline(pod, ...ARTICLE, flag, value);
      expect(result).toMatchObject({ code: 1, stdout: "" });
      expect(result.stderr).toContain(`${flag} "${value}" is not valid: `);
      await nothingThere();
    });
  }

  test("an installation that is there already stays as it is", async () => {
    await bowline(pod, ...ARTICLE);
    const before = await everything(pod);
    expect(await bowline(pod, ...ARTICLE, "-p", "0", "-u", "x")).toMatchObject({ code: 1 });
    expect(await everything(pod)).toBe(before);
  });
});

describe("missing privileges and programs are named, with what to do", () => {
  for (const mode of MODES) {
    test(`${mode} without NET_ADMIN`, async () => {
      const argv = [...BOWLINE, ...ARTICLE, "--iptables-mode", mode];
      const result = await pod.exec(argv, { withoutCapabilities: ["net_admin", "net_raw"] });
      expect(result.code).toBe(1);
      expect(result.stderr).toMatch(
        new RegExp(`iptables-${mode}-save -t nat.* failed: .*denied[\\s\\S]*NET_ADMIN.*run as root`),
      );
      await nothingThere();
    });

    test(`${mode} as another user`, async () => {
      const result = await pod.exec([...BOWLINE, ...ARTICLE, "--iptables-mode", mode], { as: { uid: 65_534 } });
      expect(result.code).toBe(1);
      expect(result.stderr).toContain("NET_ADMIN");
      await nothingThere();
    });
  }

  test("no iptables at all", async () => {
    const result = await withPrograms([], {}, ...ARTICLE);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain("iptables-save and iptables-restore are not on the PATH");
    expect(result.stderr).toContain("install the package iptables");
    await nothingThere();
  });

  test("a namespace that is not there", async () => {
    const result = await bowline(pod, ...ARTICLE, "--netns", "/run/netns/no-such-namespace");
    expect(result.code).toBe(1);
    expect(result.stderr).toContain("cannot open /run/netns/no-such-namespace");
  });

  test("no sysctl for --timeout-close-wait-secs", async () => {
    const missing = await withPrograms(REAL_PROGRAMS, {}, ...ARTICLE, "--timeout-close-wait-secs", "60");
    expect(missing).toMatchObject({ code: 1 });
    expect(missing.stderr).toContain("sysctl");
    await nothingThere();
  });
});

test("programs of another mode are used when the wanted ones are missing: nft, then plain, then legacy", async () => {
  const legacy = REAL_PROGRAMS.filter((name) => name.includes("legacy"));
  const result = await withPrograms([...legacy, "iptables-nft-save"], {}, ...ARTICLE, "--iptables-mode", "nft");
  expect(result).toMatchObject({ code: 0, stderr: "" });
  expect(result.stdout).toContain("using iptables-legacy-save and iptables-legacy-restore instead");
  expect((await savedRules(pod, "iptables", "legacy")).join("\n")).toContain("PROXY_INIT_REDIRECT");
  expect((await savedRules(pod, "iptables", "nft")).join("\n")).not.toContain("PROXY_INIT_REDIRECT");
});

describe("IPv6 that fails after IPv4 went in", () => {
  const broken = { "ip6tables-restore": "echo 'line 3: no such target' >&2; exit 2" };
  const withoutIpv6Tables = REAL_PROGRAMS.filter((name) => name !== "ip6tables-restore");

  test("leaves nothing in a fresh pod, the sysctl included", async () => {
    const before = await pod.run(["sysctl", "-n", CLOSE_WAIT]);
    const programs = [...withoutIpv6Tables, "sysctl", "sleep"];
    const result = await withPrograms(programs, broken, ...ARTICLE, "--timeout-close-wait-secs", "77");
    expect(result.code).toBe(1);
    expect(result.stderr).toContain("ip6tables-restore --noflush` failed: line 3: no such target");
    expect(result.stdout).toContain("putting the IPv4 rules back to what they were");
    expect(await everything(pod)).not.toContain("PROXY_INIT");
    expect(await pod.run(["sysctl", "-n", CLOSE_WAIT])).toBe(before);
  });

  test("leaves the earlier installation, jump and all, where there was one", async () => {
    await bowline(pod, ...ARTICLE, "--outbound-ports-to-ignore", "25", "--ipv6=false");
    await pod.run(["iptables", "-t", "nat", "-A", "PREROUTING", "-p", "udp", "-j", "ACCEPT"]);
    const before = await savedRules(pod, "iptables", "nft");
    const result = await withPrograms(withoutIpv6Tables, broken, ...ARTICLE);
    expect(result.code).toBe(1);
    expect(await savedRules(pod, "iptables", "nft")).toEqual(before);
  });
});

describe("a kernel without IPv6 NAT", () => {
  const message = "Cannot initialize: Table does not exist (do you need to insmod?)";
  const noTable = { "ip6tables-save": `echo '${message}' >&2; exit 1` };
  const programs = [...REAL_PROGRAMS.filter((name) => name !== "ip6tables-save"), "cat"];

  test("is passed over with a warning where no IPv6 address needs it", async () => {
    const result = await withPrograms(programs, noTable, ...ARTICLE);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toMatch(/level=warning msg="no IPv6 rules, and no IPv6 address that needs them/);
    expect((await savedRules(pod, "iptables", "nft")).join("\n")).toContain("PROXY_INIT_REDIRECT");
    const removal = await pod.exec(["env", `PATH=${bin}`, ...BOWLINE, "proxy-init", "--cleanup"]);
    expect(removal).toMatchObject({ code: 0, stderr: "" });
    expect(await everything(pod)).not.toContain("PROXY_INIT");
  });

  test("fails when --ipv6 was given", async () => {
    const result = await withPrograms(programs, noTable, ...ARTICLE, "--ipv6=true");
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(message);
    expect(await everything(pod)).not.toContain("PROXY_INIT");
  });

  test("fails where the pod has an IPv6 address, as its traffic would go past the proxy", async () => {
    await pod.run(["ip", "address", "add", "fd77::9/128", "dev", "lo"]);
    const result = await withPrograms(programs, noTable, ...ARTICLE);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain("--ipv6=false leaves IPv6 alone: its traffic then passes the proxy by.");
    expect(await everything(pod)).not.toContain("PROXY_INIT");
  });
});

test("a foreign rule that needs our chain keeps it from being removed, and is named", async () => {
  await bowline(pod, ...ARTICLE);
  const foreign = ["-d", "192.0.2.0/24", "-j", "PROXY_INIT_OUTPUT"];
  await pod.run(["iptables", "-t", "nat", "-I", "OUTPUT", ...foreign]);
  const before = await everything(pod);
  const result = await bowline(pod, "proxy-init", "--cleanup");
  expect(result.code).toBe(1);
  expect(result.stderr).toContain("-A OUTPUT -d 192.0.2.0/24 -j PROXY_INIT_OUTPUT");
  expect(await everything(pod)).toBe(before);
});

test("logs are JSON lines when asked for, and quiet when asked for", async () => {
  const json = await bowline(pod, ...ARTICLE, "--log-format", "json");
  const lines = json.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, string>);
  expect(lines.map(({ level }) => level)).toContain("info");
  expect(lines.map(({ msg }) => msg)).toContain("> iptables-restore --noflush");
  for (const family of FAMILIES) expect(json.stdout).toContain(`> ${family}-save -t nat`);
  expect(await bowline(pod, ...ARTICLE, "--log-level", "error")).toMatchObject({ code: 0, stdout: "", stderr: "" });
});

const CLOSE_WAIT = "net.netfilter.nf_conntrack_tcp_timeout_close_wait";
