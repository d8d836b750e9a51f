import { describe, expect, test } from "bun:test";
import { NetNamespace } from "@bowline/testkit";
import { ARTICLE, BOWLINE, bowline, everything, FAMILIES, type FamilyName, MODES, savedRules } from "./bowline.ts";

/** The article's listing, as `iptables -t nat -L -v` prints it; counters and seconds left out. */
const LISTING = `Chain PREROUTING (policy ACCEPT)
PROXY_INIT_REDIRECT all -- any any anywhere anywhere /* proxy-init/install-proxy-init-prerouting/SECONDS */
Chain INPUT (policy ACCEPT)
Chain OUTPUT (policy ACCEPT)
PROXY_INIT_OUTPUT all -- any any anywhere anywhere /* proxy-init/install-proxy-init-output/SECONDS */
Chain POSTROUTING (policy ACCEPT)
Chain PROXY_INIT_OUTPUT (1 references)
RETURN all -- any any anywhere anywhere owner UID match 2102 /* proxy-init/ignore-proxy-user-id/SECONDS */
RETURN all -- any lo anywhere anywhere /* proxy-init/ignore-loopback/SECONDS */
REDIRECT tcp -- any any anywhere anywhere /* proxy-init/redirect-all-outgoing-to-proxy-port/SECONDS */ redir ports 4140
Chain PROXY_INIT_REDIRECT (1 references)
RETURN tcp -- any any anywhere anywhere tcp dpt:4190 /* proxy-init/ignore-port-4190/SECONDS */
RETURN tcp -- any any anywhere anywhere tcp dpt:4191 /* proxy-init/ignore-port-4191/SECONDS */
REDIRECT tcp -- any any anywhere anywhere /* proxy-init/redirect-all-incoming-to-proxy-port/SECONDS */ redir ports 4143`;

const FOREIGN = ["-p udp -m udp --dport 53 -j ACCEPT", "-p udp -m udp --dport 123 -j ACCEPT"];

/** `ip netns exec` gives each command a mount namespace, so hiding the names of ports stays inside it. */
async function list(namespace: NetNamespace, command: string): Promise<string> {
  const listing = await namespace.run(["sh", "-c", `mount --bind /dev/null /etc/services && ${command} -t nat -L -v`]);
  return listing
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.includes("pkts bytes target"))
    .map((line) =>
      line
        .trim()
        .replaceAll(/ +/g, " ")
        .replace(/^\d+ \d+ /, ""),
    )
    .map((line) => line.replace(/ \d+ packets, \d+ bytes\)/, ")").replace(/\/\d{10} \*/, "/SECONDS *"))
    .map((line) => (command.startsWith("ip6") ? line.replace(/^(\w+ (?:all|tcp)) (?=any)/, "$1 -- ") : line))
    .join("\n");
}

test("called as in the article, iptables lists what the article shows, and no other table exists", async () => {
  await using pod = await NetNamespace.create("article");
  const before = Math.floor(Date.now() / 1_000);
  expect(await bowline(pod, ...ARTICLE)).toMatchObject({ code: 0, stderr: "" });
  const saved = await pod.run(["iptables-save"]);
  expect(await list(pod, "iptables")).toBe(LISTING);
  expect(await list(pod, "ip6tables")).toBe(LISTING);
  expect(saved.match(/^\*\w+/gm)).toEqual(["*nat"]);
  const seconds = [...saved.matchAll(/\/(\d{10})"/g)].map(([, text]) => Number(text));
  expect(seconds).toHaveLength(8);
  expect(Math.min(...seconds)).toBeGreaterThanOrEqual(before);
  expect(Math.max(...seconds)).toBeLessThanOrEqual(Date.now() / 1_000);
});

for (const mode of MODES) {
  describe(mode, () => {
    const article = [...ARTICLE, "--iptables-mode", mode];

    test("installs the article's rules for both families and no other table", async () => {
      await using pod = await NetNamespace.create(mode);
      expect(await bowline(pod, ...article)).toMatchObject({ code: 0, stderr: "" });
      const tables = await pod.run(mode === "nft" ? ["nft", "list", "tables"] : ["sh", "-c", LEGACY_TABLES]);
      expect(tables).toBe(mode === "nft" ? "table ip nat\ntable ip6 nat\n" : "nat\nnat\n");
      for (const family of FAMILIES) expect(await list(pod, `${family}-${mode}`)).toBe(LISTING);
    });

    test("run twice and with other options, it leaves the rules of the last run among the foreign ones", async () => {
      await using pod = await NetNamespace.create(mode);
      for (const family of FAMILIES) await addForeign(pod, `${family}-${mode}`, FOREIGN[0] ?? "");
      await bowline(pod, ...article, "--outbound-ports-to-ignore", "25,3306-3307");
      for (const family of FAMILIES) await addForeign(pod, `${family}-${mode}`, FOREIGN[1] ?? "");
      const first = await everything(pod);
      expect(await bowline(pod, ...article, "--outbound-ports-to-ignore", "25,3306-3307")).toMatchObject({ code: 0 });
      expect(await everything(pod)).toBe(first);

      expect(await bowline(pod, ...article)).toMatchObject({ code: 0 });
      for (const family of FAMILIES) {
        const rules = await savedRules(pod, family, mode);
        for (const [hook, chain] of HOOKS) {
          const inHook = rules.filter((rule) => rule.startsWith(`-A ${hook} `));
          expect(inHook.map((rule) => (rule.endsWith(`-j ${chain}`) ? "ours" : rule.slice(4 + hook.length)))).toEqual([
            FOREIGN[0] ?? "",
            "ours",
            FOREIGN[1] ?? "",
          ]);
        }
        expect(rules.some((rule) => rule.includes("ignore-port-25"))).toBe(false);
      }

      expect(await bowline(pod, "proxy-init", "--cleanup", "--iptables-mode", mode)).toMatchObject({ code: 0 });
      for (const family of FAMILIES) expect(await savedRules(pod, family, mode)).toEqual(ONLY_FOREIGN);
      expect(await bowline(pod, "proxy-init", "--cleanup", "--iptables-mode", mode)).toMatchObject({ code: 0 });
      for (const family of FAMILIES) expect(await savedRules(pod, family, mode)).toEqual(ONLY_FOREIGN);
    });

    test("replaces what Linkerd's own proxy-init left, even when that was installed twice", async () => {
      await using pod = await NetNamespace.create(mode);
      const linkerd = "-m comment --comment proxy-init/install-proxy-init-prerouting -j PROXY_INIT_REDIRECT";
      const iptables = `iptables-${mode} -t nat`;
      const jump = `${iptables} -A PREROUTING ${linkerd}`;
      await pod.run(["sh", "-ec", `${iptables} -N PROXY_INIT_REDIRECT; ${jump}; ${jump}`]);
      expect(await bowline(pod, ...article)).toMatchObject({ code: 0, stderr: "" });
      expect(await list(pod, `iptables-${mode}`)).toBe(LISTING);
    });

    test("killed at any moment, each family has all of the rules or none, and the next run completes them", async () => {
      await using pod = await NetNamespace.create(mode);
      const empty = await everything(pod);
      await bowline(pod, ...article);
      const complete = await everything(pod);
      const halves: Record<FamilyName, Set<string>> = { iptables: new Set(), ip6tables: new Set() };
      for (let round = 0; round < 8; round++) {
        await bowline(pod, "proxy-init", "--cleanup", "--iptables-mode", mode);
        expect(await everything(pod)).toBe(empty);
        const running = pod.spawn([...BOWLINE, ...article]);
        setTimeout(() => running.kill("SIGKILL"), 5 + round * 10);
        await running.exited;
        for (const family of FAMILIES) halves[family].add((await savedRules(pod, family, mode)).join("\n"));
        expect(await bowline(pod, ...article)).toMatchObject({ code: 0 });
        expect(await everything(pod)).toBe(complete);
      }
      for (const family of FAMILIES) {
        const whole = (await savedRules(pod, family, mode)).join("\n");
        for (const state of halves[family]) expect([whole, NO_RULES.join("\n")]).toContain(state);
      }
    }, 60_000);

    test("several at the same time end with one set of rules", async () => {
      await using pod = await NetNamespace.create(mode);
      const results = await Promise.all([1, 2, 3].map(() => bowline(pod, ...article)));
      expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
      for (const family of FAMILIES) expect(await list(pod, `${family}-${mode}`)).toBe(LISTING);
    });

    test("a simulation runs nothing and prints the script that does what a run does", async () => {
      await using pod = await NetNamespace.create(mode);
      const flags = ["--simulate", "--timeout-close-wait-secs", "99", "--subnets-to-ignore", "10.9.0.0/16,fd09::/16"];
      const simulated = await pod.exec([...BOWLINE, ...article, ...flags], { as: { uid: 65_534 } });
      expect(simulated).toMatchObject({ code: 0, stderr: "" });
      expect(await pod.run(["nft", "list", "ruleset"])).toBe("");
      expect((await pod.exec(["sh", "-c", LEGACY_TABLES])).stdout).toBe("");

      await pod.run(["sh", "-e"], { input: simulated.stdout });
      const byScript = await everything(pod);
      expect(await pod.run(["sysctl", "-n", CLOSE_WAIT])).toBe("99\n");
      await using other = await NetNamespace.create(mode);
      await bowline(other, ...article, ...flags.slice(1));
      expect(byScript).toBe(await everything(other));
      expect(await other.run(["sysctl", "-n", CLOSE_WAIT])).toBe("99\n");
      expect(byScript.match(/-s 10\.9\.0\.0\/16/g)).toHaveLength(1);
      expect(byScript.match(/-s fd09::\/16/g)).toHaveLength(1);

      const removal = await bowline(other, "proxy-init", "--cleanup", "--simulate", "--iptables-mode", mode);
      await other.run(["sh", "-e"], { input: removal.stdout });
      for (const family of FAMILIES) expect(await savedRules(other, family, mode)).toEqual(NO_RULES);
    });
  });
}

test("another namespace is reached by --netns", async () => {
  await using pod = await NetNamespace.create("target");
  await using outside = await NetNamespace.create("outside");
  const result = await bowline(outside, ...ARTICLE, "--netns", pod.path, "--timeout-close-wait-secs", "42", "-w");
  expect(result).toMatchObject({ code: 0, stderr: "" });
  expect(await list(pod, "iptables")).toBe(LISTING);
  expect(await pod.run(["sysctl", "-n", CLOSE_WAIT])).toBe("42\n");
  expect(await everything(outside)).not.toContain("PROXY_INIT");
});

test("with --ipv6=false IPv6 is left alone", async () => {
  await using pod = await NetNamespace.create("v4only");
  expect(await bowline(pod, ...ARTICLE, "--ipv6=false")).toMatchObject({ code: 0, stderr: "" });
  expect(await pod.run(["nft", "list", "tables"])).toBe("table ip nat\n");
});

const CLOSE_WAIT = "net.netfilter.nf_conntrack_tcp_timeout_close_wait";
const LEGACY_TABLES = "cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null || true";
const HOOKS = [
  ["PREROUTING", "PROXY_INIT_REDIRECT"],
  ["OUTPUT", "PROXY_INIT_OUTPUT"],
] as const;
const NO_RULES = [":PREROUTING ACCEPT", ":INPUT ACCEPT", ":OUTPUT ACCEPT", ":POSTROUTING ACCEPT"];
const ONLY_FOREIGN = [...NO_RULES, ...HOOKS.flatMap(([hook]) => FOREIGN.map((rule) => `-A ${hook} ${rule}`))];

async function addForeign(namespace: NetNamespace, command: string, rule: string): Promise<void> {
  for (const [hook] of HOOKS) await namespace.run([command, "-t", "nat", "-A", hook, ...rule.split(" ")]);
}
