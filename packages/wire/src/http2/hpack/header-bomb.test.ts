import { describe, expect, test } from "bun:test";
import { HpackDecoder } from "./decoder.ts";
import { HpackStep } from "./hpack-step.ts";

const LIMITS = { tableBytesMax: 4096, listBytesMax: 65536, fieldsMax: 256 };
const BLOCK_BYTES = 64 * 1024;

/** A decoder whose table holds one entry of 4 KiB, the most there is room for. */
function armed(limits: typeof LIMITS): HpackDecoder {
  const decoder = new HpackDecoder(limits);
  const valueBytes = 4096 - 32 - 1;
  const entry = Buffer.concat([
    Buffer.from([0x40, 1, 0x61, 0x7f, 0x80 | ((valueBytes - 127) & 127), (valueBytes - 127) >> 7]),
    Buffer.alloc(valueBytes, 0x78),
  ]);
  expect(decoder.decode(entry, 0, entry.length)).toBe(HpackStep.Ok);
  expect(decoder.table.tableBytes).toBe(4096);
  return decoder;
}

/** Bytes the decoder holds in arrays that grow with what it is sent. */
const heldBytes = (decoder: HpackDecoder): number =>
  decoder.table.bytes.length + decoder.table.entries.byteLength + decoder.fields.entries.byteLength;

describe("CVE-2026-49975: a block of indexed references to one large entry", () => {
  test("costs no copy, no allocation and no more than its own bytes to read", () => {
    const decoder = armed(LIMITS);
    const arena = decoder.table.bytes;
    const before = Uint8Array.from(arena);
    const block = new Uint8Array(BLOCK_BYTES).fill(0xbe);
    expect(decoder.decode(block, 0, block.length)).toBe(HpackStep.ListTooLarge);
    // 268 MB if expanded. The arena is the same, and so is every byte in it: nothing was copied.
    expect(decoder.table.bytes).toBe(arena);
    expect(decoder.fields.bytes).toBe(arena);
    expect(arena).toEqual(before);
    expect(decoder.fields.count).toBe(16);
    expect(decoder.fields.listBytes).toBeLessThanOrEqual(LIMITS.listBytesMax);
    expect(heldBytes(decoder)).toBeLessThan(16 * 1024);
  });

  test("costs no copy either when the limits let all of it through", () => {
    const decoder = armed({ tableBytesMax: 4096, listBytesMax: Number.MAX_SAFE_INTEGER, fieldsMax: BLOCK_BYTES });
    const arena = decoder.table.bytes;
    const block = new Uint8Array(BLOCK_BYTES).fill(0xbe);
    expect(decoder.decode(block, 0, block.length)).toBe(HpackStep.Ok);
    expect(decoder.fields.listBytes).toBe(BLOCK_BYTES * 4096);
    expect(decoder.table.bytes).toBe(arena);
    expect(decoder.fields.entries.byteLength).toBe(BLOCK_BYTES * 16);
  });

  test.each([
    { name: "not indexed", field: [0x0f, 0x2f, 0x00] },
    { name: "never indexed", field: [0x1f, 0x2f, 0x00] },
    { name: "indexed", field: [0x7e, 0x00] },
  ])("as names of literals, $name, stays within the limits", ({ field }) => {
    const decoder = new HpackDecoder(LIMITS);
    const nameBytes = 4096 - 32;
    const entry = Buffer.concat([
      Buffer.from([0x40, 0x7f, 0x80 | ((nameBytes - 127) & 127), (nameBytes - 127) >> 7]),
      Buffer.alloc(nameBytes, 0x78),
      Buffer.from([0]),
    ]);
    expect(decoder.decode(entry, 0, entry.length)).toBe(HpackStep.Ok);
    const block = Buffer.alloc(Math.floor(BLOCK_BYTES / field.length) * field.length, Buffer.from(field));
    expect(decoder.decode(block, 0, block.length)).toBe(HpackStep.ListTooLarge);
    expect(decoder.fields.count).toBe(16);
    expect(heldBytes(decoder)).toBeLessThan(LIMITS.listBytesMax * 4);
    decoder.trim();
    expect(heldBytes(decoder)).toBeLessThan(16 * 1024);
  });
});

describe("other ways to have a small block cost much", () => {
  const many = (bytes: readonly number[]): Uint8Array =>
    Buffer.alloc(Math.floor(BLOCK_BYTES / bytes.length) * bytes.length, Buffer.from(bytes));

  test.each([
    { name: "size updates", block: many([0x3f, 0xe1, 0x1f]), want: HpackStep.Ok },
    { name: "size updates to nothing and back", block: many([0x20, 0x3f, 0xe1, 0x1f]), want: HpackStep.Ok },
    { name: "empty fields", block: many([0x00, 0x00, 0x00]), want: HpackStep.ListTooLarge },
    { name: "empty fields, indexed", block: many([0x40, 0x00, 0x00]), want: HpackStep.ListTooLarge },
    { name: "static fields", block: many([0x82]), want: HpackStep.ListTooLarge },
  ])("$name", ({ block, want }) => {
    const decoder = new HpackDecoder(LIMITS);
    expect(decoder.decode(block, 0, block.length)).toBe(want);
    expect(decoder.fields.count).toBeLessThanOrEqual(LIMITS.fieldsMax);
    expect(heldBytes(decoder)).toBeLessThan(16 * 1024);
  });

  test("unindexed literals before an indexed one leave no holes in the arena for good", () => {
    const decoder = new HpackDecoder(LIMITS);
    for (let number = 0; number < 200; number++) {
      const block = Buffer.concat([
        Buffer.from([0x00, 0x01, 0x61, 0x7f, 0x81, 0x1f]),
        Buffer.alloc(4096, 0x78),
        Buffer.from([0x40, 0x01, number, 0x00]),
      ]);
      expect(decoder.decode(block, 0, block.length)).toBe(HpackStep.Ok);
    }
    expect(decoder.table.count).toBe(124);
    expect(decoder.table.bytes.length).toBeLessThan(40 * 1024);
  });
});

describe("memory of an idle connection", () => {
  test("a new decoder holds nothing but the shared static table", () => {
    const [one, other] = [new HpackDecoder(LIMITS), new HpackDecoder(LIMITS)];
    expect(one.table.bytes).toBe(other.table.bytes);
    expect(one.table.entries.length + one.fields.entries.length).toBe(0);
  });

  test("blocks of static fields allocate no arena", () => {
    const decoder = new HpackDecoder(LIMITS);
    const block = Uint8Array.of(0x82, 0x86, 0x84);
    for (let i = 0; i < 3; i++) decoder.decode(block, 0, block.length);
    expect(decoder.table.bytes).toBe(new HpackDecoder(LIMITS).table.bytes);
  });
});
