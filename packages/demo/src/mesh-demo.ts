import { resolve } from "node:path";
import { runMeshDemo } from "./mesh/run-mesh-demo.ts";
import { Screen } from "./screen.ts";

/**
 * `make demo`: an embedded cluster, the control plane, the emoji application with proxies, and what `stat` says of it.
 *
 * DEMO_SECONDS: how long the table is shown, 28 unless set. KEEP=1: everything goes on running. CLUSTER: the cluster's name, `demo` unless
 * set. BOWLINE: path of the executable.
 */
const SECONDS_MAX = 3_600;

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interrupted.abort(new Error(`${signal} received`)));
}
const screen = new Screen(process.stdout);
try {
  const ok = await runMeshDemo(screen, {
    seconds: secondsOf(process.env["DEMO_SECONDS"] ?? "28"),
    keep: process.env["KEEP"] === "1",
    cluster: process.env["CLUSTER"] ?? "demo",
    bowline: resolve(process.env["BOWLINE"] ?? "dist/bowline"),
    interrupted: interrupted.signal,
  });
  process.exitCode = ok ? 0 : 1;
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  screen.line(`\ndemo: ${interrupted.signal.aborted ? "interrupted" : text}`);
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!/^\d+$/.test(text) || seconds > SECONDS_MAX) {
    throw new Error(`DEMO_SECONDS=${JSON.stringify(text)}: a whole number up to ${SECONDS_MAX}`);
  }
  return seconds;
}
