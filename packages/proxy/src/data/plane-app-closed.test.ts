import { expect, test } from "bun:test";
import type { EndpointMeta } from "@bowline/model";
import { CALM, type ConnectOutcome, ScriptedIo, type ScriptedPeer } from "@bowline/testkit";
import { Role } from "@bowline/wire";
import { endpoint, GET, httpPolicy, httpRetry, httpRule, PATH, SERVICE } from "./testing/discovered-world.case.test.ts";
import { Http2Peer } from "./testing/http2-peer.case.test.ts";
import { ScriptedPlane, streamBytes, sumOf } from "./testing/plane-world.case.test.ts";

const RAW_GET = "GET / HTTP/1.1\r\nhost: web.test\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const POLICY = httpPolicy([httpRule()]);

/** A pod with a proxy: its application is there, or is not. */
interface Pod {
  readonly ip: string;
  readonly inbound: ScriptedPlane;
  readonly requests: string[];
  /** Connections that it keeps for further requests; null when it keeps none, as an application that ends does. */
  kept: ScriptedPeer[] | null;
  open(): void;
  close(outcome?: ConnectOutcome): void;
}

/** An outbound proxy, and a service of pods that have proxies. */
class Service {
  readonly kernel: ScriptedIo = new ScriptedIo({ seed: 1, adversity: CALM });
  readonly outbound: ScriptedPlane = new ScriptedPlane(this.kernel);
  readonly pods: readonly Pod[];

  constructor(count: number, policy: typeof POLICY = POLICY) {
    this.pods = Array.from({ length: count }, (_, n) => this.#pod(n + 1));
    const { plane } = this.outbound;
    plane.discover((message) => {
      if (message.kind === "discover") {
        const { target } = message;
        this.kernel.after(1, () =>
          plane.outbound.discovery?.onOutbound(target, { profile: null, policy, invalid: null }),
        );
      } else if (message.kind === "resolve") {
        this.kernel.after(1, () => this.tell(this.pods));
      }
    });
  }

  tell(pods: readonly Pod[]): void {
    const endpoints: EndpointMeta[] = pods.map(({ ip }) => endpoint(ip, { hint: "h2" }));
    this.outbound.plane.outbound.discovery?.onEndpoints(PATH, { kind: "reset", endpoints });
  }

  client(): ScriptedPeer {
    return this.outbound.client("outbound", SERVICE);
  }

  run(until: () => boolean, forMsMax: number): void {
    this.kernel.run(this.turn, until, { forMsMax });
  }

  /** One request on a connection of its own; returns the response's head and body. */
  ask(request: string | Uint8Array = RAW_GET, forMsMax: number = 50): string {
    const client = this.client();
    client.send(request);
    this.run(() => /\r\n\r\n(ok)?$/.test(client.receivedText()), forMsMax);
    const text = client.receivedText();
    client.close();
    return text;
  }

  /** Until every pod has a connection, which it gets with its first request. */
  warm(): void {
    while (this.pods.some(({ requests }) => requests.length === 0)) expect(this.ask()).toBe(OK);
  }

  /** What clients got of so many requests, one every `everyMs`. */
  statuses(count: number, everyMs: number): string[] {
    const statuses: string[] = [];
    for (let n = 0; n < count; n++) {
      statuses.push(this.ask().slice(9, 12));
      this.kernel.runFor(this.turn, everyMs);
    }
    return statuses;
  }

  settle(): void {
    const planes = [this.outbound, ...this.pods.map(({ inbound }) => inbound)];
    this.kernel.run(this.turn, () => planes.every(({ plane }) => plane.open === 0), { forMsMax: 600_000 });
    this.kernel.runFor(this.turn, 12_000);
    for (const plane of planes) plane.assertSettled();
    this.kernel.assertNothingOpen();
  }

  turn = (): void => {
    this.outbound.plane.reactor.turn(1);
    for (const { inbound } of this.pods) inbound.plane.reactor.turn(1);
  };

  #pod(n: number): Pod {
    const { kernel } = this;
    const ip = `10.1.0.${n}`;
    const app = `127.0.0.1:${9000 + n}`;
    const env = { LINKERD2_PROXY_INBOUND_FORWARD: `tcp://${app}`, LINKERD2_PROXY_INBOUND_CONNECT_TIMEOUT: "100ms" };
    const inbound = new ScriptedPlane(kernel, { env, outbound: `${ip}:4140`, inbound: `${ip}:8080` });
    const requests: string[] = [];
    const serve = (server: ScriptedPeer): void => {
      let text = "";
      server.onEnd = () => server.close();
      server.onData = (bytes) => {
        text += Buffer.from(bytes).toString("latin1");
        const headEnd = text.indexOf("\r\n\r\n") + 4;
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
        if (headEnd < 4 || text.length < headEnd + length) return;
        requests.push(text);
        text = "";
        if (pod.kept !== null) {
          pod.kept.push(server);
          server.send(OK);
          return;
        }
        server.send(OK.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
        server.end();
      };
    };
    const open = (): void => kernel.onConnect(app, serve);
    const close = (outcome: ConnectOutcome = "refuse"): void => kernel.onConnect(app, outcome);
    const pod: Pod = { ip, inbound, requests, kept: null, open, close };
    open();
    return pod;
  }
}

function refusals(pod: Pod): number {
  return sumOf(pod.inbound.plane, "proxy_failures_total", { direction: "inbound", cause: "connect-refused" });
}

test("one application of two is closed: no request fails, and soon few are tried there", () => {
  const service = new Service(2);
  const [gone, there] = service.pods as [Pod, Pod];
  service.warm();
  gone.close();
  const served = there.requests.length;
  expect(service.statuses(200, 10)).toEqual(Array(200).fill("200"));
  expect(there.requests.length - served).toBe(200);
  // 100, 200, 400 ms and so on apart.
  expect(refusals(gone)).toBeWithin(3, 8);
  const { plane } = gone.inbound;
  expect(sumOf(plane, "inbound_http_errors_total", { error: "i/o" })).toBe(refusals(gone));
  expect(sumOf(plane, "response_total", { classification: "failure" })).toBe(refusals(gone));
  // Each refusal is one request more there, and no response.
  const { plane: outbound } = service.outbound;
  const asked = sumOf(outbound, "response_total", { classification: "success" });
  expect(sumOf(outbound, "request_total")).toBe(asked + refusals(gone));
  expect(sumOf(outbound, "response_total")).toBe(asked);
  expect(sumOf(outbound, "outbound_http_errors_total")).toBe(0);
  service.settle();
});

test("requests side by side to a closed application go to the other, and put it off no longer than one does", () => {
  const service = new Service(3);
  const [gone] = service.pods as [Pod];
  service.warm();
  gone.close();
  const clients = Array.from({ length: 60 }, () => service.client());
  for (const client of clients) client.send(RAW_GET);
  service.run(() => clients.every((client) => client.receivedText() === OK), 50);
  expect(refusals(gone)).toBeGreaterThan(1);
  for (const client of clients) client.close();
  gone.open();
  const before = gone.requests.length;
  service.statuses(20, 10);
  expect(gone.requests.length).toBeGreaterThan(before);
  service.settle();
});

test("an application that opens again gets requests again", () => {
  const service = new Service(2);
  const [gone] = service.pods as [Pod];
  service.warm();
  for (let n = 0; n < 8; n++) {
    gone.close();
    expect(service.statuses(20, 5)).toEqual(Array(20).fill("200"));
    gone.open();
    const before = gone.requests.length;
    // Once it has answered it is put off for 100 ms again, not for twice as long each time.
    expect(service.statuses(40, 10)).toEqual(Array(40).fill("200"));
    expect(gone.requests.length).toBeGreaterThan(before);
    // Neither are refusals far apart what the control plane's silence makes an endpoint stale for.
    service.kernel.runFor(service.turn, 3000);
  }
  service.settle();
});

test("a request with a body, of which the closed application's proxy has taken a part, is sent anew as a whole", () => {
  const service = new Service(2);
  const [gone, there] = service.pods as [Pod, Pod];
  service.warm();
  const body = streamBytes(5, 40_000);
  let before = 0;
  for (let n = 0; n < 12; n++) {
    gone.close();
    there.requests.length = 0;
    before = refusals(gone);
    const client = service.client();
    client.send(`POST / HTTP/1.1\r\nhost: web.test\r\ncontent-length: ${body.length}\r\n\r\n`);
    client.send(body.subarray(0, 15_000));
    service.kernel.runFor(service.turn, 5);
    client.send(body.subarray(15_000));
    service.run(() => client.receivedText().endsWith("ok"), 50);
    expect(client.receivedText()).toBe(OK);
    client.close();
    const [posted] = there.requests;
    expect(posted!.slice(posted!.indexOf("\r\n\r\n") + 4) === Buffer.from(body).toString("latin1")).toBe(true);
    if (refusals(gone) > before) break;
    service.kernel.runFor(service.turn, 200);
  }
  expect(refusals(gone)).toBe(before + 1);
  service.settle();
});

const POST = "POST / HTTP/1.1\r\nhost: web.test\r\ncontent-length: 4\r\n\r\nbody";

test.each([
  { name: "may be repeated goes elsewhere", request: RAW_GET, status: "200" },
  { name: "may have been heeded goes nowhere else", request: POST, status: "502" },
])("an application that ends while it gets a request on a kept connection: one that $name", ({ request, status }) => {
  const service = new Service(2);
  const [gone, there] = service.pods as [Pod, Pod];
  service.warm();
  gone.kept = [];
  while (gone.kept.length === 0) service.ask();
  const [kept] = gone.kept as [ScriptedPeer];
  let got = false;
  kept.onData = () => {
    got = true;
    kept.close();
  };
  gone.close();
  while (!got) {
    there.requests.length = 0;
    const response = service.ask(request);
    expect(response).toStartWith(`HTTP/1.1 ${got ? status : "200"} `);
  }
  expect([there.requests.length, refusals(gone)]).toEqual(status === "200" ? [1, 1] : [0, 0]);
  service.settle();
});

test.each([1, 2, 4])("all of %d applications are closed: 502 at once, and why", (count) => {
  const service = new Service(count);
  service.warm();
  for (const pod of service.pods) pod.close();
  const { plane } = service.outbound;
  const asked = sumOf(plane, "response_total");
  for (let n = 0; n < 20; n++) {
    const response = service.ask(RAW_GET, 20);
    expect(response).toStartWith("HTTP/1.1 502 Bad Gateway\r\n");
    expect(response).toMatch(/\r\nl5d-proxy-error: connection refused \(10\.1\.0\.\d:8080\)\r\n/);
    expect(response).toContain("\r\nl5d-proxy-error-cause: connect-refused\r\n");
  }
  // An only one is asked once for each request.
  if (count === 1) expect(refusals(service.pods[0]!)).toBe(20);
  expect(sumOf(plane, "outbound_http_errors_total", { error: "i/o" })).toBe(20);
  expect(sumOf(plane, "response_total", { classification: "failure" })).toBe(20);
  expect(sumOf(plane, "response_total")).toBe(asked + 20);
  for (const pod of service.pods) pod.open();
  service.kernel.runFor(service.turn, 1000);
  expect(service.ask()).toBe(OK);
  service.settle();
});

test("an application that takes no connection in time: another serves, and of an only one the client hears once", () => {
  const service = new Service(2);
  const [slow, other] = service.pods as [Pod, Pod];
  service.warm();
  slow.close("silence");
  for (let n = 0; n < 20; n++) expect(service.ask(RAW_GET, 150)).toBe(OK);
  service.tell([slow]);
  expect(service.ask(RAW_GET, 150)).toStartWith("HTTP/1.1 502 Bad Gateway\r\n");
  expect(other.requests.length).toBeGreaterThan(19);
  service.settle();
});

test("an endpoint that is taken away while it refuses: the request goes to the one that is left", () => {
  const service = new Service(2);
  const [gone, there] = service.pods as [Pod, Pod];
  service.warm();
  gone.close("silence");
  const clients = Array.from({ length: 10 }, () => service.client());
  for (const client of clients) client.send(RAW_GET);
  service.kernel.runFor(service.turn, 20);
  service.tell([there]);
  service.run(() => clients.every((client) => client.receivedText() === OK), 150);
  for (const client of clients) client.close();
  service.settle();
});

test("a proxy that goes after its application, while it is put off: no request fails, or waits for it", () => {
  const service = new Service(2);
  const [gone] = service.pods as [Pod];
  service.warm();
  gone.close();
  expect(service.statuses(10, 0)).toEqual(Array(10).fill("200"));
  gone.inbound.plane.drain();
  service.kernel.onConnect(`${gone.ip}:8080`, "refuse");
  expect(service.statuses(100, 20)).toEqual(Array(100).fill("200"));
  service.settle();
});

test("a route's retries: with an only endpoint they wait as the policy says", () => {
  const backoff = { minMs: 30, maxMs: 30, jitter: 0, respectRetryAfter: false };
  const service = new Service(1, httpPolicy([httpRule({ retry: httpRetry({ backoff }) })]));
  const [only] = service.pods as [Pod];
  service.warm();
  only.close();
  service.kernel.after(45, () => only.open());
  expect(service.ask(RAW_GET, 100)).toBe(OK);
  expect(refusals(only)).toBe(2);
  service.settle();
});

test("what came as HTTP/2 may be an application's own: it gets a response", () => {
  const service = new Service(2);
  service.warm();
  for (const pod of service.pods) pod.close();
  const client = new Http2Peer(service.kernel, service.client(), Role.Client);
  const stream = client.open(GET, true)!;
  service.run(() => stream.over, 50);
  expect([stream.status, stream.resetCode]).toEqual([502, null]);
  client.close();
  service.settle();
});
