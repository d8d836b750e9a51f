import type { KubeClient } from "@bowline/kube";
import { type StatAnswer, type StatRequest, statQuery } from "@bowline/viz";
import { CommandFailure } from "../io.ts";

const SERVICE = "metrics-api";
const PORT = 8085;
const TIMEOUT_MS = 30_000;

export interface StatAddress {
  readonly client: () => KubeClient;
  /** Of the control plane. */
  readonly namespace: string;
  /** host:port of the metrics service, to ask it directly. */
  readonly apiAddr?: string;
}

/** Asks the metrics service, by way of the API server unless its address is given. */
export async function askStat(request: StatRequest, address: StatAddress): Promise<StatAnswer> {
  const path = `/api/stat?${statQuery(request).toString()}`;
  const response =
    address.apiAddr === undefined
      ? await address.client().proxyService(address.namespace, SERVICE, PORT, path, { timeoutMs: TIMEOUT_MS })
      : await askDirectly(address.apiAddr, path);
  const text = await response.text();
  if (response.ok) return JSON.parse(text) as StatAnswer;
  throw new CommandFailure(faultOf(response.status, text, address.namespace));
}

async function askDirectly(apiAddr: string, path: string): Promise<Response> {
  try {
    return await fetch(`http://${apiAddr}${path}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CommandFailure(`the metrics service at ${apiAddr} did not answer: ${reason}`, 1, cause);
  }
}

/** The metrics service answers errors as `{error}`, the API server as a Status. */
function faultOf(status: number, text: string, namespace: string): string {
  try {
    const body = JSON.parse(text) as { error?: string; message?: string; kind?: string };
    if (body.error !== undefined) return body.error;
    if (status === 404 && body.kind === "Status") {
      return `there is no metrics service in namespace ${namespace}: ${body.message ?? ""}; is the control plane installed (bowline check)?`;
    }
    if (body.message !== undefined) return body.message;
  } catch {
    // Not JSON: an intermediary's words, shown as they are.
  }
  return `the metrics service answered ${status}: ${text.slice(0, 300)}`;
}
