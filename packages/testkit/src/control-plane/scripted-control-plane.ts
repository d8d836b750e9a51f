import { destination, outbound } from "@bowline/contracts/proto";
import type { Message } from "@bufbuild/protobuf";
import { Metadata, Server, ServerCredentials, type ServerWritableStream, status } from "@grpc/grpc-js";
import type { NetNamespace } from "../netns.ts";
import { Relay, type RelayEnd } from "../relay.ts";
import { waitFor } from "../wait-for.ts";
import { grpcServiceOf } from "./grpc-methods.ts";
import { addressText } from "./messages.ts";
import { DestinationScript, PolicyScript, ProfileScript } from "./scripts.ts";
import type { GrpcStatusName, StreamScript, Subscriber } from "./stream-script.ts";

export type Question = "destination" | "profile" | "policy";

/** A call that reached the control plane. */
export interface ControlPlaneCall {
  readonly question: Question;
  /** The path, or a policy's target. */
  readonly key: string;
  /** The context token of Destination's calls, the source workload of a policy's. */
  readonly asker: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** performance.now() */
  readonly startedMs: number;
}

export interface ControlPlaneOptions {
  /** How calls end that ask for what no script speaks of. Default: a control plane that knows nothing. */
  readonly unknown?: Partial<Record<Question, GrpcStatusName>>;
}

/** An address in a namespace at which the control plane can be reached. */
export interface ControlPlaneDoor extends Disposable {
  /** `ip:port`, as a proxy's configuration has it. */
  readonly address: string;
}

type Ask = Pick<ControlPlaneCall, "key" | "asker">;

const UNKNOWN: Record<Question, GrpcStatusName> = {
  destination: "NOT_FOUND",
  profile: "INVALID_ARGUMENT",
  policy: "NOT_FOUND",
};

/**
 * Destination and OutboundPolicies over real gRPC, of which every answer is a test's doing:
 *
 *     await using control = await ScriptedControlPlane.start();
 *     using door = control.open(pod.namespace, "127.0.0.1", 8086);
 *     control.policy("10.96.0.1:80").send(servicePolicy("web.test.svc.cluster.local:80"));
 *     const web = control.destination("web.test.svc.cluster.local:80");
 *     web.add(endpoint("10.77.0.2:8080"));
 *     …
 *     web.remove("10.77.0.2:8080");
 *
 * The server is `@grpc/grpc-js`, so that it shares no code with the client that it judges.
 */
export class ScriptedControlPlane implements AsyncDisposable {
  /** Every call so far, in the order they came. */
  readonly calls: ControlPlaneCall[] = [];
  readonly #destinations = new Map<string, DestinationScript>();
  readonly #profiles = new Map<string, ProfileScript>();
  readonly #policies = new Map<string, PolicyScript>();
  readonly #unknown: Record<Question, GrpcStatusName>;
  readonly #relays = new Set<Relay>();
  #server: Server | null = null;
  #port = 0;

  private constructor({ unknown }: ControlPlaneOptions) {
    this.#unknown = { ...UNKNOWN, ...unknown };
  }

  /** Starts on a free port of the loopback. */
  static async start(options: ControlPlaneOptions = {}): Promise<ScriptedControlPlane> {
    const control = new ScriptedControlPlane(options);
    await control.restart();
    return control;
  }

  /** `127.0.0.1:port`, from outside all namespaces. The same after a restart. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** The endpoints of `name:port`. */
  destination(path: string): DestinationScript {
    return scriptOf(this.#destinations, path, () => new DestinationScript());
  }

  /** The profile of `name:port` or `ip:port`. */
  profile(path: string): ProfileScript {
    return scriptOf(this.#profiles, path, () => new ProfileScript());
  }

  /** The outbound policy for `ip:port` or an authority. */
  policy(target: string): PolicyScript {
    return scriptOf(this.#policies, target, () => new PolicyScript());
  }

  callsFor(question: Question, key?: string): ControlPlaneCall[] {
    return this.calls.filter((call) => call.question === question && (key === undefined || call.key === key));
  }

  /** Waits for the first call with that question; it may have come already. */
  async waitForCall(question: Question, key: string, timeoutMs = 5_000): Promise<ControlPlaneCall> {
    return waitFor(() => this.callsFor(question, key)[0], { what: `a call for ${question} ${key}`, timeoutMs });
  }

  /** Lets processes in a namespace reach the control plane at an address of the namespace. */
  open(namespace: NetNamespace, hostname: string, port: number): ControlPlaneDoor {
    const relay = new Relay({ namespace, hostname, port });
    if (this.#server !== null) relay.open(this.#loopback);
    this.#relays.add(relay);
    return {
      address: `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`,
      [Symbol.dispose]: () => {
        relay.close();
        this.#relays.delete(relay);
      },
    };
  }

  /** Cuts every connection and refuses new ones. What was scripted stays, and may be changed meanwhile. */
  stop(): void {
    for (const relay of this.#relays) relay.close();
    this.#server?.forceShutdown();
    this.#server = null;
  }

  /** Listens again, at the same addresses. */
  async restart(): Promise<void> {
    const server = new Server();
    server.addService(grpcServiceOf(destination.Destination), {
      Get: this.#stream("destination", this.#destinations, askOfDestination),
      GetProfile: this.#stream("profile", this.#profiles, askOfDestination),
    });
    server.addService(grpcServiceOf(outbound.OutboundPolicies), {
      Watch: this.#stream("policy", this.#policies, askOfPolicies),
    });
    this.#port = await bind(server, this.#port);
    this.#server = server;
    for (const relay of this.#relays) relay.open(this.#loopback);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    this.#relays.clear();
  }

  get #loopback(): RelayEnd {
    return { namespace: null, hostname: "127.0.0.1", port: this.#port };
  }

  #stream<Asked extends Message, Told extends Message>(
    question: Question,
    scripts: ReadonlyMap<string, StreamScript<Told>>,
    read: (asked: Asked) => Ask,
  ): (call: ServerWritableStream<Asked, Told>) => void {
    return (call) => {
      const { key, asker } = read(call.request);
      const metadata = Object.fromEntries(
        Object.entries(call.metadata.getMap()).map(([name, value]) => [name, value.toString()]),
      );
      this.calls.push({ question, key, asker, metadata, startedMs: performance.now() });
      const subscriber: Subscriber<Told> = {
        tell: (message) => void call.write(message),
        end: (failure) => endCall(call, failure?.status ?? "OK", failure?.message ?? ""),
      };
      const script = scripts.get(key);
      if (script === undefined) {
        endCall(call, this.#unknown[question], `no script for ${key}`);
        return;
      }
      call.once("close", () => script.unsubscribe(subscriber));
      call.once("cancelled", () => script.unsubscribe(subscriber));
      script.subscribe(subscriber);
    };
  }
}

function askOfDestination({ path, contextToken }: destination.GetDestination): Ask {
  return { key: path, asker: contextToken };
}

function askOfPolicies({ target, sourceWorkload }: outbound.TrafficSpec): Ask {
  return { key: target.case === "addr" ? addressText(target.value) : (target.value ?? ""), asker: sourceWorkload };
}

function scriptOf<S>(scripts: Map<string, S>, key: string, make: () => S): S {
  const script = scripts.get(key) ?? make();
  scripts.set(key, script);
  return script;
}

function endCall<M extends Message>(call: ServerWritableStream<Message, M>, name: GrpcStatusName, text: string): void {
  if (name === "OK") call.end();
  else call.emit("error", { code: status[name], details: text, metadata: new Metadata() });
}

function bind(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
}
