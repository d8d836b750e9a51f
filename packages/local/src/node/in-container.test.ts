import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Container } from "@bowline/kube";
import { waitFor } from "@bowline/testkit";
import { shell, TestNode } from "./testing/test-node.ts";

let node: TestNode;

beforeAll(async () => {
  node = await TestNode.start();
  const metadata = { name: "settings", namespace: "default" };
  await node.api.create("configmaps", { apiVersion: "v1", kind: "ConfigMap", metadata, data: { one: "1", two: "2" } });
  await node.api.create("secrets", { apiVersion: "v1", kind: "Secret", metadata, data: { key: btoa("hush") } });
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

let count = 0;

/** What a container's shell says of itself. */
async function look(
  script: string,
  container: Partial<Container> = {},
  words: Parameters<TestNode["run"]>[2] = {},
): Promise<string> {
  const name = `look-${count++}`;
  await node.run(name, { main: { command: ["sh", "-c", script], ...container } }, { restartPolicy: "Never", ...words });
  await node.until(`${name} has ended`, () => /Succeeded|Failed/.test(node.pod(name).status?.phase ?? ""));
  return (await node.log(name)).trim();
}

describe("who a container is", () => {
  const capabilities = (set: string) => `sed -n 's/^Cap${set}:\\t*//p' /proc/self/status`;
  const rows: [name: string, script: string, container: Partial<Container>, want: string][] = [
    ["root", "id -u; id -g", {}, "0\n0"],
    ["root has Docker's capabilities", capabilities("Eff"), {}, "00000000a80425fb"],
    ["a user by number", "id -u; id -g", { securityContext: { runAsUser: 12345, runAsGroup: 54 } }, "12345\n54"],
    ["a user has none", capabilities("Eff"), { securityContext: { runAsUser: 12345 } }, "0000000000000000"],
    [
      "but those that were added",
      capabilities("Eff"),
      { securityContext: { runAsUser: 12345, capabilities: { add: ["NET_ADMIN", "NET_RAW"], drop: ["ALL"] } } },
      "0000000000003000",
    ],
    [
      "no new privileges",
      "grep NoNewPrivs /proc/self/status",
      { securityContext: { allowPrivilegeEscalation: false } },
      "NoNewPrivs:\t1",
    ],
    ["PID 1 of its own", "echo $$$$; ls /proc | grep -c '^[0-9]'", {}, "1\n3"],
    ["a name", "hostname; cat /etc/hostname; echo $HOSTNAME", {}, "THIS\nTHIS\nTHIS"],
    ["a clean environment", "env | cut -d= -f1 | sort | tr '\\n' ' '", {}, "HOME HOSTNAME PATH PWD"],
    ["a home", "echo $HOME", { securityContext: { runAsUser: 12345 } }, "/"],
    ["a directory", "pwd", { workingDir: "/var/made/for-it" }, "/var/made/for-it"],
    ["low ports for everybody", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", {}, "0"],
    [
      "a kernel it can't change",
      "echo x >/proc/sys/kernel/domainname || echo refused",
      {},
      "sh: 1: cannot create /proc/sys/kernel/domainname: Read-only file system\nrefused",
    ],
    ["its own devices", "echo x >/dev/null && head -c 2 /dev/zero | wc -c; ls /dev/shm", {}, "2"],
    ["its own network", "ls /sys/class/net | tr '\\n' ' '", {}, "eth0 lo"],
    [
      "output by another opening",
      "echo a >/dev/stdout; echo b >/dev/stderr; echo c >/proc/self/fd/1",
      { securityContext: { runAsUser: 12345 } },
      "a\nb\nc",
    ],
    // Of the first 31: those behind them belong to the C library.
    [
      "signals that are not ignored",
      "echo $((0x$(sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status) & 0x7fffffff))",
      {},
      "0",
    ],
  ];
  test.each(rows)("%s", async (_, script, container, want) => {
    expect(await look(script, container)).toBe(want.replaceAll("THIS", `look-${count - 1}`));
  });

  test("groups of the pod", async () => {
    const securityContext = { runAsUser: 12345, fsGroup: 2000, supplementalGroups: [3000] };
    expect(await look("id -G | tr ' ' '\\n' | sort -n | tr '\\n' ' '", {}, { securityContext })).toBe("0 2000 3000");
  });
});

describe("files", () => {
  test("what a container writes is its own", async () => {
    expect(
      await look("echo x >/bowline-test-file; cat /bowline-test-file; rm /etc/passwd; ls /etc/passwd || true"),
    ).toContain("x\nls: cannot access");
    expect(await Bun.file("/bowline-test-file").exists()).toBe(false);
    expect(await Bun.file("/etc/passwd").exists()).toBe(true);
  });

  test("the cluster's secrets are hidden", async () => {
    writeFileSync(join(node.stateDir, "secret"), "key");
    expect(await look(`cat ${node.stateDir}/secret || echo hidden`)).toEndWith("hidden");
  });

  test("a read-only root", async () => {
    const container = {
      securityContext: { readOnlyRootFilesystem: true },
      volumeMounts: [{ name: "v", mountPath: "/data" }],
    };
    const script = "touch /x || echo refused; touch /data/x /dev/shm/x && echo allowed; echo bye >/dev/termination-log";
    const got = await look(script, container, { volumes: [{ name: "v", emptyDir: {} }] });
    expect(got).toEndWith("refused\nallowed");
    expect(node.status(`look-${count - 1}`, "main").state?.terminated?.message).toBe("bye\n");
  });

  test("volumes of every kind", async () => {
    const host = join(node.stateDir, "host");
    mkdirSync(host);
    writeFileSync(join(host, "file"), "from the machine");
    const volumes = [
      { name: "config", configMap: { name: "settings", items: [{ key: "one", path: "deep/first", mode: 0o400 }] } },
      { name: "secret", secret: { secretName: "settings", defaultMode: 0o440 } },
      { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
      { name: "host", hostPath: { path: host } },
      { name: "pod", downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } },
      {
        name: "all",
        projected: {
          sources: [
            { serviceAccountToken: { path: "token", expirationSeconds: 3607, audience: "me" } },
            { configMap: { name: "settings" } },
            { secret: { name: "settings", items: [{ key: "key", path: "k/ey" }] } },
          ],
        },
      },
    ];
    const volumeMounts = [
      { name: "config", mountPath: "/config" },
      { name: "secret", mountPath: "/var/run/secret" },
      { name: "memory", mountPath: "/memory" },
      { name: "host", mountPath: "/host", readOnly: true },
      { name: "host", mountPath: "/memory/inner", subPath: "made/here" },
      { name: "pod", mountPath: "/pod" },
      { name: "all", mountPath: "/all" },
      { name: "all", mountPath: "/etc/just-one", subPath: "two" },
      { name: "host", mountPath: "/by-expression", subPathExpr: "of-$(HOSTNAME)" },
    ];
    const script = [
      "cat /config/deep/first; stat -L -c ' %a' /config/deep/first",
      "cat /run/secret/key; stat -L -c ' %a' /var/run/secret/key",
      "stat -f -c %T /memory; stat -c %a /memory",
      "cat /host/file; echo; touch /host/x || echo read-only",
      "touch /memory/inner/y; touch /by-expression/z",
      "cat /pod/labels; echo; cat /all/token /all/one /all/k/ey; echo; cat /etc/just-one",
    ].join("\n");
    const got = await look(script, { volumeMounts }, { volumes, labels: { app: "look" } });
    const name = `look-${count - 1}`;
    expect(got.split("\n")).toEqual([
      "1 400",
      "hush 440",
      "tmpfs",
      "777",
      "from the machine",
      "touch: cannot touch '/host/x': Read-only file system",
      "read-only",
      'app="look"',
      `token ${node.tokens.length}1hush`,
      "2",
    ]);
    expect(node.tokens.at(-1)).toBe(`default/default me 3607 ${name}`);
    expect(await Bun.file(join(host, "made/here/y")).exists()).toBe(true);
    expect(await Bun.file(join(host, `of-${name}`, "z")).exists()).toBe(true);
  });

  test("fsGroup owns what is made for the pod", async () => {
    const volumes = [
      { name: "v", emptyDir: {} },
      { name: "c", configMap: { name: "settings", defaultMode: 0o600 } },
    ];
    const volumeMounts = [
      { name: "v", mountPath: "/v" },
      { name: "c", mountPath: "/c" },
    ];
    const securityContext = { runAsUser: 12345, fsGroup: 2000 };
    const script = "stat -c '%g %a' /v; stat -L -c '%g %a' /c/one; cat /c/one; touch /v/x; stat -c %g /v/x";
    expect(await look(script, { volumeMounts }, { volumes, securityContext })).toBe("2000 2777\n2000 640\n12000");
  });

  test("a link may not lead out of its volume", async () => {
    const volumes = [{ name: "v", emptyDir: {} }];
    const volumeMounts = [{ name: "v", mountPath: "/v" }];
    const initContainers = [{ ...shell("first", "ln -s / /v/out"), volumeMounts }];
    const main = { command: ["true"], volumeMounts: [{ name: "v", mountPath: "/v", subPath: "out" }] };
    await node.run("escape", { main }, { volumes, initContainers });
    await node.until(
      "the reason",
      () => node.status("escape", "main").state?.waiting?.reason === "CreateContainerError",
    );
    await node.deleted("escape");
  });

  test("a changed ConfigMap and changed labels arrive, all at once", async () => {
    const volumes = [
      { name: "c", configMap: { name: "changing" } },
      { name: "d", downwardAPI: { items: [{ path: "tier", fieldRef: { fieldPath: "metadata.labels['tier']" } }] } },
    ];
    const volumeMounts = [
      { name: "c", mountPath: "/c" },
      { name: "d", mountPath: "/d" },
    ];
    const metadata = { name: "changing", namespace: "default" };
    await node.api.create("configmaps", {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata,
      data: { a: "old", b: "old" },
    });
    await node.run(
      "reader",
      { main: { command: ["sleep", "1000"], volumeMounts } },
      { volumes, labels: { tier: "low" } },
    );
    await node.untilReady("reader");
    await node.api.change(
      "configmaps",
      "default",
      "changing",
      (draft) => Object.assign(draft, { data: { a: "new", c: "new" } }) && undefined,
    );
    await node.api.change("pods", "default", "reader", (draft) => {
      draft.metadata.labels = { tier: "high" };
    });
    const wanted = "a=new c=new tier=high";
    const read = "cd /c; for f in *; do printf '%s=%s ' $f $(cat $f); done; echo tier=$(cat /d/tier)";
    let got = "";
    while (got !== wanted) {
      got = (await node.exec("reader", "main", read)).stdout.trim();
      expect(["a=old b=old tier=low", "a=old b=old tier=high", "a=new c=new tier=low", wanted]).toContain(got);
    }
    await node.deleted("reader");
  });
});

describe("exec", () => {
  test("as the container's user, in its directory, with its environment; the code comes back", async () => {
    const env = [{ name: "A", value: "1" }];
    const main = { command: ["sleep", "1000"], env, workingDir: "/var", securityContext: { runAsUser: 12345 } };
    await node.run("exec", { main });
    await node.untilReady("exec");
    const { stdout, stderr, code } = await node.exec("exec", "main", "id -u; pwd; echo $A; echo oh >&2; exit 7");
    expect([stdout, stderr, code]).toEqual(["12345\n/var\n1\n", "oh\n", 7]);
    const process = node.node.exec("default", "exec", "main", ["cat"], { tty: false, stdin: true });
    await process.stdin.write(Buffer.from("to and fro"));
    process.stdin.end();
    expect(await new Response(process.stdout).text()).toBe("to and fro");
    expect(await process.exited).toBe(0);
    const terminal = node.node.exec("default", "exec", "main", ["sh", "-c", "test -t 0 && stty size"], {
      tty: true,
      stdin: true,
    });
    expect(await new Response(terminal.stdout).text()).toBe("24 80\r\n");
    expect(() => node.node.exec("default", "exec", "other", ["true"], { tty: false, stdin: false })).toThrow(
      "not valid",
    );
    await node.deleted("exec");
  });

  test("a command that ends without reading all of its input ends nothing else", async () => {
    await node.run("hasty", { main: { command: ["sleep", "1000"] } });
    await node.untilReady("hasty");
    const options = { tty: false, stdin: true };
    const { stdin, exited } = node.node.exec("default", "hasty", "main", ["sh", "-c", "sleep 0.1; exit 3"], options);
    const more = Buffer.alloc(1_000_000);
    // The pipe holds less: what is left fails once nobody reads it.
    await Promise.all([stdin.write(more), stdin.write(more)]);
    stdin.end();
    expect(await exited).toBe(3);
    await stdin.write(more);
    await node.deleted("hasty");
  });
});

describe("attach", () => {
  test("what is written arrives, and with stdinOnce its end", async () => {
    await node.run("reader", { main: { command: ["cat"], stdin: true, stdinOnce: true } }, { restartPolicy: "Never" });
    await node.untilPhase("reader", "Running");
    const { stdin, stdout } = await node.node.attach("default", "reader", "");
    const text = "0123456789abcde\n".repeat(20_000);
    const written = stdin?.write(Buffer.from(text));
    stdin?.end();
    expect(await new Response(stdout).text()).toBe(text);
    await written;
    await node.untilPhase("reader", "Succeeded");
  });

  test("a container that reads is told from its beginning, one that does not from now on", async () => {
    const script = "echo early; while [ ! -e /tmp/go ]; do sleep 0.02; done; echo late";
    for (const stdin of [true, false]) {
      const name = `joined-${stdin}`;
      await node.run(name, { main: { command: ["sh", "-c", script], stdin } }, { restartPolicy: "Never" });
      await node.until("the first line", () => node.pod(name).status?.phase === "Running");
      await waitFor(async () => (await node.log(name)) !== "", { what: "the first line" });
      const attached = await node.node.attach("default", name, "main");
      await node.exec(name, "main", "touch /tmp/go");
      expect(await new Response(attached.stdout).text()).toBe(stdin ? "early\nlate\n" : "late\n");
      expect(attached.stdin === null).toBe(!stdin);
    }
  });

  test("without stdinOnce the input goes on for the next", async () => {
    await node.run("patient", { main: { command: ["head", "-n", "2"], stdin: true } }, { restartPolicy: "Never" });
    await node.untilPhase("patient", "Running");
    const first = await node.node.attach("default", "patient", "main");
    await first.stdin?.write(Buffer.from("one\n"));
    first.stdin?.end();
    first.detach();
    await first.stdout.cancel();
    const second = await node.node.attach("default", "patient", "main");
    await second.stdin?.write(Buffer.from("two\n"));
    expect(await new Response(second.stdout).text()).toBe("one\ntwo\n");
  });
});
