import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { availableCapabilities, capabilitySets } from "./capabilities.ts";
import { envWords, setprivWords } from "./launch.ts";
import { shownMounts } from "./machine.ts";
import { quoteWord, quoteWords } from "./shell-quote.ts";
import { passwdEntry } from "./user.ts";

const ALL = availableCapabilities("CapBnd:\t000001ffffffffff\n");
const asked = { privileged: false, add: [], drop: [], root: true };

describe("capabilitySets", () => {
  test("root gets what Docker gives, and nothing ambient", () => {
    const { bounding, ambient } = capabilitySets(asked, ALL);
    expect(bounding).toHaveLength(14);
    expect(bounding).toContain("net_bind_service");
    expect(bounding).not.toContain("net_admin");
    expect(ambient).toEqual([]);
  });

  test("another user has what was added from the start", () => {
    const { bounding, ambient } = capabilitySets(
      { ...asked, add: ["NET_ADMIN", "CAP_NET_RAW"], drop: ["ALL"], root: false },
      ALL,
    );
    expect(bounding).toEqual(["net_admin", "net_raw"]);
    expect(ambient).toEqual(["net_admin", "net_raw"]);
  });

  test("privileged is everything this process has", () => {
    const some = availableCapabilities("CapBnd:\t000001fffeffffff\n");
    expect(capabilitySets({ ...asked, privileged: true }, some).bounding).toEqual([...some]);
    expect(some.has("sys_resource")).toBe(false);
    expect(some.size).toBe(40);
  });

  test("ALL and one taken away again", () => {
    const { bounding } = capabilitySets({ ...asked, add: ["ALL"], drop: ["CHOWN"] }, ALL);
    expect(bounding).toHaveLength(41);
    expect(capabilitySets({ ...asked, drop: ["CHOWN"] }, ALL).bounding).not.toContain("chown");
  });
});

describe("quoteWord", () => {
  test("a shell reads back what was meant", () => {
    const words = fc.array(
      fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !text.includes("\0")),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(words, (given) => {
        const script = `printf '%s\\0' ${quoteWords(given)}`;
        const { stdout } = Bun.spawnSync(["dash", "-c", given.length === 0 ? ":" : script]);
        expect(stdout.toString().split("\0").slice(0, -1)).toEqual(given);
      }),
      { numRuns: 30 },
    );
  });

  test("plain words stay readable", () => {
    expect(["/usr/bin/env", "a=b", "", "it's", "$x"].map(quoteWord)).toEqual([
      "/usr/bin/env",
      "a=b",
      "''",
      "'it'\\''s'",
      "'$x'",
    ]);
  });
});

test("setpriv is told of user, groups and capabilities", () => {
  const launch = {
    user: { uid: 1000, gid: 100, groups: [5, 6] },
    capabilities: { bounding: ["net_admin"], ambient: ["net_admin"] },
    noNewPrivileges: true,
  } as unknown as Parameters<typeof setprivWords>[0];
  expect(setprivWords(launch).join(" ")).toBe(
    "setpriv --reuid 1000 --regid 100 --groups 5,6 --no-new-privs --bounding-set -all,+net_admin " +
      "--inh-caps -all,+net_admin --ambient-caps -all,+net_admin --pdeathsig KILL",
  );
  expect(envWords(new Map([["A", "b c"]]))).toEqual(["env", "-i", "A=b c"]);
});

test("file systems of people are shown, those of the kernel and of other runtimes are not", () => {
  const line = (path: string, type: string) => `36 35 98:0 / ${path} rw,noatime - ${type} /dev/x rw`;
  const mounts = [
    ["/", "ext4"],
    ["/home", "ext4"],
    ["/with\\040blank", "xfs"],
    ["/proc", "proc"],
    ["/run/netns", "ext4"],
    ["/boot/efi", "ext4"],
    ["/bootstrap", "ext4"],
    ["/snap/core/1", "squashfs"],
    ["/var/lib/docker/overlay2/x/merged", "overlay"],
    ["/state/pods/u/volumes/v", "ext4"],
    ["/state2", "btrfs"],
  ] as const;
  const text = mounts.map(([path, type]) => line(path, type)).join("\n");
  expect(shownMounts(text, "/state")).toEqual(["/home", "/with blank", "/bootstrap", "/state2"]);
});

test("passwd gives a user's group and home", () => {
  const passwd = "root:x:0:0:root:/root:/bin/bash\napp:x:1000:1001:,,,:/srv/app:/bin/sh\nbare:x:7:7:::/bin/sh\n";
  expect([0, 1000, 7, 8].map((uid) => passwdEntry(uid, passwd))).toEqual([
    { gid: 0, home: "/root" },
    { gid: 1001, home: "/srv/app" },
    { gid: 7, home: "/" },
    undefined,
  ]);
});
