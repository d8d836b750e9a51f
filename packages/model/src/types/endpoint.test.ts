import { expect, test } from "bun:test";
import { endpointKey } from "./endpoint.ts";

test("a key is an address as people write it", () => {
  expect(endpointKey({ ip: "10.0.0.1", port: 80 })).toBe("10.0.0.1:80");
  expect(endpointKey({ ip: "fd00::1", port: 8080 })).toBe("[fd00::1]:8080");
});
