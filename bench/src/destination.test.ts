import { expect, test } from "bun:test";
import { ClusterIndex } from "@bowline/control-plane/destination";
import { CLUSTER, fillCluster, servicePath } from "./destination/cluster.ts";
import { formatDestination } from "./destination.ts";

const FIGURES = {
  cpuPercent: 8.64,
  rssBytes: 225.7e6,
  peakRssBytes: 314.3e6,
  subscribeMs: 5_400,
  deliveries: 1_000.6,
  p50Ms: 1.784,
  p99Ms: 13.01,
  maxMs: 76.62,
};

test("a table says what was reached, and whether that is what was to be", () => {
  const text = formatDestination(FIGURES);
  expect(text).toContain("## destination: 10,000 watches of 1,000 services, 100 endpoint changes per second");
  expect(text).toContain(
    "| bowline destination |   8.6 |  225.7 |   314.3 |          5.4 |      1001 |   1.78 |  13.01 |   76.6 |",
  );
  expect(text).toContain("is met.");
  expect(formatDestination({ ...FIGURES, p99Ms: 100 })).toContain("is NOT MET.");
});

test("the cluster has what is asked for", () => {
  const index = new ClusterIndex();
  fillCluster(index);
  expect(index.count("services")).toBe(CLUSTER.services);
  expect(index.count("pods")).toBe(CLUSTER.services * CLUSTER.endpointsEach);
  expect(index.get("services", `bench/${servicePath(0).split(".")[0]}`)?.spec?.ports?.[0]?.port).toBe(80);
});
