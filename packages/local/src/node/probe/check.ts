import type { Probe } from "@bowline/kube";
import { checkGrpc } from "./check-grpc.ts";
import { checkHttp } from "./check-http.ts";
import { OK, type ProbeResult, type ProbeTarget, portOf } from "./probe-target.ts";

/** Asks once. Never rejects: whatever goes wrong is the container's fault. */
export async function checkProbe(probe: Probe, target: ProbeTarget): Promise<ProbeResult> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  try {
    if (probe.exec !== undefined) return await checkExec(probe.exec.command ?? [], timeoutMs, target);
    if (probe.httpGet !== undefined) return await checkHttp(probe.httpGet, timeoutMs, target);
    if (probe.tcpSocket !== undefined) {
      const port = portOf(probe.tcpSocket.port, target);
      const connection = await target.dial(probe.tcpSocket.host || target.host, port);
      connection.destroy();
      return OK;
    }
    if (probe.grpc !== undefined) return await checkGrpc(probe.grpc, timeoutMs, target);
    return { ok: false, message: "the probe has no handler" };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

async function checkExec(command: readonly string[], timeoutMs: number, target: ProbeTarget): Promise<ProbeResult> {
  const { exitCode, output, timedOut } = await target.exec(command, timeoutMs);
  if (timedOut)
    return {
      ok: false,
      message: `command timed out: ${JSON.stringify(command.join(" "))} timed out after ${timeoutMs / 1000}s`,
    };
  return exitCode === 0 ? OK : { ok: false, message: output };
}
