import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { mustRun } from "@bowline/testkit";
import type { Screen } from "../screen.ts";
import { judgeStats, parseStats } from "./stat-verdict.ts";
import { makeTools, type Tools } from "./tools.ts";

export interface MeshDemoOptions {
  readonly seconds: number;
  /** Leaves everything running at the end. */
  readonly keep: boolean;
  readonly cluster: string;
  /** Path of the executable. */
  readonly bowline: string;
  readonly interrupted: AbortSignal;
}

const NAMESPACE = "emojivoto";
const MANIFEST = new URL("../../../../examples/emojivoto.yaml", import.meta.url).pathname;
const REFRESH_MS = 1_000;
const STAT = ["stat", "deploy", "-n", NAMESPACE, "-t", "15s"] as const;
const WINDOW_SECONDS = 15;
/** Two scrapes more than the window: probes that found a program still starting are no longer in it. */
const SETTLED_MS = 26_000;

/**
 * Runs the demo and removes everything it made, unless it is to be kept.
 *
 * @returns whether the metrics were as they should be
 * @throws Error when a step fails, or when it is interrupted before the table is shown
 */
export async function runMeshDemo(screen: Screen, options: MeshDemoOptions): Promise<boolean> {
  const local = (command: string): Promise<string> =>
    mustRun([options.bowline, "local", command, "--name", options.cluster]);
  try {
    const up = await screen.step(`bowline local up --name ${options.cluster}`, () => local("up"));
    const kubeconfig = /KUBECONFIG=(\S+)/.exec(up)?.[1];
    if (kubeconfig === undefined) throw new Error(`\`bowline local up\` named no kubeconfig:\n${up}`);
    const tools = makeTools(options.bowline, kubeconfig);
    await install(screen, tools, options.interrupted);
    await deploy(screen, tools, options.interrupted);
    const ok = await showStats(screen, tools, options);
    if (options.keep) explainKept(screen, options, kubeconfig);
    return ok;
  } finally {
    if (!options.keep || options.interrupted.aborted) await screen.step("bowline local down", () => local("down"));
  }
}

async function install(screen: Screen, tools: Tools, interrupted: AbortSignal): Promise<void> {
  await screen.step("bowline check --pre", () => tools.bowline(["check", "--pre"]));
  await screen.step("bowline install --crds | kubectl apply -f -", async () =>
    tools.kubectl(["apply", "-f", "-"], await tools.bowline(["install", "--crds"])),
  );
  await screen.step("bowline install | kubectl apply -f -", async () =>
    tools.kubectl(["apply", "-f", "-"], await tools.bowline(["install"])),
  );
  interrupted.throwIfAborted();
  const report = await screen.step("bowline check", () => tools.bowline(["check", "--wait", "40s"]));
  screen.line(`\n${report.replaceAll(/^(?=.)/gm, "          ")}`);
  interrupted.throwIfAborted();
}

async function deploy(screen: Screen, tools: Tools, interrupted: AbortSignal): Promise<void> {
  await screen.step("bowline inject examples/emojivoto.yaml | kubectl apply -f -", async () =>
    tools.kubectl(["apply", "-f", "-"], await tools.bowline(["inject", "-"], readFileSync(MANIFEST, "utf8"))),
  );
  const deployments = (await tools.kubectl(["get", "deployments", "-n", NAMESPACE, "-o", "name"])).trim().split("\n");
  await screen.step(`kubectl rollout status: ${deployments.map((name) => name.replace(/.*\//, "")).join(", ")}`, () =>
    Promise.all(
      deployments.map((name) => tools.kubectl(["rollout", "status", "-n", NAMESPACE, name, "--timeout=40s"])),
    ),
  );
  interrupted.throwIfAborted();
  await screen.step("bowline check --proxy", () =>
    tools.bowline(["check", "--proxy", "-n", NAMESPACE, "--wait", "30s"]),
  );
  screen.line(`\n${await tools.kubectl(["get", "pods", "-n", NAMESPACE])}`);
}

/** The live table, for `seconds`, and until what it shows can be judged. */
async function showStats(screen: Screen, tools: Tools, { seconds, interrupted }: MeshDemoOptions): Promise<boolean> {
  screen.line(`bowline ${STAT.join(" ")}, for ${seconds} seconds or until Ctrl-C:\n`);
  const startedMs = performance.now();
  const passed = (): number => performance.now() - startedMs;
  const show = async (): Promise<void> => {
    // Ctrl-C reaches the command, too: that it fails then is no failure.
    const table = await tools.bowline(STAT).catch((error: unknown) => {
      if (interrupted.aborted) return "";
      throw error;
    });
    const [head = "", ...rows] = table.trimEnd().split("\n");
    if (head !== "") screen.table(head, rows, Math.floor(passed() / 1000));
  };
  while (!interrupted.aborted && passed() < seconds * 1000) {
    await show();
    await sleep(REFRESH_MS, undefined, { signal: interrupted }).catch(() => undefined);
  }
  if (passed() < SETTLED_MS) {
    await sleep(SETTLED_MS - passed(), undefined, { signal: interrupted }).catch(() => undefined);
    if (!interrupted.aborted) await show();
  }
  screen.line();
  if (interrupted.aborted) return true;
  const findings = judgeStats(parseStats(await tools.bowline([...STAT, "-o", "json"]), WINDOW_SECONDS));
  for (const { ok, text } of findings) screen.line(`${ok ? "    ok" : "FAILED"}  ${text}`);
  screen.line();
  return findings.every(({ ok }) => ok);
}

function explainKept(screen: Screen, { bowline, cluster }: MeshDemoOptions, kubeconfig: string): void {
  for (const line of [
    "Everything goes on running. To look at it:",
    "",
    `  export KUBECONFIG=${kubeconfig}`,
    `  kubectl get pods -A`,
    `  kubectl -n ${NAMESPACE} port-forward svc/web-svc 8080:80      # then open http://localhost:8080`,
    `  ${bowline} stat deploy -n ${NAMESPACE} --from deploy/web`,
    `  ${bowline} check --proxy`,
    "",
    `To end it:  ${bowline} local down --name ${cluster}`,
    "",
  ])
    screen.line(line);
}
