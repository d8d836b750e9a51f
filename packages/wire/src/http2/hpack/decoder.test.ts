import { describe, expect, test } from "bun:test";
import { fieldTexts } from "../field-texts.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackStep } from "./hpack-step.ts";
import { huffmanEncode, huffmanEncodedBytes } from "./huffman.ts";
import { tableTexts } from "./table-texts.ts";

const LIMITS = { tableBytesMax: 4096, listBytesMax: 65536, fieldsMax: 256 };
/** A size update to 256, before the blocks of RFC 7541 appendix C.5 and C.6, whose table is that small. */
const TABLE_OF_256 = "3fe101";

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(" ", ""), "hex");
const ascii = (text: string): string => Buffer.from(text).toString("hex");

/** Decodes a block that lies between bytes nobody may read: they would change the outcome. */
function decode(decoder: HpackDecoder, block: Uint8Array): HpackStep {
  const around = Buffer.concat([Buffer.from([0x82]), block, Buffer.from([0x82, 0x82, 0x82])]);
  return decoder.decode(around, 1, 1 + block.length);
}

describe("examples of RFC 7541 appendix C", () => {
  const first = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
  const requests = {
    lists: [
      first,
      [...first, "cache-control: no-cache"],
      [
        ":method: GET",
        ":scheme: https",
        ":path: /index.html",
        ":authority: www.example.com",
        "custom-key: custom-value",
      ],
    ],
    table: ["custom-key: custom-value", "cache-control: no-cache", ":authority: www.example.com"],
    tableBytes: 164,
  };
  const dated = (time: string): string => `date: Mon, 21 Oct 2013 20:13:${time} GMT`;
  const location = "location: https://www.example.com";
  const cookie = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
  const responses = {
    lists: [
      [":status: 302", "cache-control: private", dated("21"), location],
      [":status: 307", "cache-control: private", dated("21"), location],
      [":status: 200", "cache-control: private", dated("22"), location, "content-encoding: gzip", cookie],
    ],
    table: [cookie, "content-encoding: gzip", dated("22")],
    tableBytes: 215,
  };

  test.each([
    {
      name: "C.2.1 literal with indexing",
      blocks: ["400a637573746f6d2d6b65790d637573746f6d2d686561646572"],
      lists: [["custom-key: custom-header"]],
      table: ["custom-key: custom-header"],
      tableBytes: 55,
    },
    {
      name: "C.2.2 literal without indexing",
      blocks: ["040c2f73616d706c652f70617468"],
      lists: [[":path: /sample/path"]],
      table: [],
      tableBytes: 0,
    },
    {
      name: "C.2.3 literal never indexed",
      blocks: ["100870617373776f726406736563726574"],
      lists: [["!password: secret"]],
      table: [],
      tableBytes: 0,
    },
    { name: "C.2.4 indexed", blocks: ["82"], lists: [[":method: GET"]], table: [], tableBytes: 0 },
    {
      name: "C.3 requests",
      blocks: [
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
      ],
      ...requests,
    },
    {
      name: "C.4 requests with Huffman coding",
      blocks: [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
      ],
      ...requests,
    },
    {
      name: "C.5 responses",
      blocks: [
        `${TABLE_OF_256}4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d`,
        "4803333037c1c0bf",
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
      ],
      ...responses,
    },
    {
      name: "C.6 responses with Huffman coding",
      blocks: [
        `${TABLE_OF_256}488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3`,
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
      ],
      ...responses,
    },
  ])("$name", ({ blocks, lists, table, tableBytes }) => {
    const decoder = new HpackDecoder(LIMITS);
    const got = blocks.map((block) => {
      expect(decode(decoder, hex(block))).toBe(HpackStep.Ok);
      return fieldTexts(decoder.fields);
    });
    expect<unknown>(got).toEqual(lists);
    expect<unknown>(tableTexts(decoder.table)).toEqual(table);
    expect(decoder.table.tableBytes).toBe(tableBytes);
  });
});

describe("blocks a peer may send", () => {
  const long = "v".repeat(4200);
  test.each([
    { name: "nothing", block: "", want: [] },
    { name: "the last static entry", block: "bd", want: ["www-authenticate: "] },
    { name: "a literal with empty name and value", block: "000000", want: [": "] },
    { name: "an empty Huffman-coded string", block: "000161 80", want: ["a: "] },
    { name: "cookie crumbs, which stay apart", block: "600161 600162", want: ["cookie: a", "cookie: b"] },
    { name: "a name by static index, never indexed", block: "1f08 0161", want: ["!authorization: a"] },
    { name: "two size updates", block: "20 3fe11f 82", want: [":method: GET"] },
    { name: "a size update and nothing else", block: "3fe11f", want: [] },
    { name: "an integer with idle continuation bytes", block: "1f88808000 0161", want: ["!authorization: a"] },
    { name: "an entry larger than the table", block: `400161 7fe91f${ascii(long)}`, want: [`a: ${long}`] },
    {
      name: "pseudo-fields after others, for the engine to judge",
      block: "7a0161 82",
      want: ["user-agent: a", ":method: GET"],
    },
    { name: "any bytes in strings, for the engine to judge", block: "00020a00 03ff0d20", want: ["\n\0: \xff\r "] },
  ])("$name", ({ block, want }) => {
    const decoder = new HpackDecoder(LIMITS);
    expect(decode(decoder, hex(block))).toBe(HpackStep.Ok);
    expect<unknown>(fieldTexts(decoder.fields)).toEqual(want);
  });

  test("an index counts from the newest entry, and a new one may be named by what it evicts (RFC 7541 §4.4)", () => {
    const decoder = new HpackDecoder(LIMITS);
    decode(decoder, hex("3f21 400161 0162 400163 0164")); // A table of 64: each entry of 34 evicts the one before.
    expect(tableTexts(decoder.table)).toEqual(["c: d"]);
    expect(decode(decoder, hex("7e0165 be"))).toBe(HpackStep.Ok);
    expect(fieldTexts(decoder.fields)).toEqual(["c: e", "c: e"]);
    expect(tableTexts(decoder.table)).toEqual(["c: e"]);
  });

  test("a field decoded before its entry is evicted stays what it was", () => {
    const decoder = new HpackDecoder(LIMITS);
    decode(decoder, hex("3f21 400161 0162"));
    const filler = `00016b 7f811f${ascii("x".repeat(4096))}`;
    expect(decode(decoder, hex(`be 400163 0164 ${filler} be`))).toBe(HpackStep.Ok);
    const texts = fieldTexts(decoder.fields);
    expect([texts[0], texts[1], texts[3]]).toEqual(["a: b", "c: d", "c: d"]);
    expect(texts[2]).toBe(`k: ${"x".repeat(4096)}`);
  });

  test("an entry larger than the table empties it (RFC 7541 §4.4)", () => {
    const decoder = new HpackDecoder(LIMITS);
    decode(decoder, hex("400161 0162"));
    decode(decoder, hex(`400161 7fe91f${ascii(long)}`));
    expect(tableTexts(decoder.table)).toEqual([]);
    expect(decode(decoder, hex("be"))).toBe(HpackStep.CompressionError);
  });

  test("a size update evicts, and the table grows again after it", () => {
    const decoder = new HpackDecoder(LIMITS);
    decode(decoder, hex("400161 0162 400163 0164"));
    decode(decoder, hex("3f21 3fe11f"));
    expect(tableTexts(decoder.table)).toEqual(["c: d"]);
    decode(decoder, hex("400165 0166"));
    expect(tableTexts(decoder.table)).toEqual(["e: f", "c: d"]);
  });
});

describe("compression errors (RFC 7541, RFC 9113 §4.3)", () => {
  test.each([
    { name: "index 0 (§6.1)", block: "80" },
    { name: "an index beyond the tables (§2.3.3)", block: "be" },
    { name: "an index far beyond the tables", block: "ffffffff07" },
    { name: "a name index beyond the tables", block: "7e0161" },
    { name: "a name index beyond the tables, without indexing", block: "0f2f0161" },
    { name: "an index beyond the tables after an insertion", block: "400161 0162 bf" },
    { name: "a cut index", block: "ff" },
    { name: "a cut index after continuation", block: "ff80" },
    { name: "an integer without end (§5.1)", block: "ff8080808080808080808000" },
    { name: "an integer of six continuation bytes", block: "1f888080808000 0161" },
    { name: "an integer that overflows 32 bits", block: "ffffffffff0f" },
    { name: "an integer that overflows 64 bits", block: "ff80ffffffffffffffff7f" },
    { name: "no name", block: "40" },
    { name: "a cut name", block: "400361 61" },
    { name: "no value", block: "400161" },
    { name: "no value after an indexed name", block: "44" },
    { name: "a cut value", block: "40016103 6161" },
    { name: "a value as long as memory", block: "4001617fffffff7f61" },
    { name: "a cut length", block: "4001617f" },
    { name: "Huffman padding longer than 7 bits (§5.2)", block: "400161821fff" },
    { name: "Huffman padding that is not all ones", block: "400161811e" },
    { name: "EOS in a string", block: "40016184ffffffff" },
    { name: "bad padding in a name", block: "40811e0161" },
    { name: "bad padding in a never-indexed literal", block: "100161811e" },
    { name: "a size update above the limit (§6.3)", block: "3fe21f" },
    { name: "a size update far above the limit", block: "3fffffff0782" },
    { name: "a cut size update", block: "3fe1" },
    { name: "a size update behind a field (§4.2)", block: "8220" },
    { name: "a size update at the end", block: "400161 0162 3fe11f" },
  ])("$name", ({ block }) => {
    const decoder = new HpackDecoder(LIMITS);
    expect(decode(decoder, hex(block))).toBe(HpackStep.CompressionError);
    const inTheMidst = new HpackDecoder(LIMITS);
    const prefix = block.startsWith("3f") ? "" : "828684";
    expect(decode(inTheMidst, hex(prefix + block))).toBe(HpackStep.CompressionError);
  });

  test("every cut through a block of all representations is an error, or ends between two fields", () => {
    const fields = ["3fe10f", "82", "410161", "400161 0162", "040161", "1f08 0161", "be", "7e826402"];
    const blocks = fields.map((field) => hex(field));
    const whole = Buffer.concat(blocks);
    const ends = new Set(blocks.map((_, count) => Buffer.concat(blocks.slice(0, count)).length).concat(whole.length));
    for (let end = 0; end <= whole.length; end++) {
      const step = decode(new HpackDecoder(LIMITS), whole.subarray(0, end));
      expect([end, step]).toEqual([end, ends.has(end) ? HpackStep.Ok : HpackStep.CompressionError]);
    }
  });
});

describe("our own table limit", () => {
  test("above the default: the table grows only when the peer says so", () => {
    const decoder = new HpackDecoder({ ...LIMITS, tableBytesMax: 8192 });
    expect(decoder.table.tableBytesMax).toBe(4096);
    expect(decode(decoder, hex("3fe13f"))).toBe(HpackStep.Ok);
    expect(decoder.table.tableBytesMax).toBe(8192);
    expect(decode(decoder, hex("3fe23f"))).toBe(HpackStep.CompressionError);
  });

  test("below the default: the default counts until the peer has acknowledged", () => {
    const decoder = new HpackDecoder({ ...LIMITS, tableBytesMax: 0 });
    expect(decode(decoder, hex("3fe11f 400161 0162"))).toBe(HpackStep.Ok);
    expect(tableTexts(decoder.table)).toEqual(["a: b"]);
  });

  test.each([
    { name: "no update", block: "82", want: HpackStep.CompressionError },
    { name: "an update that is too large", block: "3fe11f 82", want: HpackStep.CompressionError },
    { name: "an update to the limit", block: "20 82", want: HpackStep.Ok },
  ])("below the default, acknowledged, and then $name (§4.2)", ({ block, want }) => {
    const decoder = new HpackDecoder({ ...LIMITS, tableBytesMax: 0 });
    // Often enough that the block would be known: the rule counts all the same.
    for (let i = 0; i < 3; i++) expect(decode(decoder, hex("82"))).toBe(HpackStep.Ok);
    decoder.settingsAcknowledged();
    expect(decode(decoder, hex(block))).toBe(want);
  });

  test("no update is due when the table is within the limit already", () => {
    const decoder = new HpackDecoder({ ...LIMITS, tableBytesMax: 100 });
    expect(decode(decoder, hex("3f21"))).toBe(HpackStep.Ok);
    decoder.settingsAcknowledged();
    expect(decode(decoder, hex("82"))).toBe(HpackStep.Ok);
  });
});

describe("list limits", () => {
  test.each([
    { name: "as many fields as allowed", block: "828282", want: HpackStep.Ok, kept: 3 },
    { name: "one field too many", block: "82828282", want: HpackStep.ListTooLarge, kept: 3 },
    { name: "as many bytes as allowed", block: `000161 3f${ascii("x".repeat(63))} 82`, want: HpackStep.Ok, kept: 2 },
    { name: "one byte too many", block: `000161 40${ascii("x".repeat(64))} 82`, want: HpackStep.ListTooLarge, kept: 1 },
    {
      name: "one field of too many bytes",
      block: `000161 7f50${ascii("x".repeat(207))}`,
      want: HpackStep.ListTooLarge,
      kept: 0,
    },
  ])("$name", ({ block, want, kept }) => {
    // 96 for "a" with 63 bytes, 42 for :method GET.
    const decoder = new HpackDecoder({ ...LIMITS, fieldsMax: 3, listBytesMax: 96 + 42 });
    expect(decode(decoder, hex(block))).toBe(want);
    expect(decoder.fields.count).toBe(kept);
  });

  test("the table follows what comes behind the limit", () => {
    const decoder = new HpackDecoder({ ...LIMITS, fieldsMax: 1 });
    expect(decode(decoder, hex("82 400161 0162 7e0163 000161 0164"))).toBe(HpackStep.ListTooLarge);
    expect(tableTexts(decoder.table)).toEqual(["a: c", "a: b"]);
    expect(decode(decoder, hex("bf"))).toBe(HpackStep.Ok);
    expect(fieldTexts(decoder.fields)).toEqual(["a: b"]);
  });

  test("errors behind the limit are errors, in large strings too", () => {
    const blocks = ["82 82 80", "82 82 400161811e", `82 82 000161 ffe13f${"ff".repeat(8288)}`];
    for (const block of blocks) {
      const decoder = new HpackDecoder({ ...LIMITS, fieldsMax: 1 });
      expect(decode(decoder, hex(block))).toBe(HpackStep.CompressionError);
    }
  });

  test("a huge Huffman-coded literal counts as decoded, and evicts as decoded", () => {
    const text = Buffer.from("0".repeat(70_000));
    const coded = new Uint8Array(huffmanEncodedBytes(text, 0, text.length));
    huffmanEncode(text, 0, text.length, coded, 0);
    expect(coded.length).toBe(43_750);
    const decoder = new HpackDecoder(LIMITS);
    decode(decoder, hex("400161 0162"));
    const before = decoder.table.bytes.length;
    expect(decode(decoder, Buffer.concat([hex("400163 ffe7d402"), coded]))).toBe(HpackStep.ListTooLarge);
    expect(tableTexts(decoder.table)).toEqual([]);
    expect(decoder.table.bytes.length).toBe(before);
  });
});
