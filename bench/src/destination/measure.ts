import { join } from "node:path";
import { destination } from "@bowline/contracts/proto";
import { createClient, GrpcChannel } from "@bowline/grpc";
import { type RunningProcess, spawnProcess, waitFor } from "@bowline/testkit";
import { allowedCores } from "../machine.ts";
import { readCpuTime, readMemory } from "../process-usage.ts";
import { percentile } from "../statistics.ts";
import { CLUSTER, contextToken, servicePath } from "./cluster.ts";

/** How many follow, and over how many connections. */
export const WATCHES = 10_000;
export const CONNECTIONS = 1_000;

/** What the destination service needed. */
export interface DestinationFigures {
  /** Of one core. */
  readonly cpuPercent: number;
  readonly rssBytes: number;
  readonly peakRssBytes: number;
  /** From the first watch asked for to the last one answered. */
  readonly subscribeMs: number;
  readonly deliveries: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const SUBSCRIBE_TIMEOUT_MS = 120_000;

/** Follows the services of a destination service in a process of its own, and looks at both for some seconds. */
export async function measureDestination(seconds: number): Promise<DestinationFigures> {
  await using server = startServer();
  const port = await portOf(server);
  const beforeMs = performance.now();
  using watches = new Watches(port);
  await waitFor(() => watches.answered === WATCHES, { what: "all watches", timeoutMs: SUBSCRIBE_TIMEOUT_MS });
  const subscribeMs = performance.now() - beforeMs;
  await pause(2_000);
  watches.delaysMs.length = 0;
  const before = readCpuTime([server.pid]);
  const startMs = performance.now();
  await pause(seconds * 1_000);
  const after = readCpuTime([server.pid]);
  const tookMs = performance.now() - startMs;
  const delaysMs = watches.delaysMs.toSorted((a, b) => a - b);
  const { rssBytes, peakRssBytes } = readMemory([server.pid]);
  const cpuUs = after.userUs + after.systemUs - before.userUs - before.systemUs;
  return {
    cpuPercent: cpuUs / 10 / tookMs,
    rssBytes,
    peakRssBytes,
    subscribeMs,
    deliveries: (delaysMs.length / tookMs) * 1_000,
    p50Ms: percentile(delaysMs, 50),
    p99Ms: percentile(delaysMs, 99),
    maxMs: percentile(delaysMs, 100),
  };
}

/** The server has a core to itself, as far as the machine has more than one. */
function startServer(): RunningProcess {
  const command = [process.execPath, "run", join(import.meta.dir, "server.ts")];
  const core = allowedCores()[0];
  return spawnProcess(core === undefined ? command : ["taskset", "-c", String(core), ...command]);
}

async function portOf(server: RunningProcess): Promise<number> {
  const listening = await waitFor(() => /listening on (\d+)/.exec(server.stdout()), {
    what: "the destination service",
    timeoutMs: 30_000,
  });
  return Number(listening[1]);
}

/** Clients on as many connections as proxies would have, each following some services. */
class Watches implements Disposable {
  readonly delaysMs: number[] = [];
  /** Watches that have been told something. */
  answered = 0;
  readonly #channels: GrpcChannel[] = [];

  constructor(port: number) {
    for (let connection = 0; connection < CONNECTIONS; connection++) {
      const channel = new GrpcChannel({ target: { host: "127.0.0.1", port }, authority: "dst" });
      this.#channels.push(channel);
      for (let at = 0; at < WATCHES / CONNECTIONS; at++) {
        const path = servicePath((connection * (WATCHES / CONNECTIONS) + at) % CLUSTER.services);
        void this.#follow(channel, path, contextToken(connection));
      }
    }
  }

  [Symbol.dispose](): void {
    for (const channel of this.#channels) channel.close();
  }

  async #follow(channel: GrpcChannel, path: string, token: string): Promise<void> {
    const updates = createClient(destination.Destination, channel).get({ path, contextToken: token });
    let first = true;
    try {
      for await (const { update } of updates) {
        if (first) this.answered++;
        else this.#take(update);
        first = false;
      }
    } catch {
      // The measurement is over and its channels are closed; one that failed before is missed by waitFor.
    }
  }

  #take(update: destination.Update["update"]): void {
    const nowMs = performance.timeOrigin + performance.now();
    if (update.case !== "add") return;
    for (const { metricLabels } of update.value.addrs) {
      const madeMs = Number(metricLabels["zone"]);
      if (Number.isFinite(madeMs)) this.delaysMs.push(nowMs - madeMs);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
