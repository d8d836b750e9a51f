import { describe, expect, test } from "bun:test";
import { fieldListOf } from "../field-texts.ts";
import { FieldList } from "../fields.ts";
import { HpackEncoder } from "./encoder.ts";
import { tableTexts } from "./table-texts.ts";

type Field = readonly [string, string];

/** The block as hex, written at an offset, as frames are. */
function encode(encoder: HpackEncoder, fields: FieldList | readonly Field[]): string {
  const list = fields instanceof FieldList ? fields : fieldListOf(fields);
  const out = new Uint8Array(encoder.blockBytesMax(list) + 9);
  return Buffer.from(out.subarray(9, encoder.encode(list, out, 9))).toString("hex");
}

function shared(fields: readonly Field[]): FieldList {
  const list = fieldListOf(fields);
  list.share();
  return list;
}

const times = (count: number, work: () => string): string[] => Array.from({ length: count }, work);

describe("what an encoder writes", () => {
  test("requests of RFC 7541 appendix C.4, byte for byte", () => {
    const encoder = new HpackEncoder(4096);
    const first: Field[] = [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", "/"],
      [":authority", "www.example.com"],
    ];
    expect(encode(encoder, first)).toBe("828684418cf1e3c2e5f23a6ba0ab90f4ff");
    expect(encode(encoder, [...first, ["cache-control", "no-cache"]])).toBe("828684be5886a8eb10649cbf");
    expect(tableTexts(encoder.table)).toEqual(["cache-control: no-cache", ":authority: www.example.com"]);
  });

  test.each<{ name: string; field: Field; blocks: string[] }>([
    {
      name: "what repeats is indexed at once",
      field: ["te", "trailers"],
      blocks: ["40027465864d833505b11f", "be", "be"],
    },
    { name: "other fields on second sight", field: ["x", "1"], blocks: ["0001780131", "4001780131", "be"] },
    { name: "changing fields never", field: ["content-length", "7"], blocks: ["0f0d0137", "0f0d0137", "0f0d0137"] },
    { name: "short secrets never", field: ["cookie", "a=1"], blocks: ["0f1103613d31", "0f1103613d31", "0f1103613d31"] },
    { name: "static fields by their index", field: [":status", "204"], blocks: ["89", "89", "89"] },
  ])("$name", ({ field, blocks }) => {
    const encoder = new HpackEncoder(4096);
    expect(times(3, () => encode(encoder, [field]))).toEqual(blocks);
  });

  test("long secrets on second sight", () => {
    const encoder = new HpackEncoder(4096);
    const sizes = times(3, () => encode(encoder, [["authorization", "Bearer 0123456789abcdef0123456789abcdef"]]));
    expect(sizes[0]).toStartWith("0f08");
    expect(sizes[1]).toStartWith("57");
    expect(sizes[2]).toBe("be");
  });

  test("never-indexed stays so, whatever the tables hold (RFC 7541 §7.1.3)", () => {
    const encoder = new HpackEncoder(4096);
    encode(encoder, [["te", "trailers"]]);
    const list = new FieldList();
    for (const [name, value] of [
      [":method", "GET"],
      ["te", "trailers"],
      ["secret", "1"],
    ] as const) {
      const [nameBytes, valueBytes] = [Buffer.from(name), Buffer.from(value)];
      const id = fieldListOf([[name, value]]).nameId(0);
      list.addRange(id, nameBytes, 0, nameBytes.length, valueBytes, 0, valueBytes.length, true);
    }
    const block = "1203474554 1f2f08747261696c657273 1006736563726574 0131".replaceAll(" ", "");
    expect(times(3, () => encode(encoder, list))).toEqual([block, block, block]);
    expect(tableTexts(encoder.table)).toEqual(["te: trailers"]);
  });

  test("when something would be evicted, also what repeats is indexed on second sight only", () => {
    const encoder = new HpackEncoder(128);
    encode(encoder, [["user-agent", "a-first-one/1"]]);
    encode(encoder, [["user-agent", "another-one/2"]]);
    expect(tableTexts(encoder.table)).toEqual(["user-agent: another-one/2", "user-agent: a-first-one/1"]);
    encode(encoder, [["user-agent", "a-third-one/3"]]);
    expect(tableTexts(encoder.table)).toEqual(["user-agent: another-one/2", "user-agent: a-first-one/1"]);
    encode(encoder, [["user-agent", "a-third-one/3"]]);
    expect(tableTexts(encoder.table)).toEqual(["user-agent: a-third-one/3", "user-agent: another-one/2"]);
  });

  test("a field of more than half the table is not indexed", () => {
    const encoder = new HpackEncoder(4096);
    const field: Field = ["te", "x".repeat(2100)];
    const blocks = times(3, () => encode(encoder, [field]));
    expect(new Set(blocks).size).toBe(1);
    expect(encoder.table.count).toBe(0);
  });

  test("one of many values of a name is found, and another is named by the newest", () => {
    const encoder = new HpackEncoder(4096);
    for (let i = 0; i < 10; i++) for (let n = 0; n < 2; n++) encode(encoder, [["x-shard", `shard-${i}`]]);
    expect(encode(encoder, [["x-shard", "shard-0"]])).toBe("c7");
    expect(encode(encoder, [["x-shard", "~"]])).toBe("0f2f017e");
  });

  test("an index that takes two bytes", () => {
    const encoder = new HpackEncoder(4096);
    encode(encoder, [["te", "trailers"]]);
    for (let i = 0; i < 70; i++) for (let n = 0; n < 2; n++) encode(encoder, [["x", String(i)]]);
    expect(times(2, () => encode(encoder, [["te", "trailers"]]))).toEqual(["ff05", "ff05"]);
  });

  test("entries are numbered on when their number overflows", () => {
    const encoder = new HpackEncoder(4096);
    encoder.table.inserted = 2 ** 31 - 5;
    const blocks = Array.from({ length: 10 }, (_, i) => [
      encode(encoder, [["te", `${i}`]]),
      encode(encoder, [["te", "0"]]),
    ]);
    expect(blocks.map(([, known]) => known)).toEqual(Array.from({ length: 10 }, (_, i) => (0xbe + i).toString(16)));
    expect(tableTexts(encoder.table)).toEqual(Array.from({ length: 10 }, (_, i) => `te: ${9 - i}`));
  });

  test("dropped fields are not written", () => {
    const list = fieldListOf([
      [":method", "GET"],
      ["a", "b"],
      [":path", "/"],
    ]);
    list.drop(1);
    expect(encode(new HpackEncoder(4096), list)).toBe("8284");
  });
});

describe("limitTable (RFC 7541 §4.2)", () => {
  test.each([
    { name: "nothing new", limits: [4096], block: "82" },
    { name: "down", limits: [100], block: "3f4582" },
    { name: "to nothing", limits: [0], block: "2082" },
    { name: "down and up: the smallest, then the last", limits: [64, 2000, 1000], block: "3f213fc90782" },
    { name: "up, beyond what we want", limits: [1 << 30], block: "82" },
    { name: "up and back", limits: [9000, 4096], block: "82" },
  ])("$name", ({ limits, block }) => {
    const encoder = new HpackEncoder(4096);
    for (const limit of limits) encoder.limitTable(limit);
    expect(times(2, () => encode(encoder, [[":method", "GET"]]))).toEqual([block, "82"]);
  });

  test("we use a larger table when the peer allows it, and say so", () => {
    const encoder = new HpackEncoder(8192);
    expect(encode(encoder, [])).toBe("");
    encoder.limitTable(65536);
    expect(encode(encoder, [])).toBe("3fe13f");
  });

  test("a smaller table of our own is said at once", () => {
    expect(encode(new HpackEncoder(0), [[":method", "GET"]])).toBe("2082");
  });
});

describe("shared lists", () => {
  const fields: Field[] = [
    [":method", "POST"],
    ["te", "trailers"],
    ["grpc-timeout", "1S"],
    ["x-a", "b"],
  ];

  test("encode as any list does, again and again", () => {
    const [encoder, other] = [new HpackEncoder(4096), new HpackEncoder(4096)];
    const list = shared(fields);
    expect(times(8, () => encode(encoder, list))).toEqual(times(8, () => encode(other, fields)));
  });

  test("are encoded anew when the table has changed", () => {
    const encoder = new HpackEncoder(4096);
    const list = shared(fields);
    const [settled] = times(6, () => encode(encoder, list)).reverse();
    encode(encoder, [["user-agent", "another"]]);
    const moved = encode(encoder, list);
    expect(moved).not.toBe(settled);
    expect(encode(encoder, fields)).toBe(moved);
    encoder.limitTable(0);
    expect(encode(encoder, list)).toStartWith("2083");
    expect(times(4, () => encode(encoder, list)).every((block) => block.length > 10)).toBe(true);
  });

  test("of one slot do not answer for each other when one is known", () => {
    const encoder = new HpackEncoder(4096);
    const lists = Array.from({ length: 33 }, (_, number) => shared([["content-length", String(number)]]));
    times(4, () => encode(encoder, lists[0]!));
    expect(encode(encoder, lists[32]!)).toBe("0f0d023332");
    expect(encode(encoder, lists[0]!)).toBe("0f0d0130");
  });

  test("of one slot do not answer for each other, and each may go through many encoders", () => {
    const encoders = [4096, 0].map((bytes) => new HpackEncoder(bytes));
    const plain = [4096, 0].map((bytes) => new HpackEncoder(bytes));
    const lists = Array.from({ length: 70 }, (_, number) => shared([["x-number", String(number)]]));
    for (let round = 0; round < 4; round++) {
      for (const [number, list] of lists.entries()) {
        const got = encoders.map((encoder) => encode(encoder, list));
        expect(got).toEqual(plain.map((encoder) => encode(encoder, [["x-number", String(number)]])));
      }
    }
  });
});
