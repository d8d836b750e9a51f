import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
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
import { SCENARIOS } from "./http2-peers-scenarios.ts";
import { counted, Mesh } from "./mesh.ts";

let mesh: Mesh;
let program: NodeProgram;
const ports = new Map<Path, number>();

beforeAll(async () => {
  mesh = await Mesh.start(UNDISCOVERED);
  program = await NodeProgram.build(fileURLToPath(import.meta.resolve("./http2-peers-node.ts")));
  for (const path of PATHS) ports.set(path, portFor(mesh, path));
  const server = mesh.server.namespace.spawn(program.argv("server", "0.0.0.0", ...ports.values()), AS_APP);
  await server.waitForOutput("serving", 10_000);
}, 60_000);

afterAll(async () => {
  await mesh?.[Symbol.asyncDispose]();
  program?.[Symbol.dispose]();
});

describe.each(PATHS)("Node's http2 on both sides, %s", (path) => {
  let output = "";

  beforeAll(async () => {
    output = await runClient(mesh, path, program.argv("client", mesh.server.v4, ports.get(path) ?? 0));
  }, 60_000);

  testScenarios(
    SCENARIOS.map(({ name }) => name),
    () => output,
  );
});

test("the proxies took it for HTTP/2, and counted requests", async () => {
  for (const proxy of [mesh.outbound, mesh.inbound])
    expect(await counted(proxy, "request_total")).toBeGreaterThan(1000);
});
