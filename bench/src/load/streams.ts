import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BACKEND_ADDRESS } from "../addresses.ts";
import { BODIES, type StreamLoad } from "../cases.ts";
import type { Lab } from "../lab.ts";
import { percentile } from "../statistics.ts";
import type { RequestReport } from "./requests.ts";

/** A gRPC message as h2-backend.c sends it: not compressed, 32 bytes (the prefix is the length). */
const GRPC_MESSAGE = "\0\0\0\0\x20a message of thirty-two bytes...";
const GRPC_HEADERS = ["content-type: application/grpc", "te: trailers"];

const EXPECTED: Readonly<Record<StreamLoad["answer"], string>> = {
  small: BODIES["/small"] ?? "",
  "grpc-unary": GRPC_MESSAGE,
  "grpc-stream": GRPC_MESSAGE.repeat(100),
};

/** @throws Error when h2load fails */
export async function runStreams(lab: Lab, port: number, load: StreamLoad, seconds: number): Promise<RequestReport> {
  const log = join(lab.directory("load"), "h2load.log");
  rmSync(log, { force: true });
  const argv = ["h2load", `-c${load.connections}`, `-m${load.streams}`, `-D${seconds}`, `--log-file=${log}`];
  await lab.runLoad([...argv, ...requestOf(lab, load, "-d"), urlOf(port, load)], (seconds + 15) * 1000);
  return { ...parseH2loadLog(readFileSync(log)), seconds };
}

/** The lines of `h2load --log-file`: start, status and duration in µs, separated by tabs. */
export function parseH2loadLog(log: Uint8Array): Omit<RequestReport, "seconds"> {
  const durationsUs: number[] = [];
  let errors = 0;
  for (const line of new TextDecoder().decode(log).split("\n")) {
    if (line === "") continue;
    const [, status, durationUs] = line.split("\t");
    if (status === "200") durationsUs.push(Number(durationUs));
    else errors++;
  }
  const sorted = Float64Array.from(durationsUs).sort();
  return { requests: sorted.length, p50Us: percentile(sorted, 50), p99Us: percentile(sorted, 99), errors };
}

/**
 * Asks once and compares the whole body and, for gRPC, the status in the trailers.
 *
 * @throws Error when the answer is not the backend's
 */
export async function checkStream(lab: Lab, port: number, load: StreamLoad): Promise<void> {
  const curl = ["curl", "-sSf", "--http2-prior-knowledge", "--max-time", "10", "-w", "%header{grpc-status}"];
  const answer = await lab.runLoad([...curl, ...requestOf(lab, load, "--data-binary"), urlOf(port, load)], 15_000);
  const wanted = EXPECTED[load.answer] + (load.answer === "small" ? "" : "0");
  if (answer !== wanted) throw new Error(`${load.answer} came back wrong, with ${answer.length} characters`);
}

/** The options that curl and h2load share, and the one for a body, which both read from a file. */
function requestOf(lab: Lab, { answer }: StreamLoad, bodyOption: "-d" | "--data-binary"): string[] {
  if (answer === "small") return [];
  const path = join(lab.directory("load"), "message");
  writeFileSync(path, GRPC_MESSAGE);
  return [...GRPC_HEADERS.flatMap((header) => ["-H", header]), bodyOption, bodyOption === "-d" ? path : `@${path}`];
}

function urlOf(port: number, { answer }: StreamLoad): string {
  return `http://${BACKEND_ADDRESS}:${port}/${answer === "small" ? "small" : "bench.Bench/Call"}`;
}
