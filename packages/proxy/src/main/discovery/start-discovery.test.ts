import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Registry } from "@bowline/metrics";
import { waitFor } from "@bowline/testkit";
import { endpoint, profile, ScriptedControlPlane, servicePolicy } from "@bowline/testkit/control-plane";
import { type Config, readConfig } from "../../config.ts";
import { Logger } from "../../log/logger.ts";
import type { Discovery, Holder } from "./discovery.ts";
import { profileSearch, type RunningDiscovery, startDiscovery, watchSettings } from "./start-discovery.ts";

const TARGET = "10.96.0.1:80";
const PATH = "web.test.svc.cluster.local:80";

function configOf(env: Record<string, string>): Config {
  const result = readConfig({ LINKERD2_PROXY_POD_NAMESPACE: "test", ...env }, 1);
  if (!("config" in result)) throw new Error(result.errors.join());
  return result.config;
}

function logInto(lines: string[]): Logger {
  return new Logger({ filter: "info", thread: 1, emit: ({ message }) => lines.push(message) });
}

describe("over real gRPC", () => {
  let control: ScriptedControlPlane;
  let running: RunningDiscovery;
  let registry: Registry;
  let log: string[];

  beforeEach(async () => {
    control = await ScriptedControlPlane.start();
    registry = new Registry();
    log = [];
    const env = {
      LINKERD2_PROXY_DESTINATION_SVC_ADDR: control.address,
      LINKERD2_PROXY_POLICY_SVC_ADDR: control.address,
      LINKERD2_PROXY_DESTINATION_CONTEXT: '{"ns":"test"}',
      LINKERD2_PROXY_POLICY_WORKLOAD: "test:pod",
      LINKERD2_PROXY_DESTINATION_PROFILE_NETWORKS: "10.0.0.0/8",
      LINKERD2_PROXY_INBOUND_CONNECT_EXP_BACKOFF_MIN: "10ms",
      LINKERD2_PROXY_INBOUND_CONNECT_EXP_BACKOFF_MAX: "50ms",
    };
    running = startDiscovery(configOf(env), registry, logInto(log));
  });

  afterEach(async () => {
    running.stop();
    await control[Symbol.asyncDispose]();
  });

  function thread(): TestThread {
    return new TestThread(running.discovery);
  }

  test("asks as the configuration says", async () => {
    const asking = thread();
    asking.discover(TARGET);
    asking.discover("web.test.svc.cluster.local:8080");
    asking.resolve(PATH);
    expect((await control.waitForCall("policy", TARGET)).asker).toBe("test:pod");
    expect((await control.waitForCall("profile", TARGET)).asker).toBe('{"ns":"test"}');
    expect((await control.waitForCall("destination", PATH)).asker).toBe('{"ns":"test"}');
    await control.waitForCall("policy", "web.test.svc.cluster.local:8080");
    await control.waitForCall("profile", "web.test.svc.cluster.local:8080");
  });

  test("brings a policy, a profile and endpoints, and their changes", async () => {
    const asking = thread();
    control.profile(TARGET).send(profile({ fullyQualifiedName: "web.test.svc.cluster.local" }));
    control.policy(TARGET).send(servicePolicy(PATH));
    const script = control.destination(PATH);
    script.add(endpoint("10.0.0.1:80"), endpoint("10.0.0.2:80"));
    asking.discover(TARGET);
    asking.resolve(PATH);
    await asking.hears(`${TARGET} web.test.svc.cluster.local / web`, `${PATH} reset 10.0.0.1:80 10.0.0.2:80`);
    control.policy(TARGET).send(servicePolicy("other.test.svc.cluster.local:80"));
    script.remove("10.0.0.1:80");
    await asking.hears(`${TARGET} web.test.svc.cluster.local / other`, `${PATH} -10.0.0.1:80`);
  });

  test("falls back where the control plane knows nothing", async () => {
    const asking = thread();
    asking.discover(TARGET);
    asking.resolve(PATH);
    await asking.hears(`${TARGET} - / -`, `${PATH} does not exist`);
  });

  test("an outage changes nothing, a new thread waits, and afterwards everything is as the control plane says", async () => {
    const asking = thread();
    const script = control.destination(PATH);
    control.profile(TARGET).send(profile());
    control.policy(TARGET).send(servicePolicy(PATH));
    script.add(endpoint("10.0.0.1:80"), endpoint("10.0.0.2:80"));
    asking.discover(TARGET);
    asking.resolve(PATH);
    await asking.hears(`${TARGET} - / web`, `${PATH} reset 10.0.0.1:80 10.0.0.2:80`);

    control.stop();
    await waitFor(() => log.some((line) => line.includes("cannot be reached")), { what: "word of the outage" });
    const late = thread();
    late.discover(TARGET);
    late.resolve(PATH);
    await late.hears(`${TARGET} - / web`, `${PATH} reset 10.0.0.1:80 10.0.0.2:80`);
    const other = "10.96.0.2:80";
    late.discover(other);
    script.replaceUnheard(endpoint("10.0.0.2:80"), endpoint("10.0.0.3:80"));
    expect([asking.heard.length, late.heard.length]).toEqual([2, 2]);

    await control.restart();
    await asking.hears(`${PATH} reset 10.0.0.2:80 10.0.0.3:80`);
    await late.hears(`${PATH} reset 10.0.0.2:80 10.0.0.3:80`, `${other} - / -`);
    expect(asking.heard.filter((line) => line.startsWith(TARGET))).toEqual([`${TARGET} - / web`]);
  });

  test("a stream that ends is asked for again", async () => {
    const asking = thread();
    const script = control.destination(PATH);
    script.add(endpoint("10.0.0.1:80"));
    asking.resolve(PATH);
    await asking.hears(`${PATH} reset 10.0.0.1:80`);
    script.replaceUnheard(endpoint("10.0.0.2:80"));
    script.end();
    await asking.hears(`${PATH} reset 10.0.0.2:80`);
  });

  test("a policy in trouble is waited for", async () => {
    const asking = thread();
    const script = control.policy(TARGET);
    for (const status of ["UNAVAILABLE", "INTERNAL", "UNKNOWN"] as const) script.failNext(status);
    script.send(servicePolicy(PATH));
    asking.discover(TARGET);
    await asking.hears(`${TARGET} - / web`);
    expect(script.subscriptions).toBe(4);
  });

  test("a rejected policy fails the target, and is not asked for again", async () => {
    const asking = thread();
    control.policy(TARGET).fail("INVALID_ARGUMENT", "no such thing");
    asking.discover(TARGET);
    await asking.hears(`${TARGET} - / policy discovery was rejected: INVALID_ARGUMENT: no such thing`);
    expect(control.callsFor("policy").length).toBe(1);
  });

  test("streams are cancelled when nobody holds them", async () => {
    const asking = thread();
    const policies = control.policy(TARGET);
    policies.send(servicePolicy(PATH));
    const endpoints = control.destination(PATH);
    endpoints.add(endpoint("10.0.0.1:80"));
    asking.discover(TARGET);
    asking.resolve(PATH);
    await asking.hears(`${TARGET} - / web`, `${PATH} reset 10.0.0.1:80`);
    expect([policies.subscribers, endpoints.subscribers]).toEqual([1, 1]);
    running.discovery.releaseAll(asking);
    await policies.waitForSubscribers(0);
    await endpoints.waitForSubscribers(0);
  });

  test("the page tells of both services", async () => {
    const asking = thread();
    control.policy(TARGET).send(servicePolicy(PATH));
    asking.discover(TARGET);
    await asking.hears(`${TARGET} - / web`);
    const names = registry.snapshot().families.map(({ family }) => family.name);
    expect(names).toContain("control_request_total");
    expect(names).toContain("control_destination_balancer_endpoints");
    expect(names).toContain("control_policy_balancer_endpoints");
  });
});

class TestThread implements Holder {
  readonly heard: string[] = [];
  readonly #discovery: Discovery;

  constructor(discovery: Discovery) {
    this.#discovery = discovery;
  }

  discover(target: string): void {
    this.#discovery.handle(this, { kind: "discover", target });
  }

  resolve(path: string): void {
    this.#discovery.handle(this, { kind: "resolve", path });
  }

  answer(message: Parameters<Holder["answer"]>[0]): void {
    if (message.kind === "outbound") {
      const { profile: found, policy, invalid } = message.outbound;
      this.heard.push(`${message.target} ${found?.name || "-"} / ${invalid ?? policy?.meta.name ?? "-"}`);
      return;
    }
    const { update } = message;
    const keys = (update.kind === "reset" ? update.endpoints : []).map(({ ip, port }) => `${ip}:${port}`).sort();
    const text = {
      reset: `reset ${keys.join(" ")}`,
      delta: update.kind === "delta" ? update.remove.map((key) => `-${key}`).join(" ") : "",
      gone: "does not exist",
    }[update.kind];
    this.heard.push(`${message.path} ${text}`);
  }

  /** Waits until all of this has been said, in whatever order. */
  async hears(...lines: string[]): Promise<void> {
    await waitFor(() => lines.every((line) => this.heard.includes(line)), {
      what: `"${lines.join('", "')}"; heard: "${this.heard.join('", "')}"`,
    });
  }
}

describe("profiles are searched", () => {
  const SERVICES = {
    LINKERD2_PROXY_DESTINATION_SVC_ADDR: "127.0.0.1:8086",
    LINKERD2_PROXY_POLICY_SVC_ADDR: "127.0.0.1:8090",
  };
  const DESTINATION_ALONE = { LINKERD2_PROXY_DESTINATION_SVC_ADDR: "127.0.0.1:8086" };
  const networks = (text: string) => ({ LINKERD2_PROXY_DESTINATION_PROFILE_NETWORKS: text });
  const suffixes = (text: string) => ({ LINKERD2_PROXY_DESTINATION_PROFILE_SUFFIXES: text });
  const rows: { name: string; env: Record<string, string>; target: string; want: boolean }[] = [
    { name: "for no address by default", env: SERVICES, target: "10.0.0.1:80", want: false },
    {
      name: "for an address in a network",
      env: { ...SERVICES, ...networks("172.16.0.0/12,10.0.0.0/8") },
      target: "10.255.0.1:80",
      want: true,
    },
    {
      name: "for no other address",
      env: { ...SERVICES, ...networks("10.0.0.0/8") },
      target: "11.0.0.1:80",
      want: false,
    },
    {
      name: "for an IPv6 address in a network",
      env: { ...SERVICES, ...networks("10.0.0.0/8,fd00::/8") },
      target: "[fd12::1]:80",
      want: true,
    },
    {
      name: "for no other IPv6 address",
      env: { ...SERVICES, ...networks("fd00::/8") },
      target: "[fe12::1]:80",
      want: false,
    },
    {
      name: "for every address where nothing else is known",
      env: DESTINATION_ALONE,
      target: "11.0.0.1:80",
      want: true,
    },
    {
      name: "for the networks where they are named",
      env: { ...DESTINATION_ALONE, ...networks("10.0.0.0/8") },
      target: "11.0.0.1:80",
      want: false,
    },
    { name: "for the cluster's services by default", env: SERVICES, target: "web.ns.svc.cluster.local:80", want: true },
    { name: "with a dot at their end, too", env: SERVICES, target: "web.ns.svc.cluster.local.:80", want: true },
    { name: "for no other name", env: SERVICES, target: "example.com:80", want: false },
    { name: "for no name that only looks like it", env: SERVICES, target: "x.mysvc.cluster.local:80", want: false },
    {
      name: "for a suffix itself",
      env: { ...SERVICES, ...suffixes("example.com") },
      target: "example.com:80",
      want: true,
    },
    { name: "for every name", env: { ...SERVICES, ...suffixes(".") }, target: "example.com:80", want: true },
    { name: "for no name", env: { ...SERVICES, ...suffixes("") }, target: "web.ns.svc.cluster.local:80", want: false },
  ];
  test.each(rows)("$name", ({ env, target, want }) => {
    expect(profileSearch(configOf(env))(target)).toBe(want);
  });
});

describe("what is missing is said", () => {
  const NAMED = { ADDR: "dst.test.:8086", NAME: "dst.identity" };
  const rows: { name: string; env: Record<string, string>; want: string }[] = [
    {
      name: "a policy service",
      env: { LINKERD2_PROXY_DESTINATION_SVC_ADDR: "127.0.0.1:8086" },
      want: "there are no policies",
    },
    {
      name: "a destination service",
      env: { LINKERD2_PROXY_POLICY_SVC_ADDR: "127.0.0.1:8090" },
      want: "no service can be resolved",
    },
    {
      name: "a workload",
      env: { LINKERD2_PROXY_POLICY_SVC_ADDR: "127.0.0.1:8090" },
      want: "LINKERD2_PROXY_POLICY_WORKLOAD",
    },
    {
      name: "an identity for TLS",
      env: {
        LINKERD2_PROXY_DESTINATION_SVC_ADDR: NAMED.ADDR,
        LINKERD2_PROXY_DESTINATION_SVC_NAME: NAMED.NAME,
        LINKERD2_PROXY_POLICY_SVC_ADDR: NAMED.ADDR,
        LINKERD2_PROXY_POLICY_SVC_NAME: NAMED.NAME,
      },
      want: "in plain text",
    },
  ];
  test.each(rows)("$name, once", ({ env, want }) => {
    const log: string[] = [];
    startDiscovery(configOf(env), new Registry(), logInto(log)).stop();
    expect(log.filter((line) => line.includes(want)).length).toBe(1);
  });
});

describe("streams are kept", () => {
  const config = configOf({
    LINKERD2_PROXY_CONTROL_STREAM_INITIAL_TIMEOUT: "3s",
    LINKERD2_PROXY_CONTROL_STREAM_IDLE_TIMEOUT: "5m",
    LINKERD2_PROXY_CONTROL_STREAM_LIFETIME: "1h",
  });
  const LIMITS = { initialTimeoutMs: 3_000, idleTimeoutMs: 300_000, lifetimeMs: 3_600_000 };
  const NO_LIMITS = { initialTimeoutMs: null, idleTimeoutMs: null, lifetimeMs: null };
  const rows: { host: string; limits: object }[] = [
    { host: "linkerd-policy.linkerd.svc.cluster.local.", limits: LIMITS },
    { host: "10.0.0.1", limits: LIMITS },
    { host: "localhost.", limits: NO_LIMITS },
    { host: "127.0.0.1", limits: NO_LIMITS },
    { host: "::1", limits: NO_LIMITS },
  ];
  test.each(rows)("with $host", ({ host, limits }) => {
    const settings = watchSettings(config, { host, port: 8086, tlsName: null });
    expect(settings.limits).toEqual(limits as typeof settings.limits);
    expect(settings.backoff).toEqual({ minMs: 100, maxMs: 5_000, jitter: 0.1, respectRetryAfter: false });
  });
});
