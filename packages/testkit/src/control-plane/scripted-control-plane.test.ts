import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { destination, outbound } from "@bowline/contracts/proto";
import { create, type DescMethod, type MessageInitShape } from "@bufbuild/protobuf";
import { Client, type ClientReadableStream, credentials, Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { NetNamespace } from "../netns.ts";
import { rejectionOf } from "../rejection.ts";
import { connectTcp } from "../tcp-peer.ts";
import { waitFor } from "../wait-for.ts";
import { definitionOf } from "./grpc-methods.ts";
import { addressOf, addressText, endpoint, profile, servicePolicy } from "./messages.ts";
import { ScriptedControlPlane } from "./scripted-control-plane.ts";

const WEB = "web.test.svc.cluster.local:80";
const { get, getProfile } = destination.Destination.method;
const { watch } = outbound.OutboundPolicies.method;
const HTTP2_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

let control: ScriptedControlPlane;
let client: Client;

beforeEach(async () => {
  control = await ScriptedControlPlane.start();
  client = new Client(control.address, credentials.createInsecure(), {
    "grpc.initial_reconnect_backoff_ms": 20,
    "grpc.min_reconnect_backoff_ms": 20,
    "grpc.max_reconnect_backoff_ms": 100,
  });
});

afterEach(async () => {
  client.close();
  await control[Symbol.asyncDispose]();
});

/** A call's messages as they come, as text. */
class Listening<M> {
  readonly heard: string[] = [];
  ended: StatusObject | null = null;
  readonly stream: ClientReadableStream<M>;

  constructor(stream: ClientReadableStream<M>, describe: (message: M) => string) {
    this.stream = stream;
    stream.on("data", (message: M) => this.heard.push(describe(message)));
    stream.on("status", (ended: StatusObject) => {
      this.ended = ended;
    });
    stream.on("error", () => {
      // Told by the status, too.
    });
  }

  async hears(...messages: string[]): Promise<void> {
    await waitFor(() => this.heard.length >= messages.length, { what: `${messages.length} messages` });
    expect(this.heard).toEqual(messages);
  }

  async end(): Promise<StatusObject> {
    return waitFor(() => this.ended, { what: "the call to end" });
  }
}

function ask<M extends DescMethod>(
  method: M,
  request: MessageInitShape<M["input"]>,
  describe: (message: never) => string,
  metadata = new Metadata(),
): Listening<never> {
  const { path, requestSerialize, responseDeserialize } = definitionOf(method);
  const message = create(method.input, request) as Parameters<typeof requestSerialize>[0];
  const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, message, metadata);
  return new Listening(stream as ClientReadableStream<never>, describe);
}

function askEndpoints(path: string, metadata?: Metadata): Listening<never> {
  return ask(get, { path, contextToken: "ns:test" }, describeUpdate, metadata);
}

function describeUpdate({ update }: destination.Update): string {
  if (update.case === "noEndpoints") return `none, exists ${update.value.exists}`;
  const addresses = update.case === "add" ? update.value.addrs.map(({ addr }) => addr) : (update.value?.addrs ?? []);
  return `${update.case} ${addresses.map((address) => addressText(address)).join(" ")}`;
}

describe("endpoints", () => {
  test("a stream begins with the set of its moment and hears each change", async () => {
    const web = control.destination(WEB);
    web.add(endpoint("10.0.0.1:80"), endpoint("10.0.0.2:80"));
    web.remove("10.0.0.1:80");
    const first = askEndpoints(WEB);
    await first.hears("add 10.0.0.2:80");
    web.add(endpoint("10.0.0.3:80"));
    web.remove("10.0.0.2:80");
    await first.hears("add 10.0.0.2:80", "add 10.0.0.3:80", "remove 10.0.0.2:80");
    await askEndpoints(WEB).hears("add 10.0.0.3:80");
    web.noEndpoints(false);
    await first.hears("add 10.0.0.2:80", "add 10.0.0.3:80", "remove 10.0.0.2:80", "none, exists false");
    await askEndpoints(WEB).hears("none, exists false");
    await web.waitForSubscribers(3);
  });

  test("a script that has said nothing is silent, and what was replaced unheard is for later streams", async () => {
    const web = control.destination(WEB);
    const silent = askEndpoints(WEB);
    await web.waitForSubscribers();
    web.replaceUnheard(endpoint("10.0.0.9:80"));
    await askEndpoints(WEB).hears("add 10.0.0.9:80");
    expect(silent.heard).toEqual([]);
    expect(silent.ended).toBeNull();
  });

  test("labels go with every addition, the first of a stream included", async () => {
    const web = control.destination(WEB);
    const describeLabels = ({ update }: destination.Update): string =>
      update.case === "add" ? JSON.stringify(update.value.metricLabels) : "";
    web.labels = { namespace: "a" };
    web.add(endpoint("10.0.0.1:80"));
    const listening = ask(get, { path: WEB }, describeLabels);
    await listening.hears('{"namespace":"a"}');
    web.labels = { namespace: "b" };
    web.add(endpoint("10.0.0.1:80"));
    await listening.hears('{"namespace":"a"}', '{"namespace":"b"}');
  });

  test("what is not scripted is not known", async () => {
    expect((await askEndpoints("other:80").end()).code).toBe(status.NOT_FOUND);
    expect((await ask(getProfile, { path: "10.0.0.1:80" }, () => "").end()).code).toBe(status.INVALID_ARGUMENT);
    expect((await ask(watch, { target: { case: "authority", value: "a:80" } }, () => "").end()).code).toBe(
      status.NOT_FOUND,
    );
    await using strange = await ScriptedControlPlane.start({ unknown: { destination: "UNIMPLEMENTED" } });
    client.close();
    client = new Client(strange.address, credentials.createInsecure());
    expect((await askEndpoints("other:80").end()).code).toBe(status.UNIMPLEMENTED);
  });
});

describe("failures", () => {
  test("fail() ends open streams and later calls, until there is something else to say", async () => {
    const web = control.destination(WEB);
    web.add(endpoint("10.0.0.1:80"));
    const open = askEndpoints(WEB);
    await open.hears("add 10.0.0.1:80");
    web.fail("INVALID_ARGUMENT", "no such thing");
    expect(await open.end()).toMatchObject({ code: status.INVALID_ARGUMENT, details: "no such thing" });
    expect((await askEndpoints(WEB).end()).code).toBe(status.INVALID_ARGUMENT);
    expect(web.subscribers).toBe(0);
    expect(web.subscriptions).toBe(2);
    web.add(endpoint("10.0.0.2:80"));
    await askEndpoints(WEB).hears("add 10.0.0.1:80 10.0.0.2:80");
  });

  test("failNext() is for one call each", async () => {
    const web = control.destination(WEB);
    web.add(endpoint("10.0.0.1:80"));
    web.failNext("UNAVAILABLE");
    web.failNext("INTERNAL");
    expect((await askEndpoints(WEB).end()).code).toBe(status.UNAVAILABLE);
    expect((await askEndpoints(WEB).end()).code).toBe(status.INTERNAL);
    await askEndpoints(WEB).hears("add 10.0.0.1:80");
  });

  test("end() ends open streams in order", async () => {
    const web = control.destination(WEB);
    web.add(endpoint("10.0.0.1:80"));
    const open = askEndpoints(WEB);
    await web.waitForSubscribers();
    web.end();
    expect((await open.end()).code).toBe(status.OK);
    await web.waitForSubscribers(0);
  });

  test("a caller that cancels is no subscriber any more", async () => {
    const web = control.destination(WEB);
    const open = askEndpoints(WEB);
    await web.waitForSubscribers();
    open.stream.cancel();
    await web.waitForSubscribers(0);
  });
});

describe("profiles and policies", () => {
  test("streams begin with the latest and hear each that follows", async () => {
    const script = control.profile("10.96.0.1:80");
    script.send(profile({ fullyQualifiedName: "a" }));
    script.send(profile({ fullyQualifiedName: "b" }));
    const names = ask(
      getProfile,
      { path: "10.96.0.1:80" },
      (message: destination.DestinationProfile) => message.fullyQualifiedName,
    );
    await names.hears("b");
    script.send(profile({ fullyQualifiedName: "c" }));
    await names.hears("b", "c");
  });

  test("a policy is found by the address that it is asked for", async () => {
    control.policy("10.96.0.1:80").send(servicePolicy(WEB));
    const request = { sourceWorkload: "w", target: { case: "addr", value: addressOf("10.96.0.1:80") } } as const;
    const kinds = ask(watch, request, ({ protocol }: outbound.OutboundPolicy) => `${protocol?.kind.case}`);
    await kinds.hears("detect");
    expect(await control.waitForCall("policy", "10.96.0.1:80")).toMatchObject({ asker: "w" });
  });
});

test("calls are remembered with what they asked and the metadata they had", async () => {
  const metadata = new Metadata();
  metadata.set("l5d-require-id", "someone");
  control.destination(WEB).add(endpoint("10.0.0.1:80"));
  await askEndpoints(WEB, metadata).hears("add 10.0.0.1:80");
  expect(control.callsFor("destination", WEB)).toEqual([
    {
      question: "destination",
      key: WEB,
      asker: "ns:test",
      metadata: expect.objectContaining({ "l5d-require-id": "someone" }),
      startedMs: expect.any(Number),
    },
  ]);
  expect(control.callsFor("profile")).toEqual([]);
});

describe("outages", () => {
  test("streams break, nothing listens, and then it is back at the same address", async () => {
    const web = control.destination(WEB);
    web.add(endpoint("10.0.0.1:80"));
    const before = askEndpoints(WEB);
    await before.hears("add 10.0.0.1:80");
    const { address } = control;
    control.stop();
    expect((await before.end()).code).toBe(status.UNAVAILABLE);
    await web.waitForSubscribers(0);
    expect((await askEndpoints(WEB).end()).code).toBe(status.UNAVAILABLE);
    web.replaceUnheard(endpoint("10.0.0.2:80"));
    await control.restart();
    expect(control.address).toBe(address);
    await waitFor(
      async () => {
        const again = askEndpoints(WEB);
        return (await Promise.race([again.hears("add 10.0.0.2:80").then(() => "heard"), again.end()])) === "heard";
      },
      { what: "a stream after the outage" },
    );
  });

  test("the door into a namespace closes and opens with it", async () => {
    await using namespace = await NetNamespace.create("control");
    using door = control.open(namespace, "127.0.0.1", 8086);
    expect(door.address).toBe("127.0.0.1:8086");
    const peer = await connectTcp(namespace, "127.0.0.1", 8086);
    peer.send(HTTP2_PREFACE);
    // SETTINGS are what a server speaks first: type 4 in the frame's fourth byte.
    expect((await peer.takeBytes(9)).charCodeAt(3)).toBe(4);
    control.stop();
    expect(await peer.untilEnded()).toBe("reset");
    expect(await rejectionOf(connectTcp(namespace, "127.0.0.1", 8086))).toBeInstanceOf(Error);
    await control.restart();
    const again = await connectTcp(namespace, "127.0.0.1", 8086);
    again.send(HTTP2_PREFACE);
    expect((await again.takeBytes(9)).charCodeAt(3)).toBe(4);
    again.close();
  });
});
