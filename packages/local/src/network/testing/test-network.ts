import { existsSync, readdirSync } from "node:fs";
import { NetNamespaceHandle } from "@bowline/sys";
import { NETNS_DIR } from "../names.ts";
import type { NetworkOptions, PodAttachment, PodIdentity, RunningNetwork } from "../pod-network.ts";
import { removeNetwork } from "../remove-network.ts";
import { startNetwork } from "../start-network.ts";

/** The pid tells a later run whether the owner is still there. */
const OWNED_NAME = /^bowline-(t([0-9]+)-[0-9]+)(\.|$)/;

let count = 0;
let swept: Promise<unknown> | null = null;

/** Networks under a name of the test's own, all of which is gone when it is disposed. */
export class TestNetwork implements AsyncDisposable {
  readonly name: string = `t${process.pid}-${count++}`;
  readonly #running: RunningNetwork[] = [];

  /** A daemon's view of the network; the second sees what the first one left. */
  async start(options: Partial<NetworkOptions> = {}): Promise<RunningNetwork> {
    swept ??= removeLeftovers();
    await swept;
    const network = await startNetwork({ families: "v4", ...options, name: this.name });
    this.#running.push(network);
    return network;
  }

  namespaces(): string[] {
    return readdirSync(NETNS_DIR).filter((name) => name.startsWith(`bowline-${this.name}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const network of this.#running) await network.close();
    await removeNetwork(this.name);
    if (this.namespaces().length > 0) throw new Error(`left behind: ${this.namespaces().join()}`);
  }
}

/** What test runs that were killed have left. */
function removeLeftovers(): Promise<unknown> {
  const all = existsSync(NETNS_DIR) ? readdirSync(NETNS_DIR) : [];
  const abandoned = all.flatMap((namespace) => {
    const [, name, pid] = OWNED_NAME.exec(namespace) ?? [];
    return name !== undefined && !existsSync(`/proc/${pid}`) ? [name] : [];
  });
  return Promise.all([...new Set(abandoned)].map((name) => removeNetwork(name)));
}

/** What attach() has to know of a pod, and nothing more. */
export function identity(uid: string): PodIdentity {
  return { uid, name: uid, namespace: "default", hostNetwork: false };
}

export function within<T>(netns: string, run: () => T): T {
  using handle = NetNamespaceHandle.open(netns);
  return handle.within(run);
}

/** A TCP server that says its name, and who it is that asks, to everybody who connects. */
export function greeter(pod: PodAttachment, name: string, port: number, hostname = "0.0.0.0"): Disposable {
  const listener = within(pod.netns, () =>
    Bun.listen({
      hostname,
      port,
      socket: {
        open: (socket) => {
          socket.end(`${name} ${socket.remoteAddress}`);
        },
        data: () => {},
      },
    }),
  );
  return { [Symbol.dispose]: () => listener.stop(true) };
}

/** A UDP server that answers every datagram with its name. */
export async function udpGreeter(pod: PodAttachment, name: string, port: number): Promise<Disposable> {
  const socket = await within(pod.netns, () =>
    Bun.udpSocket({
      hostname: "0.0.0.0",
      port,
      socket: { data: (self, _bytes, from, address) => void self.send(name, from, address) },
    }),
  );
  return { [Symbol.dispose]: () => socket.close() };
}
