import { describe, expect, test } from "bun:test";
import { isIPv6 } from "node:net";
import { assert, constantFrom, ipV4, ipV6, nat, property, tuple } from "fast-check";
import {
  AF_INET,
  AF_INET6,
  encodeSockaddr,
  formatAddress,
  ipv4Key,
  isIpv4,
  isLoopback,
  sockaddrIp,
  sockaddrPort,
} from "./sockaddr.ts";

describe("encodeSockaddr", () => {
  const rows: { name: string; ip: string; port: number; hex: string }[] = [
    { name: "IPv4", ip: "10.1.2.3", port: 80, hex: "02000050 0a010203 0000000000000000" },
    { name: "IPv4, highest port", ip: "255.255.255.255", port: 65535, hex: "0200ffff ffffffff 0000000000000000" },
    { name: "all zeros", ip: "::", port: 0, hex: "0a000000 00000000 00000000000000000000000000000000 00000000" },
    { name: "loopback", ip: "::1", port: 443, hex: "0a0001bb 00000000 00000000000000000000000000000001 00000000" },
    {
      name: "a gap at the end",
      ip: "fe80::",
      port: 1,
      hex: "0a000001 00000000 fe800000000000000000000000000000 00000000",
    },
    {
      name: "a gap between",
      ip: "2001:db8::8:0:1",
      port: 1,
      hex: "0a000001 00000000 20010db8000000000000000800000001 00000000",
    },
    {
      name: "no gap",
      ip: "1:2:3:4:5:6:7:8",
      port: 1,
      hex: "0a000001 00000000 00010002000300040005000600070008 00000000",
    },
    {
      name: "a gap of one group",
      ip: "1:2:3:4:5:6:7::",
      port: 1,
      hex: "0a000001 00000000 00010002000300040005000600070000 00000000",
    },
    {
      name: "mapped IPv4",
      ip: "::ffff:1.2.3.4",
      port: 1,
      hex: "0a000001 00000000 00000000000000000000ffff01020304 00000000",
    },
    {
      name: "IPv4 behind a prefix",
      ip: "64:ff9b::192.0.2.33",
      port: 1,
      hex: "0a000001 00000000 0064ff9b0000000000000000c0000221 00000000",
    },
  ];
  test.each(rows)("$name: $ip", ({ ip, port, hex }) => {
    expect(Buffer.from(encodeSockaddr(ip, port)).toString("hex")).toBe(hex.replaceAll(" ", ""));
  });

  test.each([
    ["", 1],
    ["10.0.0", 1],
    ["10.0.0.256", 1],
    ["localhost", 1],
    ["1::2::3", 1],
    ["fe80::1%eth0", 1],
    ["10.0.0.1", -1],
    ["10.0.0.1", 65536],
    ["10.0.0.1", 1.5],
  ])("refuses %p port %p", (ip, port) => {
    expect(() => encodeSockaddr(ip, port)).toThrow(RangeError);
  });
});

describe("sockaddrIp writes RFC 5952", () => {
  test.each([
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:0DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["0:0:0:4:5:6:7:8", "::4:5:6:7:8"],
    ["1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"],
    ["0:2:3:4:5:6:7:0", "0:2:3:4:5:6:7:0"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::fffe:192.0.2.1", "::fffe:c000:201"],
    ["198.51.100.7", "198.51.100.7"],
  ])("%s is %s", (ip, want) => {
    expect(sockaddrIp(encodeSockaddr(ip, 1))).toBe(want);
  });

  test("for every address, at any place in a buffer", () => {
    const anyIp = constantFrom(4, 6).chain((family) => (family === 4 ? ipV4() : ipV6()));
    assert(
      property(tuple(anyIp, nat(65535), nat(40)), ([ip, port, at]) => {
        const sockaddr = encodeSockaddr(ip, port);
        const buffer = new Uint8Array(at + sockaddr.length).fill(0xee);
        buffer.set(sockaddr, at);
        const text = sockaddrIp(buffer, at);
        expect(sockaddrPort(buffer, at)).toBe(port);
        // The canonical form means the same address, and is its own canonical form.
        const again = encodeSockaddr(text, port);
        expect(sockaddrIp(again)).toBe(text);
        if (isIPv6(text)) expect(again).toEqual(sockaddr);
        else expect(again.subarray(4, 8)).toEqual(sockaddr.subarray(sockaddr[0] === AF_INET6 ? 20 : 4).subarray(0, 4));
      }),
    );
  });
});

describe("what kind of address it is", () => {
  test.each([
    { ip: "10.0.0.1", ipv4: true, loopback: false, key: 0x0a000001 * 65536 + 8080 },
    { ip: "255.255.255.255", ipv4: true, loopback: false, key: 0xffffffff * 65536 + 8080 },
    { ip: "127.0.0.1", ipv4: true, loopback: true, key: 0x7f000001 * 65536 + 8080 },
    { ip: "127.200.3.4", ipv4: true, loopback: true, key: 0x7fc80304 * 65536 + 8080 },
    { ip: "128.0.0.1", ipv4: true, loopback: false, key: 0x80000001 * 65536 + 8080 },
    { ip: "::ffff:127.0.0.1", ipv4: true, loopback: true, key: 0x7f000001 * 65536 + 8080 },
    { ip: "::ffff:10.0.0.1", ipv4: true, loopback: false, key: 0x0a000001 * 65536 + 8080 },
    { ip: "::1", ipv4: false, loopback: true, key: -1 },
    { ip: "::2", ipv4: false, loopback: false, key: -1 },
    { ip: "::", ipv4: false, loopback: false, key: -1 },
    { ip: "1::1", ipv4: false, loopback: false, key: -1 },
    { ip: "::1:ffff:7f00:1", ipv4: false, loopback: false, key: -1 },
  ])("$ip", ({ ip, ipv4, loopback, key }) => {
    const sockaddr = encodeSockaddr(ip, 8080);
    expect([isIpv4(sockaddr), isLoopback(sockaddr), ipv4Key(sockaddr)]).toEqual([ipv4, loopback, key]);
  });

  test("the family is the first field", () => {
    expect(encodeSockaddr("10.0.0.1", 1)[0]).toBe(AF_INET);
    expect(encodeSockaddr("::ffff:10.0.0.1", 1)[0]).toBe(AF_INET6);
  });

  test("formatAddress puts brackets around IPv6 only", () => {
    expect(formatAddress("10.0.0.1", 80)).toBe("10.0.0.1:80");
    expect(formatAddress("fd00::1", 80)).toBe("[fd00::1]:80");
  });
});
