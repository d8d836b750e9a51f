import type { DescService } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { CounterFamily } from "./counters.ts";
import { type Handlers, startGrpcServer } from "./grpc.ts";
import { startOperations } from "./operations.ts";
import { NEVER, type Program, STOP_DEADLINE_MS } from "./program.ts";
import { type Env, portSetting } from "./settings.ts";

export interface BackendOptions<S extends DescService> {
  /** For the greeting. */
  readonly name: string;
  readonly service: S;
  readonly handlers: Handlers<S>;
  /** Told at /metrics beside the calls. */
  readonly counters?: readonly CounterFamily[];
}

/** A program that answers gRPC, counts its calls, and has a side door. Settings: GRPC_PORT (8080), PROM_PORT (8801). */
export async function startBackend<S extends DescService>(
  env: Env,
  host: string,
  { name, service, handlers, counters = [] }: BackendOptions<S>,
): Promise<Program> {
  const calls = new CounterFamily("grpc_server_handled_total", "Calls answered, by outcome.", [
    "grpc_service",
    "grpc_method",
    "grpc_code",
  ]);
  let ready = true;
  const server = await startGrpcServer({
    service,
    host,
    port: portSetting(env, "GRPC_PORT", 8080),
    onEnd: (method, code) => calls.add(service.typeName, method, status[code] ?? "UNKNOWN"),
    handlers,
  });
  const operations = await startOperations({
    host,
    port: portSetting(env, "PROM_PORT", 8801),
    counters: [calls, ...counters],
    isReady: () => ready,
  });
  return {
    greeting: `${name}: gRPC on ${server.port}, metrics on ${operations.port}`,
    ports: { grpc: server.port, prom: operations.port },
    ended: NEVER,
    async stop() {
      ready = false;
      await server.stop(STOP_DEADLINE_MS);
      await operations.stop(0);
    },
  };
}
