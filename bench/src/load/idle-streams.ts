import { fileURLToPath } from "node:url";
import type { RunningProcess } from "@bowline/testkit";
import type { IdleStreamLoad } from "../cases.ts";
import type { Lab } from "../lab.ts";

const PROGRAM = fileURLToPath(import.meta.resolve("./hold-streams.ts"));

/** Connections with one open stream each, and the step to all the streams. */
export interface StreamHolder {
  /** @throws Error when a stream fails or gets no response head */
  openAll(): Promise<void>;
  stop(): Promise<unknown>;
}

/** @throws Error when a connection fails */
export async function connectHolder(lab: Lab, port: number, load: IdleStreamLoad): Promise<StreamHolder> {
  const numbers = [port, load.connections, load.streams].map(String);
  const running = lab.startLoad([process.execPath, PROGRAM, ...numbers]);
  await printed(running, "connected");
  return {
    openAll: () => {
      running.kill("SIGHUP");
      return printed(running, "held");
    },
    stop: () => running.stop(),
  };
}

async function printed(running: RunningProcess, word: string): Promise<void> {
  try {
    await running.waitForOutput(word, 30_000);
  } catch (error) {
    await running.stop();
    throw error;
  }
}
