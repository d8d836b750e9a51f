import { describe, expect, test } from "bun:test";
import { changeRules } from "./change.ts";
import { parseFlags } from "./flags.ts";
import type { CommandOutput, Host } from "./host.ts";
import type { InitOptions } from "./options.ts";

const EMPTY = "*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n";
const INSTALLED = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:PROXY_INIT_OUTPUT - [0:0]
:PROXY_INIT_REDIRECT - [0:0]
-A PREROUTING -j PROXY_INIT_REDIRECT
-A OUTPUT -j PROXY_INIT_OUTPUT
-A PROXY_INIT_OUTPUT -o lo -j RETURN
-A PROXY_INIT_OUTPUT -p tcp -j REDIRECT --to-ports 4140
-A PROXY_INIT_REDIRECT -p tcp -j REDIRECT --to-ports 4143
COMMIT
`;
const DOUBLED = INSTALLED.replace(/^-A PREROUTING.*\n/m, "$&$&");

const LOCKED = failed("Another app is currently holding the xtables lock. Perhaps you want to use the -w option?", 4);
const DENIED = failed("iptables-save: Could not fetch rule set generation id: Permission denied (you must be root)", 4);
const REFUSED = failed("iptables-restore: line 4 failed", 1);
const NO_TABLE = failed("Cannot initialize: Table does not exist (do you need to insmod?)", 1);

interface Run {
  readonly commands: string[];
  readonly log: string[];
  readonly error: string | null;
}

/** Commands answer in turn: a table's text for a save, a result for anything. */
async function run(flags: string, answers: readonly (string | CommandOutput)[]): Promise<Run> {
  const parsed = parseFlags(flags.split(" "));
  if (parsed.kind !== "options") throw new Error(JSON.stringify(parsed));
  const options: InitOptions = parsed.options;
  const commands: string[] = [];
  const log: string[] = [];
  const queue = [...answers];
  const host: Host = {
    run: (argv) => {
      commands.push(argv.join(" "));
      const answer = queue.shift();
      if (answer === undefined) throw new Error(`unexpected ${argv.join(" ")}`);
      return Promise.resolve(typeof answer === "string" ? { code: 0, stdout: answer, stderr: "" } : answer);
    },
    onPath: () => true,
    unixSecs: () => 1_541_098_423,
    sleep: () => Promise.resolve(),
  };
  const error = await changeRules(options, host, (level, message) => log.push(`${level} ${message}`)).then(
    () => null,
    (reason: unknown) => String(reason),
  );
  expect(queue).toEqual([]);
  return { commands, log, error };
}

const INSTALL = "-p 4143 -o 4140 --ipv6=false";

test("reads, restores and reads back", async () => {
  const { commands, error } = await run(INSTALL, [EMPTY, "", INSTALLED]);
  expect(error).toBeNull();
  expect(commands).toEqual(["iptables-save -t nat", "iptables-restore --noflush", "iptables-save -t nat"]);
});

describe("tries again what may pass", () => {
  const rows: { name: string; answers: (string | CommandOutput)[] }[] = [
    {
      name: "the lock is held for a while",
      answers: [EMPTY, LOCKED, EMPTY, EMPTY, LOCKED, EMPTY, EMPTY, "", INSTALLED],
    },
    { name: "another run added a jump meanwhile", answers: [EMPTY, "", DOUBLED, DOUBLED, "", INSTALLED] },
    { name: "another run deleted what we wanted to", answers: [INSTALLED, REFUSED, EMPTY, EMPTY, "", INSTALLED] },
  ];
  for (const { name, answers } of rows) {
    test(name, async () => {
      const { error, log } = await run(INSTALL, answers);
      expect(error).toBeNull();
      expect(log.join("\n")).toContain("Trying again.");
    });
  }
});

describe("gives up, saying why", () => {
  const rows: { name: string; answers: (string | CommandOutput)[]; want: string }[] = [
    { name: "at once without the privilege", answers: [DENIED], want: "capabilities NET_ADMIN" },
    { name: "at once without the table", answers: [NO_TABLE], want: "The kernel has no nat table" },
    {
      name: "after a few attempts when the kernel will not take a rule",
      answers: Array.from({ length: 6 }, () => [EMPTY, REFUSED, EMPTY]).flat(),
      want: "`iptables-restore --noflush` failed: iptables-restore: line 4 failed",
    },
    {
      name: "after seconds when the lock is never let go",
      answers: Array.from({ length: 20 }, () => [EMPTY, LOCKED, EMPTY]).flat(),
      want: "--use-wait-flag waits for it",
    },
  ];
  for (const { name, answers, want } of rows) {
    test(name, async () => {
      expect((await run(INSTALL, answers)).error).toContain(want);
    });
  }
});

test("a value that /proc/sys refuses is explained, and nothing else is run", async () => {
  const readOnly = failed('sysctl: setting key "net.netfilter": Read-only file system', 1);
  const { error, commands } = await run(`${INSTALL} --timeout-close-wait-secs 60`, ["120\n", readOnly]);
  expect(error).toContain("securityContext.privileged");
  expect(commands).toHaveLength(2);
});

test("an undo that fails is reported beside the failure that led to it", async () => {
  const answers = [EMPTY, "", INSTALLED, DENIED, DENIED];
  const { error, log } = await run("-p 4143 -o 4140", answers);
  expect(error).toContain("--ipv6=false leaves IPv6 alone");
  expect(log.filter((line) => line.startsWith("error that failed too"))).toHaveLength(1);
});

test("there is nothing to remove from a kernel without the table", async () => {
  expect((await run("--cleanup", [NO_TABLE, NO_TABLE])).error).toBeNull();
});

function failed(stderr: string, code: number): CommandOutput {
  return { code, stdout: "", stderr };
}
