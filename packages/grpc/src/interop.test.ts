import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { createInterface, type Interface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { GrpcChannel } from "./client/channel.ts";
import { GrpcServer } from "./server/grpc-server.ts";
import { echoCaller, serveEcho } from "./testing/interop/bowline.ts";
import { SCENARIOS } from "./testing/interop/scenarios.ts";

const LIBRARIES = ["grpc-js", "connect"] as const;

/** A process of testing/interop/peer.ts on Node. */
class Peer {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: AsyncIterator<string>;
  readonly #interface: Interface;

  constructor(script: string, args: readonly string[]) {
    this.#child = Bun.spawn(["node", script, ...args], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    this.#interface = createInterface({ input: Readable.fromWeb(this.#child.stdout) });
    this.#lines = this.#interface[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("the peer's output ended");
    return value;
  }

  async say(line: string): Promise<void> {
    void this.#child.stdin.write(`${line}\n`);
    await this.#child.stdin.flush();
  }

  async stop(): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
    this.#interface.close();
  }
}

const folder = mkdtempSync(`${tmpdir()}/bowline-grpc-interop-`);
let script = "";

beforeAll(async () => {
  const built = await Bun.build({
    entrypoints: [fileURLToPath(import.meta.resolve("./testing/interop/peer.ts"))],
    target: "node",
    format: "esm",
    outdir: folder,
    naming: "peer.mjs",
  });
  expect(built.success).toBe(true);
  script = `${folder}/peer.mjs`;
});

afterAll(() => rmSync(folder, { recursive: true }));

describe("our client and our server", () => {
  const server = new GrpcServer();
  let channel: GrpcChannel;

  beforeAll(async () => {
    serveEcho(server);
    const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
    channel = new GrpcChannel({ target: { host: "127.0.0.1", port }, authority: "echo.test" });
  });

  afterAll(async () => {
    channel.close();
    await server.close();
  });

  for (const scenario of SCENARIOS) {
    test(scenario.name, () => scenario.run(echoCaller(channel)));
  }

  test("nothing is left of all these calls", () => {
    expect(server.openCalls).toBe(0);
    expect(server.bufferedBytes).toBe(0);
    expect(channel.waitingCalls).toBe(0);
  });
});

for (const library of LIBRARIES) {
  describe(`our client and the server of ${library}`, () => {
    let peer: Peer;
    let channel: GrpcChannel;

    beforeAll(async () => {
      peer = new Peer(script, [library, "server"]);
      const port = Number(await peer.line());
      channel = new GrpcChannel({ target: { host: "127.0.0.1", port }, authority: `127.0.0.1:${port}` });
    });

    afterAll(async () => {
      channel.close();
      await peer.stop();
    });

    for (const scenario of SCENARIOS) {
      test(scenario.name, () => scenario.run(echoCaller(channel)));
    }

    test("draining lets an open call end, and then no connection is to be had", async () => {
      const echo = echoCaller(channel);
      let answer: () => void = () => undefined;
      const asked = new Promise<void>((resolve) => {
        answer = resolve;
      });
      async function* questions() {
        yield { text: "before" };
        await asked;
        yield { text: "after" };
      }
      const replies = echo.bidi(questions())[Symbol.asyncIterator]();
      expect((await replies.next()).value?.text).toBe("before");
      await peer.say("drain");
      await untilState(channel, "idle");
      answer();
      expect((await replies.next()).value?.text).toBe("after");
      expect((await replies.next()).done).toBe(true);
      expect(await peer.line()).toBe("drained");
      const failure = await echo.unary({}).catch((error: unknown) => echo.failure(error).code);
      expect(failure).toBe(14);
    });
  });

  describe(`the client of ${library} and our server`, () => {
    const server = new GrpcServer();
    let peer: Peer;

    beforeAll(async () => {
      serveEcho(server);
      const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
      peer = new Peer(script, [library, "client", String(port)]);
    });

    afterAll(async () => {
      await peer.stop();
      await server.close();
    });

    for (const { name } of SCENARIOS) {
      test(name, async () => {
        expect(JSON.parse(await peer.line())).toEqual({ name, error: "" });
      });
    }

    test("nothing is left of all these calls", () => {
      expect(server.openCalls).toBe(0);
      expect(server.bufferedBytes).toBe(0);
    });
  });
}

/** Waits for the channel to be in a state; a test that never gets there fails by its timeout. */
async function untilState(channel: GrpcChannel, state: string): Promise<void> {
  while (channel.state !== state) await new Promise((resolve) => setTimeout(resolve, 2));
}
