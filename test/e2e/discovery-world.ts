import { type Pod, type TwoPods, twoPods } from "@bowline/testkit";
import {
  type BalancerOptions,
  balancer,
  type DestinationScript,
  type PolicyScript,
  type ProfileScript,
  profile,
  ScriptedControlPlane,
  servicePolicy,
} from "@bowline/testkit/control-plane";
import { HttpApp, type HttpVersion, type Respond } from "./http-app.ts";
import { type Caller, connectCaller, type Manner } from "./http-caller.ts";
import { initPod, type ProxyEnv, type RunningProxy, startProxy } from "./mesh.ts";

const CONTROL_PORT = 8086;
export const WORKLOAD = '{"ns":"test","pod":"client-1"}';
export const CONTEXT = '{"ns":"test","nodeName":"node-1","pod":"client-1"}';

/** A balancer that soon forgets how fast answers were, so that requests one after another reach every endpoint. */
export const FORGETFUL: BalancerOptions = { defaultRttMs: 1, decayMs: 10 };

/** A service of the cluster, as far as the control plane tells of it. */
export interface Service {
  /** `ip:port` where clients connect to. Nothing is there. */
  readonly vip: string;
  /** What its endpoints are asked for by: `name.namespace.svc.…:port`. */
  readonly path: string;
  readonly destination: DestinationScript;
  readonly profile: ProfileScript;
  readonly policy: PolicyScript;
}

/**
 * A client's pod whose proxy asks a scripted control plane, and a pod for apps, which has no proxy:
 *
 *     caller ── service's address ──▶ outbound proxy ── endpoint ──▶ app
 *                                          │
 *                                          └── 127.0.0.1:8086 ──▶ control plane (in this process)
 */
export class DiscoveryWorld implements AsyncDisposable {
  readonly control: ScriptedControlPlane;
  readonly client: Pod;
  readonly server: Pod;
  readonly proxy: RunningProxy;
  readonly #pods: TwoPods;
  readonly #apps: HttpApp[] = [];
  #services = 0;
  #ports = 20_000;

  private constructor(control: ScriptedControlPlane, pods: TwoPods, proxy: RunningProxy) {
    this.control = control;
    this.client = pods.client;
    this.server = pods.server;
    this.proxy = proxy;
    this.#pods = pods;
  }

  static async start(env: ProxyEnv = {}): Promise<DiscoveryWorld> {
    const control = await ScriptedControlPlane.start();
    const pods = await twoPods();
    try {
      const { address } = control.open(pods.client.namespace, "127.0.0.1", CONTROL_PORT);
      await initPod(pods.client.namespace);
      const proxy = await startProxy(pods.client, {
        LINKERD2_PROXY_DESTINATION_SVC_ADDR: address,
        LINKERD2_PROXY_POLICY_SVC_ADDR: address,
        LINKERD2_PROXY_DESTINATION_CONTEXT: CONTEXT,
        LINKERD2_PROXY_POLICY_WORKLOAD: WORKLOAD,
        LINKERD2_PROXY_DESTINATION_PROFILE_NETWORKS: "10.0.0.0/8",
        ...env,
      });
      return new DiscoveryWorld(control, pods, proxy);
    } catch (error) {
      await control[Symbol.asyncDispose]();
      await pods[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * A service that the control plane knows, by policy and profile, and whose endpoints are still to be told.
   *
   * @param vip where clients connect to, if not to an address of its own
   */
  service(balance: BalancerOptions = {}, vip?: string): Service {
    const service = this.unknownService(vip);
    service.policy.send(servicePolicy(service.path, {}, balancer(service.path, balance)));
    service.profile.send(profile({ fullyQualifiedName: service.path.replace(/:.*/, "") }));
    return service;
  }

  /** The scripts for a service, all of them silent. */
  unknownService(vip?: string): Service {
    const number = ++this.#services;
    const address = vip ?? `10.96.0.${number}:80`;
    const path = `svc-${number}.test.svc.cluster.local:80`;
    const { control } = this;
    return {
      vip: address,
      path,
      destination: control.destination(path),
      profile: control.profile(address),
      policy: control.policy(address),
    };
  }

  /** An `ip:port` in the server's pod that nothing uses. */
  address(): string {
    return `${this.server.v4}:${this.#ports++}`;
  }

  /** An app at a port of its own, gone with the world at the latest. */
  async app(manner: Manner | HttpVersion, respond?: Respond): Promise<HttpApp> {
    const { namespace, v4 } = this.server;
    const version = manner === "HTTP/2" ? "HTTP/2" : "HTTP/1";
    const app = await HttpApp.start(version, namespace, v4, this.#ports++, respond);
    this.#apps.push(app);
    return app;
  }

  /** A connection of the client's pod to `ip:port`. */
  caller(manner: Manner, target: string): Promise<Caller> {
    return connectCaller(manner, this.client.namespace, target);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.proxy.process.kill("SIGKILL");
    await this.#pods[Symbol.asyncDispose]();
    await Promise.all(this.#apps.map((app) => app[Symbol.asyncDispose]()));
    await this.control[Symbol.asyncDispose]();
  }
}
