import { status } from "@grpc/grpc-js";
import { CATALOGUE, findEmoji } from "./catalogue.ts";
import { CounterFamily } from "./counters.ts";
import { EmojiService } from "./gen/emoji_pb.ts";
import { GrpcFailure, startGrpcServer } from "./grpc.ts";
import { startOperations } from "./operations.ts";
import { NEVER, type Program, STOP_DEADLINE_MS } from "./program.ts";
import { type Env, portSetting } from "./settings.ts";

/** Which emojis there are. Settings: GRPC_PORT (8080), PROM_PORT (8801). */
export async function startEmoji(env: Env, host: string): Promise<Program> {
  const calls = new CounterFamily("grpc_server_handled_total", "Calls answered, by outcome.", [
    "grpc_service",
    "grpc_method",
    "grpc_code",
  ]);
  let ready = true;
  const list = CATALOGUE.map(({ shortcode, unicode }) => ({ shortcode, unicode }));
  const server = await startGrpcServer({
    service: EmojiService,
    host,
    port: portSetting(env, "GRPC_PORT", 8080),
    onEnd: (method, code) => calls.add(EmojiService.typeName, method, status[code] ?? "UNKNOWN"),
    handlers: {
      listAll: () => ({ list }),
      findByShortcode: ({ shortcode }) => {
        const emoji = findEmoji(shortcode);
        if (emoji === undefined) throw new GrpcFailure(status.NOT_FOUND, `no emoji ${shortcode}`);
        return { emoji: { shortcode: emoji.shortcode, unicode: emoji.unicode } };
      },
    },
  });
  const operations = await startOperations({
    host,
    port: portSetting(env, "PROM_PORT", 8801),
    counters: [calls],
    isReady: () => ready,
  });
  return {
    greeting: `emoji: gRPC on ${server.port}, metrics on ${operations.port}`,
    ports: { grpc: server.port, prom: operations.port },
    ended: NEVER,
    async stop() {
      ready = false;
      await server.stop(STOP_DEADLINE_MS);
      await operations.stop(0);
    },
  };
}
