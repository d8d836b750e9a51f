import { type FuzzTarget, loadInputs, type Random } from "@bowline/testkit";
import { FieldList, HpackDecoder, HpackEncoder, HpackStep } from "@bowline/wire";
import hpackJs from "hpack.js";

const TABLE_BYTES = 4096;
const LIMITS = { tableBytesMax: TABLE_BYTES, listBytesMax: 2048, fieldsMax: 32 };
const GUARD = 0xa5;
const GUARD_BYTES = 64;

/**
 * The header blocks of one connection, each with its length in two bytes before it: whatever they are, the decoder comes
 * to the same fields wherever they lie and however often they were met, to the fields that an independent decoder
 * finds, keeps to its limits, and finds again what our encoder makes of them.
 */
export const hpackTarget: FuzzTarget = {
  name: "hpack",
  seeds: [...rfcExamples(), ...encoded(), ...loadInputs("hpack").map(({ bytes }) => bytes)],
  words: [
    "82",
    "be",
    "bf",
    "c0",
    "3f e1 1f",
    "20",
    "3f ff ff 7f",
    "40 01 61 01 62",
    "40 01 61 82 1c 3f",
    "00 00 00",
    "10 01 61 01 62",
    "0f 2f 01 61",
    "ff ff ff ff 0f",
    "ff 80 80 80 00",
    "00 01 be",
    "83 ff ff ff",
  ].map((hex) => Uint8Array.fromHex(hex.replaceAll(" ", ""))),
  bytesMax: 2048,
  run: (input, random) => {
    const connection = new Connection(random);
    let trace = "";
    for (let at = 0; at + 2 <= input.length; ) {
      const end = Math.min(input.length, at + 2 + input[at]! * 256 + input[at + 1]!);
      const block = input.subarray(at + 2, end);
      at = end;
      const times = random.chance(0.3) ? random.between(2, 4) : 1;
      for (let i = 0; i < times; i++) {
        const step = connection.receive(block);
        trace += ` ${step}`;
        if (step === HpackStep.CompressionError) return trace;
      }
      trace += connection.summary();
    }
    return trace;
  },
};

class Connection {
  readonly #random: Random;
  readonly #decoder = new HpackDecoder(LIMITS);
  readonly #elsewhere = new HpackDecoder(LIMITS);
  readonly #independent = hpackJs.decompressor.create({ table: { maxSize: TABLE_BYTES } });
  readonly #encoder = new HpackEncoder(TABLE_BYTES);
  readonly #next = new HpackDecoder(LIMITS);
  /** The independent decoder has given up, which it does earlier than we do with large numbers. */
  #alone = false;

  constructor(random: Random) {
    this.#random = random;
    this.#independent.on("error", () => {
      this.#alone = true;
    });
  }

  receive(block: Uint8Array): HpackStep {
    const step = this.#decoder.decode(block, 0, block.length);
    const { fields } = this.#decoder;
    const texts = step === HpackStep.CompressionError ? "" : textsOf(fields);
    this.#decodeElsewhere(block, step, texts);
    if (step === HpackStep.CompressionError) return step;
    if (this.#decoder.table.tableBytes > TABLE_BYTES) throw new Error("the table is larger than was agreed");
    if (fields.count > LIMITS.fieldsMax || fields.listBytes > LIMITS.listBytesMax)
      throw new Error(`${fields.count} fields of ${fields.listBytes} bytes are more than the limits`);
    this.#decodeIndependently(block, step, texts);
    this.#passOn(fields, texts);
    return step;
  }

  summary(): string {
    const { fields, table } = this.#decoder;
    return `:${Math.min(fields.count, 4)}${fields.shared ? "s" : ""}${table.count > 0 ? "t" : ""}`;
  }

  #decodeElsewhere(block: Uint8Array, step: HpackStep, texts: string): void {
    const at = this.#random.between(0, 8);
    const bytes = new Uint8Array(at + block.length + 8).fill(this.#random.between(0, 255));
    bytes.set(block, at);
    const again = this.#elsewhere.decode(bytes, at, at + block.length);
    if (again !== step) throw new Error(`step ${step} in one place, ${again} in another`);
    if (step !== HpackStep.CompressionError && textsOf(this.#elsewhere.fields) !== texts)
      throw new Error("other fields in another place");
  }

  #decodeIndependently(block: Uint8Array, step: HpackStep, texts: string): void {
    if (this.#alone) return;
    this.#independent.write(block);
    this.#independent.execute();
    let found = "";
    for (let field = this.#independent.read(); field !== null; field = this.#independent.read())
      found += lineOf(field.name, field.value, field.neverIndex === true);
    if (!this.#alone && step === HpackStep.Ok && found !== texts)
      throw new Error(`fields differ from the independent decoder's:\n${texts}and its:\n${found}`);
  }

  /** As a proxy does. */
  #passOn(fields: FieldList, texts: string): void {
    if (this.#random.chance(0.1)) this.#encoder.limitTable(this.#random.pick([0, 100, TABLE_BYTES, 65_536]));
    const bytesMax = this.#encoder.blockBytesMax(fields);
    const out = new Uint8Array(bytesMax + GUARD_BYTES).fill(GUARD);
    const end = this.#encoder.encode(fields, out, 0);
    if (end > bytesMax || out.subarray(bytesMax).some((byte) => byte !== GUARD))
      throw new Error(`a block of ${end} bytes where at most ${bytesMax} were announced`);
    const step = this.#next.decode(out, 0, end);
    if (step !== HpackStep.Ok) throw new Error(`our encoder's block is refused: ${out.subarray(0, end).toHex()}`);
    const arrived = textsOf(this.#next.fields);
    if (arrived !== texts) throw new Error(`passed on\n${texts}and arrived\n${arrived}`);
  }
}

function textsOf(fields: FieldList): string {
  let texts = "";
  for (let i = 0; i < fields.count; i++)
    texts += lineOf(fields.nameText(i), fields.valueText(i), fields.neverIndexed(i));
  return texts;
}

function lineOf(name: string, value: string, neverIndexed: boolean): string {
  return `${JSON.stringify(name)}: ${JSON.stringify(value)}${neverIndexed ? " never" : ""}\n`;
}

function framed(blocks: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(blocks.flatMap((block) => [Uint8Array.of(block.length >> 8, block.length & 0xff), block]));
}

/** RFC 7541, appendices C.4 and C.6 (the three requests and responses, Huffman coded), and C.2.3, a secret. */
function rfcExamples(): Uint8Array[] {
  const requests = [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
  ];
  const responses = [
    "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
    "4883640effc1c0bf",
    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
  ];
  const secret = ["100870617373776f726406736563726574"];
  return [requests, responses, secret].map((blocks) => framed(blocks.map((hex) => Uint8Array.fromHex(hex))));
}

/** What our encoder makes of a gRPC call's heads, said twice. */
function encoded(): Uint8Array[] {
  const heads: [string, string][][] = [
    [
      [":method", "POST"],
      [":scheme", "http"],
      [":path", "/emojivoto.v1.EmojiService/ListAll"],
      [":authority", "emoji-svc.emojivoto:8080"],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
      ["grpc-timeout", "4998m"],
    ],
    [
      [":status", "200"],
      ["content-type", "application/grpc"],
    ],
    [
      ["grpc-status", "14"],
      ["grpc-message", "connection%20refused"],
    ],
  ];
  const encoder = new HpackEncoder(TABLE_BYTES);
  const blocks = [...heads, ...heads].map((head) => {
    const fields = new FieldList();
    for (const [name, value] of head) fields.addText(name, value);
    const out = new Uint8Array(encoder.blockBytesMax(fields));
    return out.subarray(0, encoder.encode(fields, out, 0));
  });
  return [framed(blocks)];
}
