import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { destination } from "@bowline/contracts/proto";
import { GrpcError, GrpcStatus, SYSTEM_CLOCK } from "@bowline/grpc";
import { Registry, renderText } from "@bowline/metrics";
import { rejectionOf, waitFor } from "@bowline/testkit";
import { endpoint, ScriptedControlPlane } from "@bowline/testkit/control-plane";
import { Logger } from "../../../log/logger.ts";
import type { WatchSource } from "../watch.ts";
import type { Dns } from "./control-address.ts";
import { ControlClient } from "./control-client.ts";
import { ControlSeries } from "./control-series.ts";

const PATH = "web.ns.svc.cluster.local:80";
const SERVICE = { host: "dst.test.", port: 8086, tlsName: null };

let planes: ScriptedControlPlane[];
/** What DNS says; null: nothing. */
let ports: number[] | null;
let lookups: number;
let registry: Registry;
let log: string[];
let client: ControlClient<typeof destination.Destination>;
let source: WatchSource<string, destination.Update>;

const dns: Dns = {
  srv() {
    lookups += 1;
    if (ports === null) return Promise.reject(new Error("ENOTFOUND"));
    return Promise.resolve(ports.map((port) => ({ name: "127-0-0-1.dst.test.", port })));
  },
  addresses: () => Promise.reject(new Error("ENOTFOUND")),
};

beforeEach(async () => {
  planes = await Promise.all([ScriptedControlPlane.start(), ScriptedControlPlane.start()]);
  for (const plane of planes) plane.destination(PATH).add(endpoint("10.0.0.1:80"));
  ports = planes.map(portOf);
  lookups = 0;
  log = [];
  registry = new Registry();
  client = new ControlClient(destination.Destination, {
    service: SERVICE,
    dns,
    dnsTtlMs: 0,
    connectTimeoutMs: 1_000,
    backoff: { minMs: 20, maxMs: 40, jitter: 0 },
    series: new ControlSeries(registry, "destination", SERVICE),
    clock: SYSTEM_CLOCK,
    random: Math.random,
    log: new Logger({ filter: "info", thread: 1, emit: ({ message }) => log.push(message) }),
  });
  source = client.source((stub, path: string, options) => stub.get({ path }, options));
});

afterEach(async () => {
  client.close();
  await Promise.all(planes.map((plane) => plane[Symbol.asyncDispose]()));
});

function portOf(plane: ScriptedControlPlane): number {
  return Number(plane.address.split(":")[1]);
}

/** The first item of a call, which is then cancelled. */
async function ask(): Promise<destination.Update["update"]["case"]> {
  for await (const { update } of source.open(PATH, new AbortController().signal)) return update.case;
  return undefined;
}

/** The value of the first series of a family with this in its labels. */
function metric(name: string, label = ""): number | undefined {
  const found = registry.snapshot().families.find(({ family }) => family.name === name);
  return found?.series.find(({ labels }) => labels.includes(label))?.value;
}

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe("calls", () => {
  test("go to all addresses", async () => {
    for (let call = 0; call < 40; call++) expect(await ask()).toBe("add");
    for (const plane of planes) expect(plane.calls.length).toBeGreaterThan(0);
    expect(metric("control_destination_balancer_endpoints", 'endpoint_state="ready"')).toBe(2);
  });

  test("go elsewhere when an address cannot be connected to, and none of them fails", async () => {
    ports = [await closedPort(), ...planes.slice(0, 1).map(portOf)];
    for (let call = 0; call < 20; call++) expect(await ask()).toBe("add");
    expect(planes[0]?.calls.length).toBe(20);
  });

  test("come back to an address that is there again", async () => {
    const [plane] = planes;
    if (plane === undefined) throw new Error("no control plane");
    ports = [portOf(plane)];
    expect(await ask()).toBe("add");
    plane.stop();
    expect(
      await rejectionOf(waitFor(async () => void (await ask()), { what: "an answer", timeoutMs: 200 })),
    ).toBeDefined();
    await plane.restart();
    await waitFor(() => ask().catch(() => null), { what: "an answer after the restart" });
    await waitFor(() => log.some((line) => line.includes("is reached again")), { what: "word of it" });
  });

  test("follow what DNS says", async () => {
    const [first, second] = planes;
    if (first === undefined || second === undefined) throw new Error("two control planes are needed");
    ports = [portOf(first)];
    expect(await ask()).toBe("add");
    ports = [portOf(second)];
    // The call that finds the answer old is still made where the last one was.
    await ask();
    await waitFor(() => lookups >= 2, { what: "the second lookup" });
    expect(await ask()).toBe("add");
    expect(second.calls.length).toBe(1);
    expect(metric("control_destination_balancer_p2c_updates_total", 'op="Remove"')).toBe(1);
  });

  test("stay with the addresses known when DNS does not answer", async () => {
    expect(await ask()).toBe("add");
    ports = null;
    for (let call = 0; call < 3; call++) expect(await ask()).toBe("add");
    expect(lookups).toBeGreaterThan(1);
  });

  test("that were made on an address keep their stream when it leaves DNS", async () => {
    const [first, second] = planes;
    if (first === undefined || second === undefined) throw new Error("two control planes are needed");
    ports = [portOf(first)];
    const stream = source.open(PATH, new AbortController().signal)[Symbol.asyncIterator]();
    expect((await stream.next()).value?.update.case).toBe("add");
    ports = [portOf(second)];
    await waitFor(async () => (await ask()) !== undefined && second.calls.length > 0, { what: "the move" });
    first.destination(PATH).remove("10.0.0.1:80");
    expect((await stream.next()).value?.update.case).toBe("remove");
    await stream.return?.();
  });
});

describe("a failure", () => {
  test("to resolve the name is UNAVAILABLE", async () => {
    ports = null;
    const error = await rejectionOf(ask());
    expect(error).toBeInstanceOf(GrpcError);
    expect(error).toMatchObject({ code: GrpcStatus.Unavailable, message: expect.stringContaining("cannot resolve") });
    expect(metric("control_dns_resolutions_total", 'result="not_found"')).toBe(1);
  });

  test("to connect anywhere is UNAVAILABLE", async () => {
    ports = [await closedPort()];
    expect(await rejectionOf(ask())).toMatchObject({ code: GrpcStatus.Unavailable });
    expect(log).toContainEqual(expect.stringContaining("dst.test:8086 cannot be reached"));
    expect(metric("control_response_total", 'classification="failure"')).toBe(1);
    expect(metric("control_destination_balancer_queue_gate_shut_total")).toBe(1);
  });

  test("that the server answers with is handed on, and not tried elsewhere", async () => {
    for (const plane of planes) plane.destination(PATH).fail("FAILED_PRECONDITION");
    expect(await rejectionOf(ask())).toMatchObject({ code: GrpcStatus.FailedPrecondition });
    expect(planes.reduce((sum, { calls }) => sum + calls.length, 0)).toBe(1);
    expect(metric("control_response_total", 'grpc_status="9"')).toBe(1);
  });

  test("is what calls on a closed client end with", async () => {
    client.close();
    expect(await rejectionOf(ask())).toMatchObject({ code: GrpcStatus.Unavailable });
  });
});

test("the page has what calls did", async () => {
  for (let call = 0; call < 3; call++) await ask();
  const page = renderText(registry.snapshot());
  expect(page).toContain('control_request_total{addr="dst.test:8086",tls="disabled"} 3');
  expect(page).toContain('control_response_latency_ms_count{addr="dst.test:8086",tls="disabled",status_code="200"} 3');
  expect(page).toContain(
    'control_response_total{addr="dst.test:8086",tls="disabled",status_code="200",classification="success",grpc_status="0",error=""} 3',
  );
  expect(page).toContain('control_dns_resolutions_total{client="destination",record_type="SRV",result="ok"}');
  expect(page).toContain('control_destination_balancer_queue_requests_total{addr="dst.test:8086"} 3');
});
