import { expect, test } from "bun:test";
import { closeSync, openSync, readlinkSync } from "node:fs";
import { NetNamespace } from "@bowline/testkit";
import { Errno } from "./errno.ts";
import { enterNetNamespace } from "./netns.ts";

const OWN = "/proc/thread-self/ns/net";

test("a thread goes into a namespace and back", async () => {
  await using namespace = await NetNamespace.create("enter");
  const home = openSync(OWN, "r");
  const there = openSync(namespace.path, "r");
  try {
    const before = readlinkSync(OWN);
    expect(enterNetNamespace(there)).toBe(0);
    const inside = readlinkSync(OWN);
    expect(enterNetNamespace(home)).toBe(0);
    expect(inside).not.toBe(before);
    expect(readlinkSync(OWN)).toBe(before);
  } finally {
    enterNetNamespace(home);
    closeSync(there);
    closeSync(home);
  }
});

test("what is no namespace is refused, and changes nothing", () => {
  const before = readlinkSync(OWN);
  const fd = openSync("/dev/null", "r");
  expect(enterNetNamespace(fd)).toBe(-Errno.EINVAL);
  closeSync(fd);
  expect(enterNetNamespace(fd)).toBe(-Errno.EBADF);
  expect(readlinkSync(OWN)).toBe(before);
});
