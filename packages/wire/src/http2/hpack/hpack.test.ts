import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import hpackJs from "hpack.js";
import { fieldTexts } from "../field-texts.ts";
import { FieldList } from "../fields.ts";
import { NAME_BYTES, NameId, nameIdOf } from "../name-id.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";
import { HpackStep } from "./hpack-step.ts";
import { tableTexts } from "./table-texts.ts";

const LIMITS = { tableBytesMax: 4096, listBytesMax: 65536, fieldsMax: 256 };

type Field = readonly [name: string, value: string, neverIndexed: boolean];

/** Few names and values, so that fields repeat, and now and then any. The text is latin-1. */
const anyText = fc.uint8Array({ maxLength: 90, size: "max" }).map((bytes) => Buffer.from(bytes).toString("latin1"));
const knownName = fc.constantFrom(...NAME_BYTES.slice(1).map((bytes) => Buffer.from(bytes).toString()));
const anyName = fc.oneof(knownName, fc.constantFrom("x-a", "x-b", "x-c"), anyText);
const anyValue = fc.oneof(
  fc.constantFrom("", "GET", "200", "gzip", "trailers", "1", "a longer one that is not so short"),
  anyText,
);
const sometimes = fc.nat({ max: 9 }).map((number) => number === 0);
const anyFields: fc.Arbitrary<Field[]> = fc.array(fc.tuple(anyName, anyValue, sometimes), {
  maxLength: 14,
  size: "max",
});

function listOf(fields: readonly Field[]): FieldList {
  const list = new FieldList();
  for (const [name, value, never] of fields) {
    const [nameBytes, valueBytes] = [Buffer.from(name, "latin1"), Buffer.from(value, "latin1")];
    const id = nameIdOf(nameBytes, 0, nameBytes.length);
    list.addRange(id, nameBytes, 0, nameBytes.length, valueBytes, 0, valueBytes.length, never);
  }
  return list;
}

const textsOf = (fields: readonly Field[]): string[] =>
  fields.map(([name, value, never]) => `${never ? "!" : ""}${name}: ${value}`);

/** Encodes within exactly the room asked for. */
function encode(encoder: HpackEncoder, list: FieldList): Uint8Array {
  const out = new Uint8Array(encoder.blockBytesMax(list));
  const end = encoder.encode(list, out, 0);
  expect(end).toBeLessThanOrEqual(out.length);
  return out.subarray(0, end);
}

describe("encoder to decoder", () => {
  /** Several blocks over one pair, some lists shared and sent often, with the table's limit changing between them. */
  const run = fc.record({
    tableBytesMax: fc.constantFrom(0, 64, 300, 4096, 9000),
    lists: fc.array(anyFields, { minLength: 1, maxLength: 5 }),
    shared: fc.boolean(),
    steps: fc.array(
      fc.oneof({ weight: 5, arbitrary: fc.nat({ max: 4 }) }, fc.constantFrom(-1, -33, -64, -200, -4096, -5000)),
      {
        maxLength: 60,
        size: "max",
      },
    ),
  });

  test("ends in the same lists and the same tables", () => {
    fc.assert(
      fc.property(run, ({ tableBytesMax, lists, shared, steps }) => {
        const encoder = new HpackEncoder(tableBytesMax);
        const decoder = new HpackDecoder({ ...LIMITS, tableBytesMax: 5000 });
        const built = lists.map(listOf);
        if (shared) for (const list of built) list.share();
        for (const step of steps) {
          if (step < 0) {
            encoder.limitTable(-1 - step);
            continue;
          }
          const place = step % lists.length;
          const block = encode(encoder, built[place]!);
          expect(decoder.decode(block, 0, block.length)).toBe(HpackStep.Ok);
          expect(fieldTexts(decoder.fields)).toEqual(textsOf(lists[place]!));
          expect(tableTexts(decoder.table)).toEqual(tableTexts(encoder.table));
          expect(decoder.table.tableBytes).toBe(encoder.table.tableBytes);
          expect(decoder.table.tableBytesMax).toBe(encoder.table.tableBytesMax);
        }
      }),
      { numRuns: 150 },
    );
  });

  test("forwards what was decoded, dropped and added", () => {
    const [toProxy, atProxy] = [new HpackEncoder(4096), new HpackDecoder(LIMITS)];
    const [fromProxy, atServer] = [new HpackEncoder(4096), new HpackDecoder(LIMITS)];
    fc.assert(
      fc.property(anyFields, fc.nat(), (fields, which) => {
        const block = encode(toProxy, listOf(fields));
        expect(atProxy.decode(block, 0, block.length)).toBe(HpackStep.Ok);
        let list = atProxy.fields;
        if (list.shared) {
          list = new FieldList();
          list.copyFrom(atProxy.fields);
        }
        const dropped = which % (fields.length + 1);
        if (dropped < fields.length) list.drop(dropped);
        const added = Buffer.from("x".repeat(which % 700));
        list.add(NameId.L5dClientId, null, added);
        const forwarded = encode(fromProxy, list);
        expect(atServer.decode(forwarded, 0, forwarded.length)).toBe(HpackStep.Ok);
        const want = textsOf(fields).filter((_, index) => index !== dropped);
        expect(fieldTexts(atServer.fields)).toEqual([...want, `l5d-client-id: ${added.toString()}`]);
      }),
    );
  });
});

describe("beside hpack.js", () => {
  const runs = fc.array(anyFields, { minLength: 1, maxLength: 12, size: "max" });

  test("it reads what we write", () => {
    fc.assert(
      fc.property(runs, (lists) => {
        const encoder = new HpackEncoder(4096);
        const theirs = hpackJs.decompressor.create({ table: { maxSize: 4096 } });
        theirs.on("error", (error) => {
          throw error;
        });
        for (const fields of lists) {
          theirs.write(encode(encoder, listOf(fields)));
          theirs.execute();
          const got: string[] = [];
          for (let field = theirs.read(); field !== null; field = theirs.read()) {
            got.push(`${field.neverIndex === true ? "!" : ""}${field.name}: ${field.value}`);
          }
          expect(got).toEqual(textsOf(fields));
          expect(theirs._table.size).toBe(encoder.table.tableBytes);
        }
      }),
    );
  });

  test("we read what it writes", () => {
    fc.assert(
      fc.property(runs, fc.infiniteStream(fc.nat({ max: 7 })), (lists, choices) => {
        const decoder = new HpackDecoder(LIMITS);
        const theirs = hpackJs.compressor.create({ table: { maxSize: 4096 } });
        for (const fields of lists) {
          const choice = choices.next().value;
          if (choice === 0) theirs.reset();
          const [incremental, huffman] = [(choice & 1) !== 0, (choice & 2) !== 0];
          theirs.write(fields.map(([name, value, neverIndex]) => ({ name, value, neverIndex, incremental, huffman })));
          const block = theirs.read() ?? new Uint8Array(0);
          expect(decoder.decode(block, 0, block.length)).toBe(HpackStep.Ok);
          expect(fieldTexts(decoder.fields)).toEqual(textsOf(fields));
          const table = theirs._table.dynamic.map((field) => `${field.name}: ${field.value}`).reverse();
          expect(tableTexts(decoder.table)).toEqual(table);
        }
      }),
    );
  });
});

describe("arbitrary blocks", () => {
  const STEPS: readonly number[] = Object.values(HpackStep);
  /** Bytes, or encoded fields with some of their bytes changed, which gets further. */
  const anyBlock = fc.uint8Array({ maxLength: 80, size: "max" });
  const damagedBlock = fc
    .tuple(anyFields, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }))
    .map(([fields, changes]) => {
      const block = Uint8Array.from(encode(new HpackEncoder(4096), listOf(fields)));
      for (const [place, byte] of changes) if (block.length > 0) block[place % block.length] = byte;
      return block;
    });

  test("give a code, whatever they are, and depend on nothing outside", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(anyBlock, damagedBlock), { maxLength: 8 }),
        fc.nat({ max: 255 }),
        (blocks, around) => {
          const limits = { tableBytesMax: 4096, listBytesMax: 700, fieldsMax: 12 };
          const [exact, amid] = [new HpackDecoder(limits), new HpackDecoder(limits)];
          for (const block of blocks) {
            const step = exact.decode(block, 0, block.length);
            const surrounded = new Uint8Array(block.length + 12).fill(around);
            surrounded.set(block, 6);
            expect(amid.decode(surrounded, 6, 6 + block.length)).toBe(step);
            expect(STEPS).toContain(step);
            expect(fieldTexts(amid.fields)).toEqual(fieldTexts(exact.fields));
            expect(tableTexts(amid.table)).toEqual(tableTexts(exact.table));
            expect(exact.fields.listBytes).toBeLessThanOrEqual(limits.listBytesMax);
            expect(exact.fields.count).toBeLessThanOrEqual(limits.fieldsMax);
            expect(exact.table.tableBytes).toBeLessThanOrEqual(exact.table.tableBytesMax);
            if (step === HpackStep.CompressionError) break;
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
