import type { LifecycleHandler } from "kubernetes-types/core/v1";
import { checkHttp } from "../probe/check-http.ts";
import { type ProbeTarget, portOf } from "../probe/probe-target.ts";

/** As long as a hook may take when nothing else bounds it: the pod's end does. */
const HOOK_MAX_MS = 3600_000;

/** Runs a postStart or preStop hook. @returns what went wrong, undefined when nothing did */
export async function runHook(hook: LifecycleHandler, target: ProbeTarget): Promise<string | undefined> {
  try {
    if (hook.exec !== undefined) {
      const { exitCode, output } = await target.exec(hook.exec.command ?? [], HOOK_MAX_MS);
      return exitCode === 0
        ? undefined
        : `command ${JSON.stringify(hook.exec.command?.join(" "))} exited with ${exitCode}: ${output}`;
    }
    if (hook.httpGet !== undefined) {
      const { ok, message } = await checkHttp(hook.httpGet, HOOK_MAX_MS, target);
      return ok ? undefined : message;
    }
    if (hook.tcpSocket !== undefined) {
      const connection = await target.dial(hook.tcpSocket.host || target.host, portOf(hook.tcpSocket.port, target));
      connection.destroy();
      return undefined;
    }
    const { sleep } = hook as { sleep?: { seconds: number } };
    if (sleep !== undefined) await Bun.sleep(sleep.seconds * 1000);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
