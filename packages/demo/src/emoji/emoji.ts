import { status } from "@grpc/grpc-js";
import { startBackend } from "./backend.ts";
import { CATALOGUE, findEmoji } from "./catalogue.ts";
import { EmojiService } from "./gen/emoji_pb.ts";
import { GrpcFailure } from "./grpc.ts";
import type { Program } from "./program.ts";
import type { Env } from "./settings.ts";

/** Which emojis there are. Settings: those of a backend. */
export function startEmoji(env: Env, host: string): Promise<Program> {
  const list = CATALOGUE.map(({ shortcode, unicode }) => ({ shortcode, unicode }));
  return startBackend(env, host, {
    name: "emoji",
    service: EmojiService,
    handlers: {
      listAll: () => ({ list }),
      findByShortcode: ({ shortcode }) => {
        const emoji = findEmoji(shortcode);
        if (emoji === undefined) throw new GrpcFailure(status.NOT_FOUND, `no emoji ${shortcode}`);
        return { emoji: { shortcode: emoji.shortcode, unicode: emoji.unicode } };
      },
    },
  });
}
