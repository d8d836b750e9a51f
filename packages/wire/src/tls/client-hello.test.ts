import { describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { type ConnectionOptions, connect } from "node:tls";
import fc from "fast-check";
import { ClientHello, HELLO_BYTES_MAX, HelloStep, readClientHello } from "./client-hello.ts";

const AT = 9;

type Answer = [step: string, sni: string | null];

function read(bytes: Uint8Array, poison = 0, length = bytes.length): Answer {
  const buf = new Uint8Array(AT + length + 8).fill(poison);
  buf.set(bytes.subarray(0, length), AT);
  const hello = new ClientHello();
  const step = readClientHello(buf, AT, AT + length, hello);
  const name = hello.sniLength < 0 ? null : Buffer.from(hello.sniBytes.subarray(0, hello.sniLength)).toString("latin1");
  return [Object.keys(HelloStep)[step]!, name];
}

/** Any proper beginning says NeedMore, whatever stands behind it. */
function expectNeedsEveryByte(bytes: Uint8Array): void {
  for (let length = 0; length < bytes.length; length++) {
    expect(read(bytes, 0xff, length)).toEqual(["NeedMore", null]);
    expect(read(bytes, 0, length)).toEqual(["NeedMore", null]);
  }
}

function u16(value: number): number[] {
  return [value >> 8, value & 0xff];
}

function u24(value: number): number[] {
  return [value >> 16, ...u16(value & 0xffff)];
}

function filled(count: number, byte: number): number[] {
  return Array.from({ length: count }, () => byte);
}

function extension(type: number, body: readonly number[]): number[] {
  return [...u16(type), ...u16(body.length), ...body];
}

function serverName(name: string, type = 0): number[] {
  const entry = [type, ...u16(name.length), ...Buffer.from(name, "latin1")];
  return extension(0, [...u16(entry.length), ...entry]);
}

/** A ClientHello message without its record. */
function message(extensions: readonly number[] | null, suites: readonly number[] = [0x13, 0x01]): number[] {
  const body = [3, 3, ...filled(32, 0xaa), 0, ...u16(suites.length), ...suites, 1, 0];
  if (extensions !== null) body.push(...u16(extensions.length), ...extensions);
  return [1, ...u24(body.length), ...body];
}

/** The message in records of at most `recordBytes`. */
function records(bytes: readonly number[], recordBytes = 16_384): Uint8Array {
  const out: number[] = [];
  for (let at = 0; at < bytes.length; at += recordBytes) {
    const part = bytes.slice(at, at + recordBytes);
    out.push(22, 3, 1, ...u16(part.length), ...part);
  }
  return Uint8Array.from(out);
}

/** The key share of X25519MLKEM768 (1,216 bytes) with an X25519 one: what browsers and OpenSSL 3.5 send. */
const POST_QUANTUM = [
  ...extension(51, [
    ...u16(1256),
    ...u16(0x11ec),
    ...u16(1216),
    ...filled(1216, 7),
    ...u16(29),
    ...u16(32),
    ...filled(32, 9),
  ]),
  ...extension(0xfe0d, filled(300, 1)),
];

/** The first bytes a real TLS client sends. */
async function realHello(options: ConnectionOptions): Promise<Uint8Array> {
  const first = Promise.withResolvers<Uint8Array>();
  const server = createServer((socket) => {
    const parts: Buffer[] = [];
    socket.on("data", (part) => {
      parts.push(typeof part === "string" ? Buffer.from(part) : part);
      const all = Buffer.concat(parts);
      if (all.length < 5 || all.length < 5 + all.readUInt16BE(3)) return;
      first.resolve(Uint8Array.from(all));
      socket.destroy();
    });
    socket.on("error", () => socket.destroy());
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", () => listening.resolve());
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const client = connect({ ...options, host: "127.0.0.1", port: address.port, rejectUnauthorized: false });
  // The server hangs up in mid-handshake; that is an error to the client and all we wanted.
  client.on("error", () => client.destroy());
  try {
    return await first.promise;
  } finally {
    client.destroy();
    server.close();
  }
}

describe("real hellos", () => {
  test.each([
    ["TLS 1.3", { servername: "web.emojivoto.svc.cluster.local" }, "web.emojivoto.svc.cluster.local"],
    ["TLS 1.2", { servername: "a.example", maxVersion: "TLSv1.2" } as const, "a.example"],
    ["with ALPN", { servername: "b.example", ALPNProtocols: ["h2", "http/1.1"] }, "b.example"],
    ["without a name", { servername: "" }, null],
  ])("%s", async (_name, options, want) => {
    const bytes = await realHello(options);
    expect(read(bytes)).toEqual(["Ok", want]);
    expectNeedsEveryByte(bytes);
  });
});

describe("built hellos", () => {
  test("post-quantum, 1.7 KB", () => {
    const bytes = records(message([...POST_QUANTUM, ...serverName("pq.example")]));
    expect(bytes.length).toBeGreaterThan(1600);
    expect(read(bytes)).toEqual(["Ok", "pq.example"]);
    expectNeedsEveryByte(bytes);
  });

  test.each([1, 2, 3, 7, 100, 1000])("cut into records of %i bytes, through the name too", (recordBytes) => {
    const bytes = records(
      message([...serverName("fragmented.example"), ...extension(16, [0, 3, 2, 104, 50])]),
      recordBytes,
    );
    expect(read(bytes)).toEqual(["Ok", "fragmented.example"]);
    expectNeedsEveryByte(bytes);
  });

  test.each([
    ["no extensions at all", message(null), null],
    ["no extensions in the list", message([]), null],
    ["name first of several extensions", message([...serverName("a"), ...extension(10, [0, 2, 0, 29])]), "a"],
    ["a name of another type", message(serverName("a", 1)), null],
    ["an empty name", message(serverName("")), null],
    ["a name of 255 bytes", message(serverName("n".repeat(255))), "n".repeat(255)],
    ["a name of 256 bytes", message(serverName("n".repeat(256))), null],
    ["a name with a control byte", message(serverName("a\nb")), null],
    ["a name that is no ASCII", message(serverName("\xe9")), null],
  ])("%s", (_name, hello, want) => {
    expect(read(records(hello))).toEqual(["Ok", want]);
  });

  test("bytes behind the hello do not matter", () => {
    const bytes = records([...message(serverName("a")), 1, 2, 3]);
    expect(read(Uint8Array.from([...bytes, 20, 3, 3, 0, 1, 1]))).toEqual(["Ok", "a"]);
  });

  test("a hello beyond the bound is TLS without a name", () => {
    const large = message([...extension(21, filled(HELLO_BYTES_MAX, 0)), ...serverName("late")]);
    const bytes = records(large);
    expect(read(bytes)).toEqual(["Ok", null]);
    expect(read(bytes, 0, HELLO_BYTES_MAX - 1)).toEqual(["NeedMore", null]);
    expect(read(bytes, 0, HELLO_BYTES_MAX)).toEqual(["Ok", null]);
  });
});

describe("not TLS", () => {
  const good = message(serverName("a"));
  const patched = (at: number, ...bytes: number[]): Uint8Array => {
    const copy = records(good);
    copy.set(bytes, at);
    return copy;
  };
  test.each([
    ["another record type", patched(0, 23)],
    ["another major version", patched(1, 2)],
    ["minor version 0", patched(2, 0)],
    ["minor version 4", patched(2, 4)],
    ["an empty record", patched(3, 0, 0)],
    ["a record too large", patched(3, 0x40, 0x01)],
    ["a ServerHello", patched(5, 2)],
    ["client version 2", patched(9, 2)],
    ["a session id of 33 bytes", patched(43, 33)],
    ["no cipher suites", records(message([], []))],
    ["half a cipher suite", records(message([], [0x13]))],
    ["cipher suites past the end", patched(44, 0xff, 0xfe)],
    ["no compression methods", patched(48, 0)],
    ["extensions past the end", patched(50, 0xff)],
    ["a hello of 10 bytes", records([1, ...u24(10), ...filled(10, 3)])],
    ["half an extension", records(message([0, 0, 0]))],
    ["an extension past the end", records(message([0, 10, 0, 9, 1]))],
    ["a name list past its extension", records(message(extension(0, [0, 9, 0, 0, 1, 97])))],
    ["a name past its list", records(message(extension(0, [0, 4, 0, 0, 9, 97])))],
    ["half a name entry", records(message(extension(0, [0, 2, 0, 0])))],
    ["plain text", Uint8Array.from(Buffer.from("GET / HTTP/1.1\r\n"))],
  ])("%s", (_name, bytes) => {
    expect(read(bytes)).toEqual(["NotTls", null]);
    // No beginning is taken for a hello with a name, and once refused it stays so.
    let refused = false;
    for (let length = 0; length <= bytes.length; length++) {
      const step = read(bytes, 0, length)[0];
      if (refused) expect(step).toBe("NotTls");
      refused = step === "NotTls";
    }
    expect(refused).toBe(true);
  });

  test("any bytes give a step, the same whatever stands behind them", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 80 }),
        fc.nat(100),
        fc.integer({ min: 1, max: 60 }),
        (noise, at, recordBytes) => {
          const hello = records(message(serverName("name.example")), recordBytes);
          hello.set(noise.subarray(0, Math.max(0, hello.length - at)), Math.min(at, hello.length));
          for (const bytes of [noise, hello]) expect(read(bytes, 0)).toEqual(read(bytes, 0xff));
        },
      ),
      { numRuns: 300 },
    );
  });
});
