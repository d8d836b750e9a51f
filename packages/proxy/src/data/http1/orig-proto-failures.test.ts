import { expect, test } from "bun:test";
import { Errno } from "@bowline/loop";
import { CALM, ScriptedIo, type ScriptedPeer } from "@bowline/testkit";
import { APP, MeshedPair, SERVER } from "../testing/meshed-pair.case.test.ts";
import { streamBytes } from "../testing/plane-world.case.test.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const GET = "GET / HTTP/1.1\r\nhost: a.test\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nhost: a.test\r\ncontent-length: 4\r\n\r\nbody";

function world(): { kernel: ScriptedIo; pair: MeshedPair } {
  const kernel = new ScriptedIo({ seed: 1, adversity: CALM });
  return { kernel, pair: new MeshedPair(kernel) };
}

/** A server's part in a failure: what it does with the first bytes of a request. */
const BEFORE_A_RESPONSE: readonly { name: string; act: (app: ScriptedPeer) => void; status: string }[] = [
  { name: "closes", act: (app) => app.close(), status: "502 Bad Gateway" },
  { name: "resets", act: (app) => app.reset(), status: "502 Bad Gateway" },
  { name: "answers with something else", act: (app) => app.send("SSH-2.0-x\r\n\r\n"), status: "502 Bad Gateway" },
  {
    name: "switches protocols unasked",
    act: (app) => app.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"),
    status: "502 Bad Gateway",
  },
  {
    name: "closes within its head",
    act: (app) => {
      app.send("HTTP/1.1 200 OK\r\nx-a");
      app.end();
    },
    status: "502 Bad Gateway",
  },
];

test.each(BEFORE_A_RESPONSE)("an application that $name without a response: $status", ({ act, status }) => {
  const { kernel, pair } = world();
  kernel.onConnect(APP, (app) => {
    app.onEnd = () => app.close();
    app.onData = () => act(app);
  });
  const client = pair.outbound.client("outbound", SERVER);
  client.send(POST);
  client.onEnd = () => client.close();
  kernel.runFor(pair.turn, 3000);
  expect(client.receivedText()).toStartWith(`HTTP/1.1 ${status}\r\n`);
  expect(client.receivedText()).not.toInclude("l5d-");
  client.close();
  pair.settle();
});

test("an application that cannot be reached: 502, and the next request may do better", () => {
  const { kernel, pair } = world();
  const client = pair.outbound.client("outbound", SERVER);
  client.send(GET);
  kernel.runFor(pair.turn, 100);
  expect(client.receivedText()).toStartWith("HTTP/1.1 502 Bad Gateway\r\n");
  client.close();
  kernel.onConnect(APP, (app) => {
    app.onEnd = () => app.close();
    app.onData = () => app.send(OK);
  });
  const next = pair.outbound.client("outbound", SERVER);
  next.send(GET);
  kernel.runFor(pair.turn, 100);
  expect(next.receivedText()).toBe(OK);
  next.close();
  pair.settle();
});

const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n";
const WITHIN: readonly { name: string; response: string; last: string }[] = [
  { name: "of a length", response: "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\npart", last: "" },
  { name: "in chunks", response: CHUNKED, last: "" },
  { name: "with a broken chunk", response: CHUNKED, last: "zz" },
  { name: "with broken trailers", response: CHUNKED, last: "0\r\nx-a : 1\r\n\r\n" },
];

test.each(WITHIN)("a response $name that breaks off never looks whole to the client", ({ response, last }) => {
  const { kernel, pair } = world();
  kernel.onConnect(APP, (app) => {
    app.onEnd = () => app.close();
    app.onData = () => {
      app.send(response);
      kernel.after(20, () => {
        app.send(last);
        app.end();
      });
    };
  });
  const client = pair.outbound.client("outbound", SERVER);
  client.send(GET);
  kernel.runFor(pair.turn, 3000);
  expect(client.receivedText()).toStartWith("HTTP/1.1 200 OK\r\n");
  expect(client.errno).toBe(Errno.ECONNRESET);
  pair.settle();
});

test("a client that goes away takes its request from the application", () => {
  const { kernel, pair } = world();
  let ended = false;
  kernel.onConnect(APP, (app) => {
    app.onFailed = () => {
      ended = true;
    };
    app.onEnd = () => {
      ended = true;
      app.close();
    };
  });
  const client = pair.outbound.client("outbound", SERVER);
  client.send(POST);
  kernel.after(50, () => client.reset());
  kernel.runFor(pair.turn, 200);
  expect(ended).toBe(true);
  pair.settle();
});

test("a request on a connection that its server was closing goes out again", () => {
  const { kernel, pair } = world();
  let requests = 0;
  kernel.onConnect(APP, (app) => {
    app.onEnd = () => app.close();
    app.onData = () => {
      requests += 1;
      if (requests === 2) app.close();
      else app.send(OK);
    };
  });
  const client = pair.outbound.client("outbound", SERVER);
  client.send(GET);
  kernel.runFor(pair.turn, 100);
  client.send(GET);
  kernel.runFor(pair.turn, 100);
  expect(client.receivedText()).toBe(OK + OK);
  expect(requests).toBe(3);
  client.close();
  pair.settle();
});

test("a client that reads slowly holds up its own server and nobody else", () => {
  const { kernel, pair } = world();
  const body = streamBytes(7, 3_000_000);
  const large = Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`), body]);
  let appUnsent = 0;
  kernel.onConnect(APP, (app) => {
    app.onEnd = () => app.close();
    app.onData = () => {
      const isLarge = app.receivedText().endsWith("host: large\r\n\r\n");
      app.send(isLarge ? large : OK);
      if (isLarge) kernel.after(1500, () => (appUnsent = app.unsentBytes));
    };
  });
  const slow = pair.outbound.client("outbound", SERVER);
  slow.readSlowly(2000, 100);
  slow.send("GET / HTTP/1.1\r\nhost: large\r\n\r\n");
  kernel.runFor(pair.turn, 1000);
  const other = pair.outbound.client("outbound", SERVER);
  other.send(GET);
  kernel.runFor(pair.turn, 1000);
  expect(other.receivedText()).toBe(OK);
  // What nobody takes stays with the application but for what the windows and buffers on the way hold.
  expect(appUnsent).toBeGreaterThan(500_000);
  slow.readSlowly(200_000, 1);
  kernel.run(pair.turn, () => slow.receivedBytes === large.length);
  slow.close();
  other.close();
  pair.settle();
});
