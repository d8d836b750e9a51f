import { expect, test } from "bun:test";
import { addressOf, addressText, duration, endpoint, keyOf, serviceMeta, servicePolicy } from "./messages.ts";

const ADDRESSES = [
  { text: "10.77.0.2:8080", ip: { case: "ipv4", value: 0x0a4d0002 }, port: 8080 },
  { text: "255.255.255.255:65535", ip: { case: "ipv4", value: 0xffffffff }, port: 65_535 },
  { text: "[fd77:0:0:0:0:0:0:2]:80", ip: { first: 0xfd77000000000000n, last: 2n }, port: 80 },
  {
    text: "[2001:db8:0:0:ffff:ffff:ffff:ffff]:1",
    ip: { first: 0x20010db800000000n, last: 0xffffffffffffffffn },
    port: 1,
  },
] as const;

test.each(ADDRESSES)("$text is read and written", ({ text, ip, port }) => {
  const address = addressOf(text);
  expect(address.port).toBe(port);
  expect(address.ip?.ip).toMatchObject("case" in ip ? ip : { case: "ipv6", value: ip });
  expect(addressText(address)).toBe(text);
});

const SHORTENED = [
  { text: "[::1]:80", first: 0n, last: 1n },
  { text: "[fd77::2]:80", first: 0xfd77000000000000n, last: 2n },
  { text: "[1:2::]:80", first: 0x0001000200000000n, last: 0n },
] as const;

test.each(SHORTENED)("$text may leave out zeros", ({ text, first, last }) => {
  expect(addressOf(text).ip?.ip).toMatchObject({ case: "ipv6", value: { first, last } });
});

test.each(["10.0.0.1", "10.0.0:80", "10.0.0.256:80", "a.example:80", "[1:2:3]:80", "[1::2:3:4:5:6:7:8]:80"])(
  "%s is refused",
  (text) => {
    expect(() => addressOf(text)).toThrow(RangeError);
  },
);

test("durations have whole seconds and the rest in nanoseconds", () => {
  expect(duration(1_500)).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
  expect(duration(0.001)).toMatchObject({ seconds: 0n, nanos: 1_000 });
});

test("an endpoint is told apart by its address alone", () => {
  expect(keyOf(endpoint("10.0.0.1:80", { weight: 1 }))).toBe("10.0.0.1:80");
});

test("a service's policy leads every protocol to the endpoints of its name", () => {
  const path = "web.test.svc.cluster.local:8080";
  const { metadata, protocol } = servicePolicy(path);
  expect(metadata?.kind).toMatchObject({ case: "resource", value: { name: "web", namespace: "test", port: 8080 } });
  expect(serviceMeta("web.test.svc.cluster.local").kind).toMatchObject({ value: { port: 80 } });
  if (protocol?.kind.case !== "detect") throw new Error("the protocol is not to be found out");
  const { opaque, http1, http2 } = protocol.kind.value;
  const distributions = [opaque, http1, http2].map((part) => part?.routes[0]?.rules[0]?.backends?.kind);
  const discoveries = distributions.map((kind) => {
    const backend = kind?.case === "firstAvailable" ? kind.value.backends[0]?.backend?.kind : undefined;
    return backend?.case === "balancer" ? backend.value.discovery?.kind.value?.path : undefined;
  });
  expect(discoveries).toEqual([path, path, path]);
});
