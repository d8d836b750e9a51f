import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { HTTPGetAction } from "kubernetes-types/core/v1";
import { OK, type ProbeResult, type ProbeTarget, portOf } from "./probe-target.ts";

/** What of a body goes into a message; the rest is not read. */
const BODY_MAX = 10 * 1024;

/** One GET, on a connection of its own as a kubelet's are. 200 to 399 is good. Redirects are not followed. */
export async function checkHttp(get: HTTPGetAction, timeoutMs: number, target: ProbeTarget): Promise<ProbeResult> {
  const port = portOf(get.port, target);
  const host = get.host || target.host;
  const secure = get.scheme?.toUpperCase() === "HTTPS";
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const path = get.path === undefined || get.path === "" ? "/" : get.path.startsWith("/") ? get.path : `/${get.path}`;
  const url = `${secure ? "https" : "http"}://${authority}${path}`;
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const socket = await abortable(target.dial(host, port), deadline);
    const answer = await exchange(socket, requestText(path, authority, get.httpHeaders ?? []), secure, deadline);
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1] ?? 0);
    if (status >= 200 && status < 400) return OK;
    if (status === 0) return { ok: false, message: `Get ${JSON.stringify(url)}: malformed HTTP response` };
    return { ok: false, message: `HTTP probe failed with statuscode: ${status}` };
  } catch (error) {
    const why = deadline.aborted
      ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
      : error instanceof Error
        ? error.message
        : String(error);
    return { ok: false, message: `Get ${JSON.stringify(url)}: ${why}` };
  }
}

function requestText(path: string, authority: string, headers: readonly { name: string; value: string }[]): string {
  const has = (name: string) => headers.some((header) => header.name.toLowerCase() === name);
  const lines = [
    `GET ${path} HTTP/1.1`,
    ...(has("host") ? [] : [`Host: ${authority}`]),
    ...(has("user-agent") ? [] : ["User-Agent: kube-probe/1.32"]),
    ...(has("accept") ? [] : ["Accept: */*"]),
    "Connection: close",
    ...headers.map(({ name, value }) => `${name}: ${value}`),
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** The answer as far as its status line needs. The certificate is not looked at, as kubelets don't. */
function exchange(socket: Duplex, request: string, secure: boolean, deadline: AbortSignal): Promise<string> {
  const stream = secure ? connectTls({ socket, rejectUnauthorized: false }) : socket;
  return new Promise<string>((resolve, reject) => {
    let text = "";
    const finish = (settle: () => void) => {
      stream.destroy();
      socket.destroy();
      settle();
    };
    deadline.addEventListener("abort", () => finish(() => reject(new Error("timeout"))), { once: true });
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (text.includes("\r\n") || text.length > BODY_MAX) finish(() => resolve(text));
    });
    stream.on("error", (error: Error) => finish(() => reject(error)));
    stream.on("close", () => finish(() => (text === "" ? reject(new Error("EOF")) : resolve(text))));
    stream.write(request);
  });
}

/** What `work` comes to, unless the signal is first; the connection that comes too late is closed. */
export function abortable(work: Promise<Duplex>, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      reject(new Error("timeout"));
      work.then(
        (late) => late.destroy(),
        () => undefined,
      );
    };
    signal.addEventListener("abort", abort, { once: true });
    work.then(
      (value) => {
        signal.removeEventListener("abort", abort);
        resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener("abort", abort);
        reject(error);
      },
    );
  });
}
