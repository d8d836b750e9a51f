import { describe, expect, test } from "bun:test";
import { parseContextToken, parseTarget } from "./authority.ts";
import { statusOf } from "./testing/world.ts";

const WEB = { kind: "service", name: "web", namespace: "ns", hostname: "", host: "web.ns.svc.cluster.local" };

describe("parseTarget", () => {
  const rows: { path: string; want: object }[] = [
    { path: "web.ns.svc.cluster.local:8080", want: { ...WEB, port: 8080 } },
    { path: "web.ns.svc.cluster.local", want: { ...WEB, port: 80 } },
    { path: "web.ns.svc.cluster.local.:8080", want: { ...WEB, port: 8080 } },
    { path: "Web.ns.svc.Cluster.Local:1", want: { ...WEB, port: 1 } },
    {
      path: "web-0.web.ns.svc.cluster.local:65535",
      want: { ...WEB, hostname: "web-0", host: "web-0.web.ns.svc.cluster.local", port: 65_535 },
    },
    { path: "10.0.0.1:80", want: { kind: "address", ip: "10.0.0.1", port: 80 } },
    { path: "10.0.0.1", want: { kind: "address", ip: "10.0.0.1", port: 80 } },
    { path: "[FD00::1]:80", want: { kind: "address", ip: "fd00:0:0:0:0:0:0:1", port: 80 } },
    { path: "[::ffff:10.0.0.1]:80", want: { kind: "address", ip: "10.0.0.1", port: 80 } },
  ];
  for (const { path, want } of rows) {
    test(path, () => {
      expect(parseTarget(path, "cluster.local")).toEqual(want as ReturnType<typeof parseTarget>);
    });
  }

  const refused = [
    "",
    ":80",
    "web",
    "web.ns",
    "web.ns.svc",
    "web.ns.svc.other.domain:80",
    "web.ns.svc.cluster.local.org:80",
    "a.b.web.ns.svc.cluster.local:80",
    "ns.svc.cluster.local:80",
    "svc.cluster.local:80",
    ".ns.svc.cluster.local:80",
    "web..svc.cluster.local:80",
    "web.ns.svc.cluster.local:0",
    "web.ns.svc.cluster.local:65536",
    "web.ns.svc.cluster.local:http",
    "web.ns.svc.cluster.local:80:80",
    "fd00::1:80",
    "example.com:443",
  ];
  for (const path of refused) {
    test(`refuses ${JSON.stringify(path)}`, () => {
      expect(statusOf(() => parseTarget(path, "cluster.local"))).toBe("INVALID_ARGUMENT");
    });
  }

  test("another domain of the cluster", () => {
    expect(parseTarget("web.ns.svc.my.org:80", "my.org")).toMatchObject({ name: "web", namespace: "ns" });
    expect(statusOf(() => parseTarget("web.ns.svc.cluster.local:80", "my.org"))).toBe("INVALID_ARGUMENT");
  });
});

describe("parseContextToken", () => {
  const rows: { token: string; want: { namespace: string; nodeName: string } }[] = [
    { token: "", want: { namespace: "", nodeName: "" } },
    { token: '{"ns":"a","nodeName":"n1","pod":"p"}\n', want: { namespace: "a", nodeName: "n1" } },
    { token: '{"ns":"a"}', want: { namespace: "a", nodeName: "" } },
    { token: "{}", want: { namespace: "", nodeName: "" } },
    { token: '{"ns":1}', want: { namespace: "", nodeName: "" } },
    { token: "null", want: { namespace: "", nodeName: "" } },
    { token: "ns:a", want: { namespace: "a", nodeName: "" } },
    { token: "ns:a:b", want: { namespace: "", nodeName: "" } },
    { token: "{", want: { namespace: "", nodeName: "" } },
  ];
  for (const { token, want } of rows) {
    test(token === "" ? "empty" : token.trim(), () => {
      expect(parseContextToken(token)).toEqual(want);
    });
  }
});
