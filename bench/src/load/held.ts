import { fileURLToPath } from "node:url";
import type { RunningProcess } from "@bowline/testkit";
import type { HeldLoad } from "../cases.ts";
import type { Lab } from "../lab.ts";

const PROGRAM = fileURLToPath(import.meta.resolve("./hold-connections.ts"));

/**
 * Opens the connections, lets light traffic run over them for `seconds` and returns with all of them still open.
 *
 * @returns the process that holds them; stop it
 * @throws Error when a connection fails or an answer does not come
 */
export async function holdConnections(
  lab: Lab,
  port: number,
  load: HeldLoad,
  seconds: number,
): Promise<RunningProcess> {
  const { services = 0 } = load;
  const numbers = [port, load.connections, load.requestsPerSecond, seconds, services].map(String);
  const running = lab.startLoad([process.execPath, PROGRAM, load.path, ...numbers]);
  try {
    await running.waitForOutput("steady", (seconds + 30) * 1000);
    return running;
  } catch (error) {
    await running.stop();
    throw error;
  }
}
