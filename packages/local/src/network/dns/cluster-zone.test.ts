import { describe, expect, test } from "bun:test";
import type { EndpointSlice } from "@bowline/kube";
import type { Answer } from "dns-packet";
import { isClusterAddress } from "../addresses.ts";
import { ServiceIndex } from "../services/service-index.ts";
import { SLICES, service, slice, WatchedObjects } from "../testing/watched-objects.ts";
import { ClusterZone } from "./cluster-zone.ts";

const api = new WatchedObjects();
const index = new ServiceIndex(api);
const zone = new ClusterZone({
  index,
  hasNamespace: (name) => ["default", "empty"].includes(name),
  domain: "cluster.local",
  dnsIps: ["10.96.0.10"],
  isOurs: isClusterAddress,
});

function endpoint(ip: string, more: object = {}): EndpointSlice["endpoints"][number] {
  return { addresses: [ip], conditions: { ready: true }, ...more };
}

const HTTP = [{ name: "http", port: 8080, protocol: "TCP" }];
api.put(
  "services",
  service("web", {
    clusterIP: "10.96.0.20",
    clusterIPs: ["10.96.0.20"],
    ports: [
      { name: "http", port: 80 },
      { name: "dns", port: 53, protocol: "UDP" },
    ],
  }),
);
api.put("services", service("dual", { clusterIP: "10.96.0.21", clusterIPs: ["10.96.0.21", "fd00:10:96::21"] }));
api.put("services", service("db", { clusterIP: "None", clusterIPs: ["None"], ports: HTTP }));
api.put(
  SLICES,
  slice("db", {
    ports: HTTP,
    endpoints: [
      endpoint("10.244.0.5", { hostname: "db-0" }),
      endpoint("10.244.0.6"),
      endpoint("10.244.0.7", { hostname: "db-2", conditions: { ready: false } }),
    ],
  }),
);
api.put("services", service("early", { clusterIP: "None", publishNotReadyAddresses: true }));
api.put(
  SLICES,
  slice("early", {
    ports: [],
    endpoints: [endpoint("10.244.0.8", { hostname: "early-0", conditions: { ready: false } })],
  }),
);
api.put("services", service("nobody", { clusterIP: "None" }));
api.put("services", service("away", { type: "ExternalName", externalName: "Example.COM." }));
api.put("services", service("near", { type: "ExternalName", externalName: "web.default.svc.cluster.local" }));
api.put("services", service("fixed", { type: "ExternalName", externalName: "192.0.2.7" }));
await Promise.resolve();

/** `NXDOMAIN`, `NODATA`, or the answers, one a line. */
function ask(name: string, type: string): string {
  const answer = zone.answer(name, type);
  if (answer === undefined) return "not ours";
  if (answer.rcode === "NXDOMAIN") return "NXDOMAIN";
  if (answer.answers.length === 0) return "NODATA";
  return [...answer.answers, ...answer.additionals.map((record) => ({ ...record, more: true }))].map(show).join("\n");
}

function show(record: Answer & { more?: boolean }): string {
  const more = record.more ? `+ ${record.name} ` : "";
  if (record.type === "SRV") return `SRV ${record.data.weight} ${record.data.port} ${record.data.target}`;
  return `${more}${record.type} ${"data" in record ? `${record.data as string}` : ""}`;
}

const rows: { name: string; type?: string; want: string }[] = [
  { name: "web.default.svc.cluster.local", want: "A 10.96.0.20" },
  { name: "web.default.svc.cluster.local", type: "AAAA", want: "NODATA" },
  { name: "web.default.svc.cluster.local", type: "MX", want: "NODATA" },
  {
    name: "web.default.svc.cluster.local",
    type: "SRV",
    want: "SRV 50 80 web.default.svc.cluster.local\nSRV 50 53 web.default.svc.cluster.local\n+ web.default.svc.cluster.local A 10.96.0.20",
  },
  {
    name: "_http._tcp.web.default.svc.cluster.local",
    type: "SRV",
    want: "SRV 100 80 web.default.svc.cluster.local\n+ web.default.svc.cluster.local A 10.96.0.20",
  },
  {
    name: "_dns._udp.web.default.svc.cluster.local",
    type: "SRV",
    want: "SRV 100 53 web.default.svc.cluster.local\n+ web.default.svc.cluster.local A 10.96.0.20",
  },
  { name: "_dns._tcp.web.default.svc.cluster.local", type: "SRV", want: "NXDOMAIN" },
  { name: "_http._tcp.web.default.svc.cluster.local", want: "NODATA" },
  { name: "_tcp.web.default.svc.cluster.local", type: "SRV", want: "NODATA" },
  { name: "dual.default.svc.cluster.local", want: "A 10.96.0.21" },
  { name: "dual.default.svc.cluster.local", type: "AAAA", want: "AAAA fd00:10:96::21" },
  { name: "db.default.svc.cluster.local", want: "A 10.244.0.5\nA 10.244.0.6" },
  { name: "db-0.db.default.svc.cluster.local", want: "A 10.244.0.5" },
  { name: "10-244-0-6.db.default.svc.cluster.local", want: "A 10.244.0.6" },
  { name: "10-244-0-5.db.default.svc.cluster.local", want: "NXDOMAIN" },
  { name: "db-2.db.default.svc.cluster.local", want: "NXDOMAIN" },
  {
    name: "_http._tcp.db.default.svc.cluster.local",
    type: "SRV",
    want: "SRV 50 8080 db-0.db.default.svc.cluster.local\nSRV 50 8080 10-244-0-6.db.default.svc.cluster.local\n+ db-0.db.default.svc.cluster.local A 10.244.0.5\n+ 10-244-0-6.db.default.svc.cluster.local A 10.244.0.6",
  },
  { name: "early-0.early.default.svc.cluster.local", want: "A 10.244.0.8" },
  { name: "nobody.default.svc.cluster.local", want: "NXDOMAIN" },
  { name: "away.default.svc.cluster.local", want: "CNAME example.com" },
  { name: "near.default.svc.cluster.local", want: "CNAME web.default.svc.cluster.local" },
  { name: "fixed.default.svc.cluster.local", want: "A 192.0.2.7" },
  { name: "none.default.svc.cluster.local", want: "NXDOMAIN" },
  { name: "web.empty.svc.cluster.local", want: "NXDOMAIN" },
  { name: "a.b.c.web.default.svc.cluster.local", want: "NXDOMAIN" },
  { name: "default.svc.cluster.local", want: "NODATA" },
  { name: "other.svc.cluster.local", want: "NXDOMAIN" },
  { name: "svc.cluster.local", want: "NODATA" },
  { name: "10-244-0-5.default.pod.cluster.local", want: "A 10.244.0.5" },
  { name: "fd00-10-244--5.default.pod.cluster.local", type: "AAAA", want: "AAAA fd00:10:244::5" },
  { name: "10-244-0-5.other.pod.cluster.local", want: "NXDOMAIN" },
  { name: "web.default.pod.cluster.local", want: "NXDOMAIN" },
  { name: "default.pod.cluster.local", want: "NODATA" },
  { name: "example.com.default.svc.cluster.local", want: "NXDOMAIN" },
  { name: "example.com.cluster.local", want: "NXDOMAIN" },
  { name: "cluster.local", want: "NODATA" },
  { name: "cluster.local", type: "NS", want: "NS ns.dns.cluster.local" },
  { name: "ns.dns.cluster.local", want: "A 10.96.0.10" },
  { name: "dns-version.cluster.local", type: "TXT", want: "TXT 1.1.0" },
  { name: "20.0.96.10.in-addr.arpa", type: "PTR", want: "PTR web.default.svc.cluster.local" },
  { name: "5.0.244.10.in-addr.arpa", type: "PTR", want: "PTR db-0.db.default.svc.cluster.local" },
  { name: "99.0.244.10.in-addr.arpa", type: "PTR", want: "NXDOMAIN" },
  { name: "1.2.0.192.in-addr.arpa", type: "PTR", want: "not ours" },
  {
    name: "1.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa",
    type: "PTR",
    want: "PTR dual.default.svc.cluster.local",
  },
  { name: "example.com", want: "not ours" },
  { name: "notcluster.local", want: "not ours" },
];

test.each(rows)("$name $type", ({ name, type = "A", want }) => {
  expect(ask(name, type)).toBe(want);
});

describe("the index follows", () => {
  test("a slice that moves an address away, a service that goes", async () => {
    const here = new WatchedObjects();
    const follows = new ServiceIndex(here);
    const web = service("web", { clusterIPs: ["10.96.0.20"] });
    here.put("services", web);
    here.put(SLICES, slice("web", { ports: [], endpoints: [endpoint("10.244.0.5"), endpoint("10.244.0.6")] }));
    await Promise.resolve();
    const found = (ip: string): string[] => follows.servicesWith(ip).map(({ metadata }) => metadata.name);
    expect([found("10.244.0.5"), found("10.96.0.20")]).toEqual([["web"], ["web"]]);
    here.put(SLICES, slice("web", { ports: [], endpoints: [endpoint("10.244.0.6")] }));
    await Promise.resolve();
    expect([found("10.244.0.5"), found("10.244.0.6")]).toEqual([[], ["web"]]);
    here.remove("services", web);
    await Promise.resolve();
    expect([follows.service("default", "web"), found("10.96.0.20")]).toEqual([undefined, []]);
    follows.stop();
  });
});
