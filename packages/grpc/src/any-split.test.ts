import { afterAll, beforeAll, describe, test } from "bun:test";
import { GrpcChannel } from "./client/channel.ts";
import { GrpcServer } from "./server/grpc-server.ts";
import { echoCaller, serveEcho } from "./testing/interop/bowline.ts";
import { SCENARIOS } from "./testing/interop/scenarios.ts";
import { MemoryNetwork } from "./testing/memory-network.ts";

/** Cuts into pieces of sizes that come in turn. */
function pieces(sizes: readonly number[]): (bytes: Uint8Array) => Uint8Array[] {
  let turn = 0;
  return (bytes) => {
    const cut: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const size = sizes[turn++ % sizes.length] ?? 1;
      cut.push(bytes.subarray(at, at + size));
      at += size;
    }
    return cut;
  };
}

const splits: { name: string; sizes: readonly number[]; bufferBytes: number; large: boolean }[] = [
  { name: "byte by byte", sizes: [1], bufferBytes: 1000, large: false },
  { name: "in pieces of 1 to 13 bytes", sizes: [1, 2, 3, 5, 8, 13], bufferBytes: 20_000, large: false },
  { name: "in pieces around the size of a frame", sizes: [16_384, 9, 16_392, 16_385], bufferBytes: 1, large: true },
];

for (const { name, sizes, bufferBytes, large } of splits) {
  describe(`bytes that come ${name}`, () => {
    const network = new MemoryNetwork({ split: pieces(sizes), bufferBytes });
    const server = new GrpcServer();
    const channel = new GrpcChannel({
      target: { host: "10.0.0.1", port: 1 },
      authority: "echo.test",
      connect: network.connect,
    });

    beforeAll(() => {
      serveEcho(server);
      network.serve("10.0.0.1:1", (stream) => server.accept(stream));
    });

    afterAll(async () => {
      channel.close();
      await server.close();
    });

    for (const scenario of SCENARIOS.filter((each) => large || !each.name.includes("4 MiB"))) {
      test(scenario.name, () => scenario.run(echoCaller(channel)));
    }
  });
}
