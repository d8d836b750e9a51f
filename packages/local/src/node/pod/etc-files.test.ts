import { describe, expect, test } from "bun:test";
import type { Pod, PodSpec } from "@bowline/kube";
import { hostnameOf, hostsFile, resolvConf } from "./etc-files.ts";

const MACHINE = "# comment\nnameserver 1.1.1.1\nnameserver 9.9.9.9\nsearch example.org\noptions timeout:2 rotate\n";

const pod = (spec: Partial<PodSpec>, name = "web"): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "shop" },
  spec: { containers: [], ...spec },
});

describe("resolvConf", () => {
  const cluster =
    "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n";
  const machine = "search example.org\nnameserver 1.1.1.1\nnameserver 9.9.9.9\noptions timeout:2 rotate\n";
  const rows: [name: string, spec: Partial<PodSpec>, want: string][] = [
    ["ClusterFirst", {}, cluster],
    ["on the node's network the machine's", { hostNetwork: true }, machine],
    ["unless asked otherwise", { hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" }, cluster],
    ["Default", { dnsPolicy: "Default" }, machine],
    [
      "None and a dnsConfig",
      {
        dnsPolicy: "None",
        dnsConfig: {
          nameservers: ["8.8.8.8"],
          searches: ["a.b"],
          options: [{ name: "ndots", value: "2" }, { name: "rotate" }],
        },
      },
      "search a.b\nnameserver 8.8.8.8\noptions ndots:2 rotate\n",
    ],
    [
      "a dnsConfig adds, and its options win",
      { dnsConfig: { nameservers: ["8.8.8.8"], searches: ["a.b"], options: [{ name: "ndots", value: "1" }] } },
      "search shop.svc.cluster.local svc.cluster.local cluster.local a.b\nnameserver 10.96.0.10\nnameserver 8.8.8.8\noptions ndots:1\n",
    ],
  ];
  test.each(rows)("%s", (_, spec, want) => {
    expect(resolvConf(pod(spec), ["10.96.0.10"], MACHINE)).toBe(want);
  });
});

test("hosts has the pod's names and aliases", () => {
  const spec = { subdomain: "nginx", hostname: "web-0", hostAliases: [{ ip: "1.2.3.4", hostnames: ["a", "b"] }] };
  const lines = hostsFile(pod(spec), ["10.244.0.7", "fd00::7"]).split("\n");
  expect(lines).toContain("10.244.0.7\tweb-0.nginx.shop.svc.cluster.local\tweb-0");
  expect(lines).toContain("fd00::7\tweb-0.nginx.shop.svc.cluster.local\tweb-0");
  expect(lines).toContain("1.2.3.4\ta\tb");
  expect(hostsFile(pod({}), ["10.244.0.7"]).split("\n")).toContain("10.244.0.7\tweb");
});

test("a hostname is at most 63 characters and ends as a name may", () => {
  expect(hostnameOf(pod({}, "a".repeat(80)))).toHaveLength(63);
  expect(hostnameOf(pod({}, `${"a".repeat(62)}-b`))).toBe("a".repeat(62));
  expect(hostnameOf(pod({ hostname: "other" }))).toBe("other");
});
