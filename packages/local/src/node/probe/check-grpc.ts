import { connect, type IncomingHttpHeaders } from "node:http2";
import type { Duplex } from "node:stream";
import type { GRPCAction } from "kubernetes-types/core/v1";
import { abortable } from "./check-http.ts";
import { OK, type ProbeResult, type ProbeTarget } from "./probe-target.ts";

/** HealthCheckResponse.ServingStatus by number. */
const STATUSES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** grpc.health.v1.Health/Check, in plain text: one message of one string field out, one of one enum field back. */
export async function checkGrpc(grpc: GRPCAction, timeoutMs: number, target: ProbeTarget): Promise<ProbeResult> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const address = `${target.host}:${grpc.port}`;
  try {
    const socket = await abortable(target.dial(target.host, grpc.port), deadline);
    const answer = await unary(socket, address, healthRequest(grpc.service ?? ""), deadline);
    if (answer.status !== "0") {
      return {
        ok: false,
        message: `error: health rpc failed with status ${answer.status || "none"}: ${answer.message}`,
      };
    }
    const status = servingStatus(answer.body);
    if (status === 1) return OK;
    return {
      ok: false,
      message: `service unhealthy (responded with ${JSON.stringify(STATUSES[status] ?? String(status))})`,
    };
  } catch (error) {
    const why = deadline.aborted ? "context deadline exceeded" : error instanceof Error ? error.message : String(error);
    return {
      ok: false,
      message: `timeout: failed to connect service ${JSON.stringify(address)} within ${timeoutMs / 1000}s: ${why}`,
    };
  }
}

/** gRPC's five-byte frame around HealthCheckRequest { string service = 1 }. */
function healthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  if (name.length > 127) throw new Error("the service's name is longer than 127 bytes");
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  return Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
}

/** HealthCheckResponse { ServingStatus status = 1 }; an absent field is 0. */
function servingStatus(body: Buffer): number {
  return body[5] === 0x08 ? (body[6] ?? 0) : 0;
}

interface Answer {
  readonly status: string;
  readonly message: string;
  readonly body: Buffer;
}

function unary(socket: Duplex, authority: string, request: Buffer, deadline: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${authority}`, { createConnection: () => socket });
    const finish = (settle: () => void) => {
      session.destroy();
      socket.destroy();
      settle();
    };
    const fail = (error: Error) => finish(() => reject(error));
    deadline.addEventListener("abort", () => fail(new Error("timeout")), { once: true });
    session.on("error", fail);
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": "kube-probe/1.32",
    });
    let [status, message] = ["", ""];
    const body: Buffer[] = [];
    const read = (headers: IncomingHttpHeaders) => {
      status = headers["grpc-status"]?.toString() ?? status;
      message = headers["grpc-message"]?.toString() ?? message;
    };
    stream.on("response", read);
    stream.on("trailers", read);
    stream.on("data", (chunk: Buffer) => body.push(chunk));
    stream.on("error", fail);
    stream.on("end", () => finish(() => resolve({ status, message, body: Buffer.concat(body) })));
    stream.end(request);
  });
}
