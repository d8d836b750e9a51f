import { randomInt } from "node:crypto";
import { connect, isIP } from "node:net";
import { type DecodedPacket, decode, encode, type Packet, RECURSION_DESIRED, type RecordType } from "dns-packet";
import { OPT } from "./edns.ts";

export interface NameServer {
  readonly ip: string;
  readonly port: number;
}

const PORT = 53;

/** `IP`, `IP:PORT` or `[IP]:PORT`, as `dns.getServers()` has them. Throws when it is none of these. */
export function parseNameServer(text: string): NameServer {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
  const ip = isIP(text) === 0 ? (bracketed ?? plain ?? "") : text;
  if (isIP(ip) === 0) throw new Error(`${text} is not a name server's address`);
  return { ip, port: port === undefined ? PORT : Number(port) };
}

/**
 * Asks one server one question, by UDP and, when the answer did not fit, by TCP. Rejects when there is no answer within
 * `timeoutMs` each.
 */
export async function askServer(
  server: NameServer,
  name: string,
  type: string,
  timeoutMs: number,
): Promise<DecodedPacket> {
  const query: Packet = {
    type: "query",
    // Hard to guess, like the port: answers could come from anybody.
    id: randomInt(0x1_0000),
    flags: RECURSION_DESIRED,
    questions: [{ name, type: type as RecordType }],
    additionals: [OPT],
  };
  const answer = await byUdp(server, query, timeoutMs);
  return answer.flag_tc ? byTcp(server, query, timeoutMs) : answer;
}

async function byUdp({ ip, port }: NameServer, query: Packet, timeoutMs: number): Promise<DecodedPacket> {
  const { promise, resolve, reject } = Promise.withResolvers<DecodedPacket>();
  const socket = await Bun.udpSocket({
    connect: { hostname: ip, port },
    socket: {
      data: (_socket, bytes) => {
        const packet = answerTo(query, bytes);
        if (packet !== undefined) resolve(packet);
      },
      error: (_socket, error) => reject(error),
    },
  });
  const timer = setTimeout(() => reject(new Error(`${ip} does not answer`)), timeoutMs);
  try {
    socket.send(encode(query));
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}

async function byTcp({ ip, port }: NameServer, query: Packet, timeoutMs: number): Promise<DecodedPacket> {
  const socket = connect({ host: ip, port, timeout: timeoutMs });
  socket.on("timeout", () => socket.destroy(new Error(`${ip} does not answer`)));
  const message = encode(query);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length, 0);
  socket.write(Buffer.concat([length, message]));
  let unread: Buffer = Buffer.alloc(0);
  // Leaving the loop destroys the socket.
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    unread = Buffer.concat([unread, chunk]);
    if (unread.length < 2 || unread.length < 2 + unread.readUInt16BE(0)) continue;
    const packet = answerTo(query, unread.subarray(2, 2 + unread.readUInt16BE(0)));
    if (packet === undefined) break;
    return packet;
  }
  throw new Error(`${ip} gives no answer`);
}

/** Undefined when the bytes are not the answer to that question. */
function answerTo(query: Packet, bytes: Buffer): DecodedPacket | undefined {
  const [asked] = query.questions ?? [];
  try {
    const packet = decode(bytes);
    const [question] = packet.questions ?? [];
    const fits = question?.name.toLowerCase() === asked?.name.toLowerCase() && question?.type === asked?.type;
    return packet.flag_qr && packet.id === query.id && fits ? packet : undefined;
  } catch {
    // Not DNS at all; the right answer may still come.
    return undefined;
  }
}
