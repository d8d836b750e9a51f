import { describe, expect, test } from "bun:test";
import { fieldTexts } from "../field-texts.ts";
import type { FieldList } from "../fields.ts";
import { blockHash } from "./decoded-blocks.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackStep } from "./hpack-step.ts";

const LIMITS = { tableBytesMax: 4096, listBytesMax: 65536, fieldsMax: 256 };
const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(" ", ""), "hex");

function decode(decoder: HpackDecoder, block: string | Uint8Array): FieldList {
  const bytes = typeof block === "string" ? hex(block) : block;
  expect(decoder.decode(bytes, 0, bytes.length)).toBe(HpackStep.Ok);
  return decoder.fields;
}

/** A block of one literal, different for each number. */
const numbered = (number: number): Uint8Array => Buffer.from(`\0\x01n\x06${String(number).padStart(6, "0")}`, "latin1");

describe("a decoder's memory of blocks", () => {
  test.each([
    { name: "indexed fields", block: "828684" },
    { name: "a literal without indexing", block: "82 000161 0162" },
    { name: "a literal named by index", block: "040161" },
    { name: "references to the dynamic table", block: "82be" },
  ])("from the second time on a block is the same shared list: $name", ({ block }) => {
    const decoder = new HpackDecoder(LIMITS);
    decode(decoder, "400161 0162");
    const first = decode(decoder, block);
    expect(first.shared).toBe(false);
    const texts = fieldTexts(first);
    const second = decode(decoder, block);
    expect(second.shared).toBe(true);
    expect(fieldTexts(second)).toEqual(texts);
    second.plan = { parsed: true };
    decode(decoder, "83");
    expect(decode(decoder, block)).toBe(second);
  });

  test.each([
    { name: "an insertion", block: "400161 0162" },
    { name: "a never-indexed literal", block: "100161 0162" },
    { name: "a size update", block: "3fe11f 82" },
  ])("never of a block with $name", ({ block }) => {
    const decoder = new HpackDecoder(LIMITS);
    for (let i = 0; i < 4; i++) expect(decode(decoder, block).shared).toBe(false);
  });

  test.each([
    { name: "by index", block: "be", before: "a: b", after: "c: d" },
    { name: "as a name", block: "0f2f 0165", before: "a: e", after: "c: e" },
    { name: "by an index of two bytes", block: "ff00", before: "a: e", after: "a: b" },
  ])("the same bytes mean something else when the table has changed: $name", ({ block, before, after }) => {
    const decoder = new HpackDecoder(LIMITS);
    decode(decoder, "400161 0165");
    for (let i = 0; i < 65; i++) decode(decoder, "400161 0162");
    const [known] = [1, 2, 3].map(() => decode(decoder, block)).reverse();
    decode(decoder, "400163 0164");
    const [anew] = [1, 2, 3].map(() => decode(decoder, block)).reverse();
    expect(known).not.toBe(anew);
    expect([fieldTexts(known!), fieldTexts(anew!)]).toEqual([[before], [after]]);
    decode(decoder, "20 3fe11f");
    expect(decoder.decode(hex(block), 0, hex(block).length)).toBe(HpackStep.CompressionError);
  });

  test("what does not depend on the table stays known when that changes", () => {
    const decoder = new HpackDecoder(LIMITS);
    const known = [1, 2].map(() => decode(decoder, "8287"))[1]!;
    decode(decoder, "400161 0162");
    expect(decode(decoder, "8287")).toBe(known);
  });

  test("a list stays what it was after it fell out, and is not used for another", () => {
    const decoder = new HpackDecoder(LIMITS);
    const held = [1, 2].map(() => decode(decoder, numbered(0)))[1]!;
    const met = new Set<FieldList>([held]);
    for (let number = 1; number < 600; number++) {
      for (let i = 0; i < 10; i++) {
        const list = decode(decoder, numbered(number));
        if (list.shared) met.add(list);
      }
    }
    expect(met.size).toBeGreaterThan(300);
    expect(fieldTexts(held)).toEqual(["n: 000000"]);
    expect(new Set([...met].map((list) => fieldTexts(list)[0])).size).toBe(met.size);
  });
});

describe("a peer that wants us to keep much", () => {
  /** Lists that two rounds over the same blocks give alike are the ones kept. */
  function keptOf(decoder: HpackDecoder, blocks: readonly Uint8Array[]): FieldList[] {
    const once = blocks.map((block) => decode(decoder, block));
    const twice = blocks.map((block) => decode(decoder, block));
    return twice.filter((list, place) => list.shared && once[place] === list);
  }

  test("has few lists and bytes kept", () => {
    const decoder = new HpackDecoder(LIMITS);
    const block = (number: number): Uint8Array =>
      Buffer.concat([numbered(number), hex("00017a 7fff01"), Buffer.alloc(382, 0x7a)]);
    const blocks = Array.from({ length: 64 }, (_, number) => block(number));
    for (const each of blocks) for (let i = 0; i < 20; i++) decode(decoder, each);
    const kept = keptOf(decoder, blocks);
    const bytes = kept.reduce((sum, list) => sum + list.bytes.length + list.entries.length * 4, 0);
    expect(kept.length).toBeGreaterThan(4);
    expect(kept.length).toBeLessThanOrEqual(32);
    expect(bytes).toBeLessThanOrEqual(16 * 1024);
  });

  test.each([
    { name: "a long block", block: Buffer.concat([hex("00017a 7fff03"), Buffer.alloc(638, 0x7a)]) },
    { name: "a small block that stands for a long list", block: Buffer.alloc(100, 0x82) },
  ])("gets nothing kept of $name", ({ block }) => {
    const decoder = new HpackDecoder(LIMITS);
    for (let i = 0; i < 4; i++) expect(decode(decoder, block).shared).toBe(false);
  });

  test("and sends different blocks of one hash gets the right list for each", () => {
    const byHash = new Map<number, Uint8Array>();
    let pair: Uint8Array[] = [];
    for (let number = 0; pair.length === 0 && number < 1_000_000; number++) {
      const block = numbered(number);
      const hash = blockHash(block, 0, block.length);
      const other = byHash.get(hash);
      if (other !== undefined) pair = [other, block];
      byHash.set(hash, block);
    }
    expect(pair.length).toBe(2);
    const decoder = new HpackDecoder(LIMITS);
    for (const block of [...pair, ...pair, ...pair]) {
      expect(fieldTexts(decode(decoder, block))).toEqual([`n: ${Buffer.from(block.subarray(4)).toString()}`]);
    }
  });

  test("and never repeats itself gets nothing kept", () => {
    const decoder = new HpackDecoder(LIMITS);
    let shared = 0;
    for (let number = 0; number < 2000; number++) if (decode(decoder, numbered(number)).shared) shared++;
    expect(shared).toBe(0);
  });

  test("and repeats each block once gets every eighth block kept at most, after the first few", () => {
    const decoder = new HpackDecoder(LIMITS);
    let kept = 0;
    const blocks = 4000;
    for (let number = 0; number < blocks / 2; number++) {
      for (let i = 0; i < 2; i++) if (decode(decoder, numbered(number)).shared) kept++;
    }
    expect(kept).toBeGreaterThan(blocks / 16);
    expect(kept).toBeLessThanOrEqual(blocks / 8 + 8);
  });
});
