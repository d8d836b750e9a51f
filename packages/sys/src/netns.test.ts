import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readlinkSync } from "node:fs";
import { NetNamespace, rejectionOf } from "@bowline/testkit";
import { Errno } from "./errno.ts";
import { enterNetNamespace, NetNamespaceHandle } from "./netns.ts";

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

describe("a handle", () => {
  test("runs within the namespace, and what it returns or throws comes out", async () => {
    await using namespace = await NetNamespace.create("within");
    using handle = NetNamespaceHandle.open(namespace.path);
    const before = readlinkSync(OWN);
    expect(handle.within(() => readlinkSync(OWN))).not.toBe(before);
    expect(() =>
      handle.within(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(readlinkSync(OWN)).toBe(before);
  });

  test("refuses to go from one namespace into the next, and stays usable", async () => {
    await using namespace = await NetNamespace.create("nested");
    using handle = NetNamespaceHandle.open(namespace.path);
    expect(() => handle.within(() => handle.within(() => 1))).toThrow("within() inside of within()");
    expect(handle.within(() => 2)).toBe(2);
  });

  test("makes sockets that stay there", async () => {
    await using namespace = await NetNamespace.create("sockets");
    using handle = NetNamespaceHandle.open(namespace.path);
    using server = handle.within(() =>
      Bun.listen({
        hostname: "127.0.0.1",
        port: 0,
        socket: { data: () => {}, open: (socket) => void socket.end("hi") },
      }),
    );
    const got = Promise.withResolvers<string>();
    await handle.within(() =>
      Bun.connect({
        hostname: "127.0.0.1",
        port: server.port,
        socket: { data: (_socket, bytes) => got.resolve(bytes.toString()) },
      }),
    );
    expect(await got.promise).toBe("hi");
    const outside = Bun.connect({ hostname: "127.0.0.1", port: server.port, socket: { data: () => {} } });
    expect(await rejectionOf(outside)).toMatchObject({ code: "ECONNREFUSED" });
  });

  test("is refused for what is no namespace, and once closed", () => {
    using handle = NetNamespaceHandle.open("/dev/null");
    expect(() => handle.within(() => 1)).toThrow("cannot enter the network namespace: EINVAL");
    handle.close();
    expect(() => handle.within(() => 1)).toThrow("closed");
  });
});
