import { afterEach, describe, expect, test } from "bun:test";
import { destination } from "@bowline/contracts/proto";
import { type Client, createClient, GrpcChannel, GrpcServer, grpcStatusName, toGrpcError } from "@bowline/grpc";
import { Registry, renderText } from "@bowline/metrics";
import { waitFor } from "@bowline/testkit";
import { Batch } from "./batch.ts";
import { ClusterIndex } from "./cluster-index.ts";
import { DestinationMetrics } from "./destination-metrics.ts";
import { DestinationService } from "./destination-service.ts";
import { Discovery } from "./discovery.ts";
import type { ObjectsByKind } from "./objects.ts";
import * as make from "./testing/objects.ts";
import { type ObjectEntry, SETTINGS } from "./testing/world.ts";

const SVC = "svc.ns.svc.cluster.local:80";

/** The service on a port of this machine. */
class Served {
  readonly index: ClusterIndex = new ClusterIndex();
  readonly registry: Registry = new Registry();
  readonly server: GrpcServer;
  readonly service: DestinationService;
  readonly discovery: Discovery;
  readonly #channels: GrpcChannel[] = [];
  #port = 0;

  constructor(streamQueueCapacity: number) {
    const metrics = new DestinationMetrics(this.registry, () => undefined);
    this.discovery = new Discovery({ index: this.index, settings: SETTINGS, batch: new Batch(), observer: metrics });
    this.service = new DestinationService({
      discovery: this.discovery,
      streamQueueCapacity,
      onEndpointsOverflow: (path) => metrics.onEndpointsOverflow(path),
      onProfileOverflow: (path) => metrics.onProfileOverflow(path),
    });
    this.server = new GrpcServer({ observer: metrics });
    this.server.add(destination.Destination, this.service.implementation);
  }

  async listen(): Promise<void> {
    this.#port = (await this.server.listen({ host: "127.0.0.1", port: 0 })).port;
  }

  client(windowBytes?: number): Client<typeof destination.Destination> {
    const channel = new GrpcChannel({
      target: { host: "127.0.0.1", port: this.#port },
      authority: "dst",
      ...(windowBytes === undefined ? {} : { http2: { initialStreamWindowBytes: windowBytes, adaptiveWindow: false } }),
    });
    this.#channels.push(channel);
    return createClient(destination.Destination, channel);
  }

  put(...objects: readonly ObjectEntry[]): void {
    for (const [kind, object] of objects) this.index.upsert(kind, object as ObjectsByKind[typeof kind]);
  }

  get metrics(): string {
    return renderText(this.registry.snapshot());
  }

  async close(): Promise<void> {
    for (const channel of this.#channels) channel.close();
    await this.server.close();
  }
}

const running: Served[] = [];

async function serve(streamQueueCapacity = 100): Promise<Served> {
  const served = new Served(streamQueueCapacity);
  running.push(served);
  await served.listen();
  return served;
}

afterEach(async () => {
  for (const served of running.splice(0)) await served.close();
});

const endpoints = (...ips: string[]): ObjectEntry => [
  "endpointslices",
  make.slice(
    "svc-1",
    ips.map((ip) => ({ ip })),
  ),
];

async function statusOf(responses: AsyncIterable<unknown>): Promise<string> {
  try {
    for await (const _ of responses);
    return "OK";
  } catch (error) {
    return grpcStatusName(toGrpcError(error).code);
  }
}

describe("streams", () => {
  test("say at once what there is, and then what changes", async () => {
    const served = await serve();
    served.put(["services", make.service("svc")]);
    const order: string[] = [];
    const stream = served.client().get({ path: SVC }, { onHeaders: () => void order.push("headers") });
    expect((await stream.next()).value?.update).toMatchObject({ case: "noEndpoints", value: { exists: true } });
    expect(order).toEqual(["headers"]);
    served.put(endpoints("10.1.0.1"));
    expect((await stream.next()).value?.update.case).toBe("add");
    served.put(endpoints());
    expect((await stream.next()).value?.update.case).toBe("remove");
    expect(served.metrics).toContain('endpoints_subscribers{cluster="local",namespace="ns",service="svc",port="80"} 1');
    expect(served.metrics).toContain('endpoints_updates{cluster="local",namespace="ns",service="svc",port="80"} 2');
    expect(served.metrics).toContain('endpoints_exists{cluster="local",namespace="ns",service="svc",port="80"} 1');
    await stream.return?.();
    await waitFor(() => served.discovery.followed === 0, { what: "the stream is let go" });
    expect(served.metrics).not.toContain("endpoints_subscribers{");
    const labels =
      'grpc_type="server_stream",grpc_service="io.linkerd.proxy.destination.Destination",grpc_method="Get"';
    expect(served.metrics).toContain(`grpc_server_handled_total{${labels},grpc_code="Canceled"} 1`);
  });

  const refusals: { path: string; get: string; profile: string }[] = [
    { path: "linkerd.io", get: "INVALID_ARGUMENT", profile: "INVALID_ARGUMENT" },
    { path: "absent.ns.svc.cluster.local:80", get: "NOT_FOUND", profile: "NOT_FOUND" },
    { path: "named.ns.svc.cluster.local:80", get: "INVALID_ARGUMENT", profile: "INVALID_ARGUMENT" },
  ];
  for (const { path, get, profile } of refusals) {
    test(`of ${path} are refused`, async () => {
      const served = await serve();
      served.put(["services", make.service("named", { type: "ExternalName" })]);
      const client = served.client();
      expect(await Promise.all([statusOf(client.get({ path })), statusOf(client.getProfile({ path }))])).toEqual([
        get,
        profile,
      ]);
      expect(served.service.streams).toBe(0);
    });
  }

  test("of profiles end with what they are about", async () => {
    const served = await serve();
    const svc: ObjectEntry = ["services", make.service("svc")];
    served.put(svc);
    const client = served.client();
    const stream = client.getProfile({ path: SVC });
    expect((await stream.next()).value?.fullyQualifiedName).toBe("svc.ns.svc.cluster.local");
    const address = client.getProfile({ path: "10.1.0.1:80" });
    await address.next();
    served.put(["pods", make.pod("p1", { ip: "10.1.0.1" })]);
    expect((await address.next()).value?.endpoint?.metricLabels["pod"]).toBe("p1");
    expect(served.metrics).toMatch(/^profile_subscribers 1$/m);
    expect(served.metrics).toMatch(/^workload_subscribers 1$/m);
    expect(served.metrics).toMatch(/^workload_updates 1$/m);
    await address.return?.();
    served.index.remove(...svc);
    expect(await statusOf(stream)).toBe("NOT_FOUND");
    await waitFor(() => served.service.streams === 0, { what: "the streams to be over" });
    expect([served.discovery.followed, served.service.streams]).toEqual([0, 0]);
  });

  test("end in good order when the service stops, and none begin", async () => {
    const served = await serve();
    served.put(["services", make.service("svc")]);
    const client = served.client();
    const streams = [client.get({ path: SVC }), client.getProfile({ path: SVC })];
    await Promise.all(streams.map((stream) => stream.next()));
    served.service.stop();
    expect(await Promise.all(streams.map(statusOf))).toEqual(["OK", "OK"]);
    expect(await statusOf(client.get({ path: SVC }))).toBe("UNAVAILABLE");
    expect([served.discovery.followed, served.service.streams]).toEqual([0, 0]);
  });
});

test("a client that does not read is let go, and the others are told everything", async () => {
  const served = await serve(10);
  served.put(["services", make.service("svc")]);
  // Every update adds what fills the slow client's windows.
  const ips = (round: number): string[] => Array.from({ length: 400 }, (_, at) => `10.${round}.${at >> 8}.${at & 255}`);
  const slow = served.client(1_024).get({ path: SVC });
  await slow.next();
  const stream = served.client().get({ path: SVC });
  await stream.next();
  for (let round = 1; served.service.streams > 1; round++) {
    served.put(endpoints(...ips(round)));
    for (const change of round === 1 ? (["add"] as const) : (["add", "remove"] as const)) {
      expect((await stream.next()).value?.update.case).toBe(change);
    }
    expect(round).toBeLessThan(60);
  }
  expect(served.metrics).toContain(`endpoint_updates_queue_overflow{service="${SVC}"} 1`);
  // What was sent before is still there for it, then its stream ends in good order.
  expect(await statusOf(slow)).toBe("OK");
});
