import { join } from "node:path";
import { BACKEND_ADDRESS } from "../addresses.ts";
import { BODIES, type RequestLoad } from "../cases.ts";
import type { Lab } from "../lab.ts";

/** What one run of wrk saw. */
export interface RequestReport {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Connections, reads, writes, statuses and timeouts that went wrong. */
  readonly errors: number;
}

const SCRIPT = join(import.meta.dir, "../../wrk-report.lua");

/** @throws Error when wrk fails */
export async function runRequests(lab: Lab, port: number, load: RequestLoad, seconds: number): Promise<RequestReport> {
  const argv = ["wrk", "-t1", `-c${load.connections}`, `-d${seconds}s`, "--timeout", "5s", "--latency", "-s", SCRIPT];
  if (load.closeEach) argv.push("-H", "Connection: close");
  return parseWrkReport(await lab.runLoad([...argv, urlOf(port, load.path)], (seconds + 15) * 1000));
}

/**
 * Reads the line of JSON that wrk-report.lua prints among wrk's own output.
 *
 * @throws Error when there is none
 */
export function parseWrkReport(output: string): RequestReport {
  const line = output.split("\n").find((text) => text.startsWith("{"));
  if (line === undefined) throw new Error(`wrk printed no report:\n${output}`);
  const report = JSON.parse(line) as {
    requests: number;
    durationUs: number;
    p50Us: number;
    p99Us: number;
    errors: Record<string, number>;
  };
  return {
    requests: report.requests,
    seconds: report.durationUs / 1e6,
    p50Us: report.p50Us,
    p99Us: report.p99Us,
    errors: Object.values(report.errors).reduce((sum, count) => sum + count, 0),
  };
}

/**
 * Asks once and compares the whole body.
 *
 * @throws Error when the answer is not the backend's
 */
export async function checkResponse(lab: Lab, port: number, path: string): Promise<void> {
  const body = await lab.runLoad(["curl", "-sSf", "--max-time", "10", urlOf(port, path)], 15_000);
  if (body !== BODIES[path]) throw new Error(`${path} came back with a wrong body of ${body.length} characters`);
}

function urlOf(port: number, path: string): string {
  return `http://${BACKEND_ADDRESS}:${port}${path}`;
}
