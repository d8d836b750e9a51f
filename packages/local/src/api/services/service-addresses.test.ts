import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Answer, RunningApi } from "../testing/running-api.ts";
import { serviceRange } from "./address-range.ts";

describe("a range", () => {
  for (const family of ["IPv4", "IPv6"] as const) {
    test(`finds every address of its own, ${family}`, () => {
      const range = serviceRange(family);
      fc.assert(
        fc.property(fc.nat({ max: range.size - 1 }), (offset) => {
          expect(range.find(range.at(offset))).toBe(range.at(offset));
        }),
      );
    });
  }

  test("knows what is not in it", () => {
    const v4 = serviceRange("IPv4");
    for (const address of ["10.96.0.0", "10.96.255.255", "10.97.0.1", "10.96.0.256", "10.96.1", "", "fd00:10:96::1"]) {
      expect([address, v4.find(address)]).toEqual([address, undefined]);
    }
    const v6 = serviceRange("IPv6");
    expect(v6.find("FD00:0010:0096:0:0:0:0:A")).toBe("fd00:10:96::a");
    for (const address of ["fd00:10:96::", "fd00:10:97::1", "fd00:10:96::ffff", "10.96.0.1"]) {
      expect([address, v6.find(address)]).toEqual([address, undefined]);
    }
  });
});

describe("services", () => {
  let api: RunningApi;

  beforeAll(async () => {
    api = await RunningApi.start({ families: ["IPv4", "IPv6"] });
  });

  afterAll(async () => {
    await api.stop();
  });

  const post = (name: string, spec: object): Promise<Answer> =>
    api.ask("POST", "/api/v1/namespaces/default/services", {
      body: { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } },
    });

  test("get addresses nobody has, and keep them", async () => {
    const made = await Promise.all(Array.from({ length: 20 }, (_, i) => post(`s${i}`, {})));
    const addresses = made.map(({ body }) => body.spec["clusterIP"] as string);
    expect(new Set(addresses).size).toBe(20);
    for (const address of addresses) expect(serviceRange("IPv4").find(address)).toBe(address);
    const { body } = await api.ask("PATCH", "/api/v1/namespaces/default/services/s0", {
      body: { spec: { selector: { a: "b" } } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    expect(body.spec["clusterIP"]).toBe(addresses[0]);
  });

  test("get the one they ask for, unless it is another's", async () => {
    expect((await post("wanted", { clusterIP: "10.96.0.77" })).body.spec["clusterIP"]).toBe("10.96.0.77");
    const taken = await post("taken", { clusterIP: "10.96.0.77" });
    expect(taken.code).toBe(422);
    expect(taken.body.message).toContain("provided IP is already allocated");
    const outside = await post("outside", { clusterIP: "10.1.2.3" });
    expect([outside.code, outside.body.message.includes("10.96.0.0/16")]).toEqual([422, true]);
    await api.ask("DELETE", "/api/v1/namespaces/default/services/wanted");
    expect((await post("taken", { clusterIP: "10.96.0.77" })).code).toBe(201);
  });

  test("get none where they want none, and two where they want two", async () => {
    expect((await post("headless", { clusterIP: "None" })).body.spec["clusterIP"]).toBe("None");
    expect((await post("dual", { ipFamilyPolicy: "RequireDualStack" })).body.spec["clusterIPs"]).toEqual([
      expect.stringMatching(/^10\.96\./),
      expect.stringMatching(/^fd00:10:96::/),
    ]);
    const name = await api.ask("POST", "/api/v1/namespaces/default/services", {
      body: {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "ext" },
        spec: { type: "ExternalName", externalName: "example.com" },
      },
    });
    expect([name.code, name.body.spec["clusterIP"]]).toEqual([201, undefined]);
  });

  test("get node ports of their own", async () => {
    const { body } = await post("np", { type: "NodePort" });
    const [port] = body.spec["ports"] as { nodePort: number }[];
    expect(port?.nodePort).toBeGreaterThanOrEqual(30_000);
    const taken = await post("np2", { type: "NodePort", ports: [{ port: 80, nodePort: port?.nodePort }] });
    expect([taken.code, taken.body.message.includes("provided port is already allocated")]).toEqual([422, true]);
    expect((await post("np3", { type: "NodePort", ports: [{ port: 80, nodePort: 80 }] })).code).toBe(422);
  });
});
