import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { SCENARIOS } from "../../packages/grpc/src/testing/interop/scenarios.ts";
import {
  AS_APP,
  NodeProgram,
  PATHS,
  type Path,
  portFor,
  runClient,
  testScenarios,
  UNDISCOVERED,
} from "./http2-peers-pods.ts";
import { counted, Mesh } from "./mesh.ts";

const PEERS = fileURLToPath(import.meta.resolve("../../packages/grpc/src/testing/interop/peer.ts"));
/** Client and server: each library in both roles, and once across. */
const PAIRS = [
  { client: "grpc-js", server: "grpc-js" },
  { client: "connect", server: "connect" },
  { client: "connect", server: "grpc-js" },
] as const;
const LIBRARIES = ["grpc-js", "connect"] as const;

/** A server stays for as long as its standard input does. */
const WITH_INPUT = ["sh", "-c", 'sleep infinity | exec "$@"', "sh"];

let mesh: Mesh;
let program: NodeProgram;
const ports = new Map<string, number>();

beforeAll(async () => {
  mesh = await Mesh.start(UNDISCOVERED);
  program = await NodeProgram.build(PEERS);
  for (const library of LIBRARIES) {
    for (const path of PATHS) {
      const port = portFor(mesh, path);
      ports.set(portKey(library, path), port);
      const server = mesh.server.namespace.spawn(
        [...WITH_INPUT, ...program.argv(library, "server", port, "0.0.0.0")],
        AS_APP,
      );
      await server.waitForOutput(String(port), 10_000);
    }
  }
}, 60_000);

afterAll(async () => {
  await mesh?.[Symbol.asyncDispose]();
  program?.[Symbol.dispose]();
});

function portKey(library: string, path: Path): string {
  return `${library} ${path}`;
}

for (const { client, server } of PAIRS) {
  describe.each(PATHS)(`${client} asks ${server}, %s`, (path) => {
    let output = "";

    beforeAll(async () => {
      const port = ports.get(portKey(server, path)) ?? 0;
      output = await runClient(mesh, path, program.argv(client, "client", port, mesh.server.v4));
    }, 60_000);

    testScenarios(
      SCENARIOS.map(({ name }) => name),
      () => output,
    );
  });
}

test("the proxies counted the calls by their gRPC statuses", async () => {
  for (const proxy of [mesh.outbound, mesh.inbound]) {
    const responses = (status: number): Promise<number> =>
      counted(proxy, "response_total", { grpc_status: status, classification: "success", status_code: 200 });
    // Two of the four paths pass each proxy, and a hundred calls at once are but one scenario.
    expect(await responses(0)).toBeGreaterThan(2 * PAIRS.length * 100);
    expect(await responses(12)).toBe(2 * PAIRS.length);
  }
});
