import { describe, expect, test } from "bun:test";
import { CATALOGUE, DOUGHNUT, findEmoji } from "./catalogue.ts";
import { VotingService } from "./gen/voting_pb.ts";

describe("the catalogue", () => {
  test("has each emoji once, and each has its method of the voting service", () => {
    const methods = VotingService.methods.map(({ name }) => name).filter((name) => name !== "Results");
    expect(CATALOGUE.map(({ voteMethod }) => voteMethod)).toEqual(methods);
    expect(new Set(CATALOGUE.map(({ unicode }) => unicode)).size).toBe(CATALOGUE.length);
    expect(CATALOGUE.length).toBeGreaterThanOrEqual(100);
  });

  test("has the two that the stories are about", () => {
    expect(findEmoji(DOUGHNUT)).toEqual({ shortcode: ":doughnut:", unicode: "🍩", voteMethod: "VoteDoughnut" });
    expect(findEmoji(":poop:")?.voteMethod).toBe("VotePoop");
    expect(findEmoji("doughnut")).toBeUndefined();
  });
});
