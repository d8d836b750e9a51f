import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  type DecodedPacket,
  decode,
  encode,
  type Question,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from "dns-packet";
import type { ClusterZone } from "./cluster-zone.ts";
import { OPT, UDP_BYTES_MAX } from "./edns.ts";
import type { Upstream } from "./upstream.ts";

export interface ResponderOptions {
  readonly zone: ClusterZone;
  readonly upstream: Upstream;
}

const HEADER_BYTES = 12;
/** Without EDNS (RFC 1035 §4.2.1), and the least that EDNS may say. */
const UDP_BYTES_MIN = 512;
const TCP_BYTES_MAX = 65_535;
/** Aliases of aliases; a loop of them ends there. */
const ALIASES_MAX = 8;

const OPCODE_QUERY = 0;
/** RFC 1035 §4.1.1. */
const Rcode = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4 } as const;
type RcodeName = keyof typeof Rcode;

interface Reply {
  readonly rcode: RcodeName;
  readonly authoritative: boolean;
  readonly answers: readonly Answer[];
  readonly additionals: readonly Answer[];
}

/**
 * The response to a query in wire format, undefined to what is not even a query. Of what does not fit a datagram some
 * records are sent, marked as truncated, for the client to ask again by TCP.
 */
export async function respond(
  { zone, upstream }: ResponderOptions,
  message: Uint8Array,
  transport: "udp" | "tcp",
): Promise<Uint8Array | undefined> {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
  if (bytes.length < HEADER_BYTES || isResponse(bytes)) return undefined;
  if (opcodeOf(bytes) !== OPCODE_QUERY) return bareResponse(bytes, "NOTIMP");
  const query = tryDecode(bytes);
  if (query === undefined) return bareResponse(bytes, "FORMERR");
  const [question, ...more] = query.questions ?? [];
  if (question === undefined || more.length > 0) return bareResponse(bytes, "FORMERR");
  const reply = await answer(zone, upstream, question);
  try {
    return fit(zone, query, question, reply, transport);
  } catch {
    // A name that somebody put into an object, or that came from outside, and that no packet can have.
    return bareResponse(bytes, "SERVFAIL");
  }
}

async function answer(zone: ClusterZone, upstream: Upstream, { name, type }: Question): Promise<Reply> {
  const answers: Answer[] = [];
  let wanted = name.toLowerCase().replace(/\.$/, "");
  for (let hops = 0; hops < ALIASES_MAX; hops++) {
    const ours = zone.answer(wanted, type);
    if (ours === undefined) {
      const { rcode, answers: theirs } = await upstream.resolve(wanted, type);
      return { rcode, authoritative: hops > 0, answers: [...answers, ...theirs], additionals: [] };
    }
    answers.push(...ours.answers);
    if (ours.alias === undefined) {
      return { rcode: ours.rcode, authoritative: true, answers, additionals: ours.additionals };
    }
    wanted = ours.alias;
  }
  return { rcode: "SERVFAIL", authoritative: true, answers: [], additionals: [] };
}

function fit(
  zone: ClusterZone,
  query: DecodedPacket,
  question: Question,
  reply: Reply,
  transport: "udp" | "tcp",
): Uint8Array {
  const edns = query.additionals?.find((record) => record.type === "OPT");
  const asked = edns === undefined ? 0 : edns.udpPayloadSize;
  const bytesMax = transport === "tcp" ? TCP_BYTES_MAX : Math.max(UDP_BYTES_MIN, Math.min(asked, UDP_BYTES_MAX));
  // The name as it was asked for: some resolvers check that its letters come back in the same case.
  const lower = question.name.toLowerCase();
  const answers = reply.answers.map((record) => (record.name === lower ? { ...record, name: question.name } : record));
  const build = (count: number, rest: boolean): Uint8Array =>
    encode({
      type: "response",
      id: query.id ?? 0,
      flags:
        Rcode[reply.rcode] |
        RECURSION_AVAILABLE |
        ((query.flags ?? 0) & RECURSION_DESIRED) |
        (reply.authoritative ? AUTHORITATIVE_ANSWER : 0) |
        (count < answers.length ? TRUNCATED_RESPONSE : 0),
      questions: [question],
      answers: answers.slice(0, count),
      authorities: reply.authoritative && answers.length === 0 ? [zone.soa()] : [],
      additionals: [...(rest ? reply.additionals : []), ...(edns === undefined ? [] : [OPT])],
    });
  const whole = build(answers.length, true);
  if (whole.length <= bytesMax) return whole;
  for (let count = answers.length; count > 0; count--) {
    const part = build(count, false);
    if (part.length <= bytesMax) return part;
  }
  return build(0, false);
}

function tryDecode(bytes: Buffer): DecodedPacket | undefined {
  try {
    return decode(bytes);
  } catch {
    // The peer's fault, whatever it is; it is told so by the response code.
    return undefined;
  }
}

function opcodeOf(bytes: Buffer): number {
  return (bytes.readUInt8(2) >> 3) & 0x0f;
}

function isResponse(bytes: Buffer): boolean {
  return (bytes.readUInt8(2) & 0x80) !== 0;
}

/** The header alone, with the query's id, opcode and RD. */
function bareResponse(query: Buffer, rcode: RcodeName): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  header.writeUInt8(0x80 | (query.readUInt8(2) & 0x79), 2);
  header.writeUInt8(0x80 | Rcode[rcode], 3);
  return header;
}
