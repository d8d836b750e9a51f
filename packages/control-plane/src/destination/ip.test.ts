import { expect, test } from "bun:test";
import { net } from "@bowline/contracts/proto";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { addressKey, addressMessage, canonicalIp, familyOf, messageIp, shownIp } from "./ip.ts";

const ROWS: { text: string; want: string | null; shown?: string }[] = [
  { text: "10.0.0.1", want: "10.0.0.1" },
  { text: "255.255.255.255", want: "255.255.255.255" },
  { text: "::", want: "0:0:0:0:0:0:0:0", shown: "::" },
  { text: "::1", want: "0:0:0:0:0:0:0:1", shown: "::1" },
  { text: "fd00:0:0:0:0:0:0:1", want: "fd00:0:0:0:0:0:0:1", shown: "fd00::1" },
  { text: "FD00::00a1", want: "fd00:0:0:0:0:0:0:a1", shown: "fd00::a1" },
  { text: "1:2:3:4:5:6:7:8", want: "1:2:3:4:5:6:7:8" },
  { text: "1::8", want: "1:0:0:0:0:0:0:8", shown: "1::8" },
  { text: "64:ff9b::10.0.0.1", want: "64:ff9b:0:0:0:0:a00:1", shown: "64:ff9b::a00:1" },
  { text: "::ffff:10.0.0.1", want: "10.0.0.1" },
  { text: "10.0.0", want: null },
  { text: "10.0.0.256", want: null },
  { text: "web", want: null },
  { text: "", want: null },
];

test.each(ROWS)("$text", ({ text, want, shown }) => {
  expect(canonicalIp(text)).toBe(want);
  if (want !== null) expect(shownIp(want)).toBe(shown ?? want);
});

test("addresses go into messages and come back", () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 1, max: 65_535 }), (text, port) => {
      const ip = canonicalIp(text) ?? "";
      const message = create(net.TcpAddressSchema, addressMessage(ip, port));
      expect(messageIp(message.ip?.ip)).toBe(ip);
      expect(message.port).toBe(port);
      expect(canonicalIp(shownIp(ip))).toBe(ip);
    }),
  );
});

test("keys tell families apart", () => {
  expect(addressKey("10.0.0.1", 80)).toBe("10.0.0.1:80");
  expect(addressKey("1:2:3:4:5:6:7:8", 80)).toBe("[1:2:3:4:5:6:7:8]:80");
  expect([familyOf("10.0.0.1"), familyOf("1:2:3:4:5:6:7:8")]).toEqual([4, 6]);
  expect(messageIp(undefined)).toBe("");
});
