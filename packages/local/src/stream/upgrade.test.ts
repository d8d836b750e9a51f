import { describe, expect, test } from "bun:test";
import type { IncomingMessage } from "node:http";
import { type Duplex, duplexPair, PassThrough, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { ApiError } from "@bowline/kube";
import { waitFor } from "@bowline/testkit";
import type { ContainerSession, PodStreamKind, StreamTargets } from "./pod-streams.ts";
import { type CommandChannels, runCommand } from "./remote-command.ts";
import { dataFrame, type Frame, FrameParser, synStreamFrame } from "./spdy/frame.ts";
import { HeaderEncoder } from "./spdy/header-block.ts";
import { upgradePodStream } from "./upgrade.ts";

const NOBODY: StreamTargets = {
  exec: () => {
    throw new Error("not asked for");
  },
  attach: () => {
    throw new Error("not asked for");
  },
  dialPod: () => Promise.reject(new Error("dial tcp 127.0.0.1:80: connect: connection refused")),
};

function upgrade(
  kind: PodStreamKind,
  headers: Record<string, string>,
  targets: StreamTargets = NOBODY,
  query = "",
): { client: Duplex; done: Promise<void> } {
  const [client, socket] = duplexPair();
  const request = { headers, method: "POST" } as unknown as IncomingMessage;
  const container = { namespace: "default", pod: "web", container: "main" };
  const done = upgradePodStream(targets, {
    kind,
    container,
    request,
    socket,
    head: Buffer.alloc(0),
    query: new URLSearchParams(query),
  });
  return { client, done };
}

const WEB_SOCKET = {
  upgrade: "websocket",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  "sec-websocket-version": "13",
};

describe("a handshake", () => {
  const refused: { name: string; kind: PodStreamKind; headers: Record<string, string>; want: string }[] = [
    { name: "for nothing we have", kind: "exec", headers: { upgrade: "h2c" }, want: "400 Bad Request" },
    {
      name: "without a key",
      kind: "exec",
      headers: { upgrade: "websocket", "sec-websocket-version": "13" },
      want: "400 Bad Request",
    },
    {
      name: "for another exec",
      kind: "exec",
      headers: { upgrade: "SPDY/3.1", "x-stream-protocol-version": "channel.k8s.io" },
      want: "403 Forbidden",
    },
    {
      name: "for exec of a port",
      kind: "portforward",
      headers: { ...WEB_SOCKET, "sec-websocket-protocol": "v5.channel.k8s.io" },
      want: "403 Forbidden",
    },
    {
      name: "for a port of exec",
      kind: "exec",
      headers: { ...WEB_SOCKET, "sec-websocket-protocol": "SPDY/3.1+portforward.k8s.io" },
      want: "403 Forbidden",
    },
  ];
  test.each(refused)("$name is refused, with why", async ({ kind, headers, want }) => {
    const { client, done } = upgrade(kind, headers);
    const response = await text(client);
    await done;
    expect(response).toStartWith(`HTTP/1.1 ${want}\r\n`);
    expect(response).toContain("\r\n\r\nunable to upgrade: ");
  });

  const taken: { name: string; kind: PodStreamKind; headers: Record<string, string>; want: string[] }[] = [
    {
      name: "SPDY",
      kind: "exec",
      headers: { upgrade: "SPDY/3.1", "x-stream-protocol-version": "v5.channel.k8s.io, v4.channel.k8s.io" },
      want: ["Upgrade: SPDY/3.1", "X-Stream-Protocol-Version: v4.channel.k8s.io"],
    },
    {
      name: "a WebSocket",
      kind: "attach",
      headers: { ...WEB_SOCKET, "sec-websocket-protocol": "v5.channel.k8s.io,v4.channel.k8s.io" },
      want: [
        "Upgrade: websocket",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "Sec-WebSocket-Protocol: v5.channel.k8s.io",
      ],
    },
    {
      name: "a tunnel",
      kind: "portforward",
      headers: { ...WEB_SOCKET, "sec-websocket-protocol": "SPDY/3.1+portforward.k8s.io" },
      want: ["Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io"],
    },
  ];
  test.each(taken)("for $name is taken", async ({ kind, headers, want }) => {
    const { client, done } = upgrade(kind, headers);
    client.end();
    const [head = ""] = (await text(client)).split("\r\n\r\n");
    await done;
    expect(head).toStartWith("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n");
    for (const line of want) expect(head.split("\r\n")).toContain(line);
  });
});

describe("port-forward", () => {
  /** A SPDY client that has opened the two streams of one connection. */
  function forwarded(dialPod: StreamTargets["dialPod"]): {
    client: Duplex;
    said: (streamId: number) => string;
    ended: (streamId: number) => boolean;
  } {
    const headers = { upgrade: "SPDY/3.1", "x-stream-protocol-version": "portforward.k8s.io" };
    const { client } = upgrade("portforward", headers, { ...NOBODY, dialPod });
    const parser = new FrameParser(1_000_000);
    const frames: Frame[] = [];
    let head = "";
    client.on("data", (chunk: Buffer) => {
      if (head === "") head = chunk.toString("latin1");
      else frames.push(...parser.push(chunk));
    });
    const encoder = new HeaderEncoder();
    const open = (id: number, streamtype: string): void => {
      const opened = new Map([
        ["streamtype", streamtype],
        ["port", "80"],
        ["requestid", "0"],
      ]);
      client.write(synStreamFrame(id, encoder.encode(opened)));
    };
    open(1, "error");
    client.write(dataFrame(1, Buffer.alloc(0), true));
    open(3, "data");
    const of = (id: number): Extract<Frame, { kind: "data" }>[] =>
      frames.flatMap((frame) => (frame.kind === "data" && frame.streamId === id ? frame : []));
    return {
      client,
      said: (id) =>
        of(id)
          .map(({ bytes }) => bytes.toString())
          .join(""),
      ended: (id) => of(id).some(({ fin }) => fin),
    };
  }

  test("brings bytes to the pod and back, and the end of each direction", async () => {
    const [target, pod] = duplexPair();
    const dialled: unknown[] = [];
    const { client, said, ended } = forwarded((...args) => {
      dialled.push(args);
      return Promise.resolve(target);
    });
    client.write(dataFrame(3, Buffer.from("GET"), false));
    client.write(dataFrame(3, Buffer.alloc(0), true));
    expect(await text(pod.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array> as never)).toBe("GET");
    pod.end("200");
    await waitFor(() => ended(3) && ended(1), { what: "the end of both streams" });
    expect([said(3), said(1), dialled]).toEqual(["200", "", [["default", "web", 80]]]);
    client.destroy();
  });

  test("says on the error stream why there is no connection", async () => {
    const { client, said, ended } = forwarded((...args) => NOBODY.dialPod(...args));
    await waitFor(() => ended(1) && ended(3), { what: "the end of both streams" });
    expect(said(1)).toBe("error forwarding port 80 to pod: dial tcp 127.0.0.1:80: connect: connection refused");
    client.destroy();
  });
});

describe("a command", () => {
  interface Told {
    readonly channels: CommandChannels;
    readonly gone: PromiseWithResolvers<void>;
    readonly said: () => { stdout: string; stderr: string; status: Record<string, unknown> };
  }

  function client(more: Partial<CommandChannels> = {}): Told {
    const said = { stdout: "", stderr: "", error: "" };
    const sink = (name: keyof typeof said): Writable =>
      new Writable({
        write: (bytes: Buffer, _encoding, done) => {
          said[name] += bytes.toString();
          done();
        },
      });
    const gone = Promise.withResolvers<void>();
    const channels = {
      stdin: null,
      resize: null,
      stdout: sink("stdout"),
      stderr: sink("stderr"),
      error: sink("error"),
      gone: gone.promise,
      ...more,
    };
    return {
      channels,
      gone,
      said: () => ({
        stdout: said.stdout,
        stderr: said.stderr,
        status: JSON.parse(said.error) as Record<string, unknown>,
      }),
    };
  }

  function output(said: string): ReadableStream<Uint8Array> {
    return new Response(said).body ?? new ReadableStream();
  }

  function session(more: Partial<ContainerSession> = {}): ContainerSession {
    return {
      stdin: null,
      stdout: output("out"),
      stderr: output("err"),
      exited: Promise.resolve(0),
      kill: () => {},
      ...more,
    };
  }

  test("that ends well has its output and Success", async () => {
    const { channels, said } = client();
    await runCommand(() => session(), channels);
    expect(said()).toEqual({ stdout: "out", stderr: "err", status: { metadata: {}, status: "Success" } });
  });

  test("that fails has its exit code where kubectl looks for it", async () => {
    const { channels, said } = client();
    await runCommand(() => session({ exited: Promise.resolve(3) }), channels);
    expect(said().status).toMatchObject({
      status: "Failure",
      reason: "NonZeroExitCode",
      details: { causes: [{ reason: "ExitCode", message: "3" }] },
    });
  });

  test("that can't be started says why", async () => {
    const { channels, said } = client();
    await runCommand(() => Promise.reject(ApiError.badRequest("container main is not running")), channels);
    expect(said().status).toMatchObject({ status: "Failure", message: "container main is not running", code: 400 });
  });

  test("gets its input to the end, and the sizes of the terminal", async () => {
    const stdin = new PassThrough();
    const resize = new PassThrough();
    const got: unknown[] = [];
    const exited = Promise.withResolvers<number>();
    const sink = {
      write: (bytes: Uint8Array) => got.push(Buffer.from(bytes).toString()),
      end: () => exited.resolve(0),
    };
    const { channels } = client({ stdin, resize });
    resize.write('{"Width":80,"Hei');
    resize.end('ght":24}{"Width":0,"Height":1}{"Width":100,"Height":30}\n');
    const sizes: number[][] = [];
    const running = runCommand(
      () => session({ stdin: sink, exited: exited.promise, resize: (...size) => void sizes.push(size) }),
      channels,
    );
    await waitFor(() => sizes.length === 2, { what: "two sizes" });
    stdin.end("input");
    await running;
    expect(got).toEqual(["input"]);
    expect(sizes).toEqual([
      [80, 24],
      [100, 30],
    ]);
  });

  test("keeps nothing of a size that never ends", async () => {
    const resize = new PassThrough();
    const exited = Promise.withResolvers<number>();
    const { channels } = client({ resize });
    const sizes: number[][] = [];
    const running = runCommand(
      () => session({ exited: exited.promise, resize: (...size) => void sizes.push(size) }),
      channels,
    );
    resize.write("x".repeat(100_000));
    await waitFor(() => resize.readableLength === 0, { what: "all being read" });
    resize.write('{"Width":80,"Height":24}');
    await waitFor(() => sizes.length === 1, { what: "a size" });
    expect(sizes).toEqual([[80, 24]]);
    exited.resolve(0);
    await running;
  });

  test("is ended when its client goes away", async () => {
    const { channels, gone } = client();
    let killed = false;
    const running = runCommand(() => session({ exited: new Promise(() => {}), kill: () => (killed = true) }), channels);
    gone.resolve();
    await running;
    expect(killed).toBe(true);
  });

  test("that has ended gives all of its output to a client that takes its time", async () => {
    let got = "";
    const slow = new Writable({
      highWaterMark: 1,
      write: (bytes: Buffer, _encoding, done) => {
        got += bytes.toString();
        setTimeout(done, 400);
      },
    });
    const { channels } = client({ stdout: slow });
    const words = ["one ", "two ", "three ", "four ", "five"];
    const stdout = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        const word = words.shift();
        if (word === undefined) controller.close();
        else controller.enqueue(Buffer.from(word));
      },
    });
    await runCommand(() => session({ stdout }), channels);
    expect(got).toBe("one two three four five");
  });

  test("does not hold up its client with what it left running", async () => {
    const { channels, said } = client();
    const endless = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(Buffer.from("started")),
    });
    await runCommand(() => session({ stdout: endless }), channels);
    expect(said().stdout).toBe("started");
  });
});
