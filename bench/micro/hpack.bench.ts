/**
 * ns per header block: HPACK decoding and encoding of what gRPC and HTTP traffic through a proxy looks like. Each case
 * checks that what is decoded is what was sent before it is timed.
 */
import { FieldList, HpackDecoder, HpackEncoder, HpackStep } from "@bowline/wire";

const LIMITS = { tableBytesMax: 4096, listBytesMax: 65536, fieldsMax: 256 };
const ROUNDS = 12;
const BLOCKS = 200_000;

const REQUEST: [string, string][] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/emojivoto.v1.EmojiService/FindByShortcode"],
  [":authority", "emoji-svc.emojivoto.svc.cluster.local:8080"],
  ["content-type", "application/grpc"],
  ["user-agent", "grpc-go/1.71.0"],
  ["te", "trailers"],
  ["grpc-accept-encoding", "identity,deflate,gzip"],
  ["x-tenant", "blue-whale"],
  ["l5d-client-id", "web.emojivoto.serviceaccount.identity.linkerd.cluster.local"],
];

interface Case {
  readonly name: string;
  readonly run: (blocks: number) => void;
}

function listOf(fields: readonly [string, string][]): FieldList {
  const list = new FieldList();
  for (const [name, value] of fields) list.addText(name, value);
  return list;
}

/** Blocks as an encoder writes them for `lists` one after the other, the first `skipped` of them not returned. */
function blocksOf(lists: readonly FieldList[], skipped: number, decoder: HpackDecoder): Uint8Array[] {
  const encoder = new HpackEncoder(4096);
  const blocks = lists.map((list) => {
    const out = new Uint8Array(encoder.blockBytesMax(list));
    return out.slice(0, encoder.encode(list, out, 0));
  });
  for (const [place, block] of blocks.entries()) {
    if (decoder.decode(block, 0, block.length) !== HpackStep.Ok) throw new Error("block refused");
    const want = lists[place]!;
    for (let i = 0; i < want.count; i++) {
      const same = decoder.fields.nameText(i) === want.nameText(i) && decoder.fields.valueText(i) === want.valueText(i);
      if (!same) throw new Error(`field ${i} of block ${place} came out as ${decoder.fields.valueText(i)}`);
    }
  }
  return blocks.slice(skipped);
}

function decodeCase(name: string, decoder: HpackDecoder, blocks: readonly Uint8Array[]): Case {
  const bytes = blocks.reduce((sum, block) => sum + block.length, 0) / blocks.length;
  return {
    name: `decode ${name} (${Math.round(bytes)} B)`,
    run: (count) => {
      for (let i = 0, place = 0; i < count; i++) {
        const block = blocks[place]!;
        if (decoder.decode(block, 0, block.length) !== HpackStep.Ok) throw new Error("block refused");
        place = place + 1 === blocks.length ? 0 : place + 1;
      }
    },
  };
}

function encodeCase(name: string, lists: readonly FieldList[], encoderOf: () => HpackEncoder, fresh: boolean): Case {
  const out = new Uint8Array(4096);
  let encoder = encoderOf();
  return {
    name: `encode ${name}`,
    run: (count) => {
      for (let i = 0, place = 0; i < count; i++) {
        if (fresh) encoder = encoderOf();
        encoder.encode(lists[place]!, out, 0);
        place = place + 1 === lists.length ? 0 : place + 1;
      }
    },
  };
}

function cases(): Case[] {
  const plain = listOf(REQUEST);
  const shared = listOf(REQUEST);
  shared.share();
  const literals = listOf(REQUEST.map(([name, value]) => [name.startsWith(":") ? name : `${name}-x`, `${value}+`]));
  // 512 time-outs: more than a cache of blocks holds.
  const timeouts = Array.from({ length: 512 }, (_, i) => listOf([...REQUEST, ["grpc-timeout", `${99_000 + i * 7}u`]]));
  const encoder = (): HpackEncoder => new HpackEncoder(4096);

  const repeated = new HpackDecoder(LIMITS);
  const repeatedBlocks = blocksOf([plain, plain, plain, plain], 3, repeated);
  // Without a change to its bytes a block is known: an index written with a longer integer than need be makes 512 of it.
  const indexed = new HpackDecoder(LIMITS);
  const indexedBlocks = variants(blocksOf([plain, plain, plain], 2, indexed)[0]!);
  const changing = new HpackDecoder(LIMITS);
  const changingBlocks = blocksOf([plain, plain, ...timeouts], 2, changing);
  const first = new HpackEncoder(0);
  const firstOut = new Uint8Array(4096);
  first.encode(listOf([]), firstOut, 0);
  const firstBlocks = Array.from({ length: 512 }, (_, i) => {
    const list = listOf(REQUEST.map(([name, value]) => [name.startsWith(":") ? name : `${name}-x`, `${value}${i}`]));
    return firstOut.slice(0, first.encode(list, firstOut, 0));
  });

  return [
    decodeCase("a repeated block, 10 fields", repeated, repeatedBlocks),
    decodeCase("10 indexed fields, no block twice in 512", indexed, indexedBlocks),
    decodeCase("10 indexed fields and a changing grpc-timeout", changing, changingBlocks),
    decodeCase("10 literals, not indexed", new HpackDecoder(LIMITS), firstBlocks),
    decodeCase("10 literals, indexed", new HpackDecoder(LIMITS), [indexedLiterals(literals)]),
    encodeCase("a shared list, 10 fields", [shared], encoder, false),
    encodeCase("10 fields found in the table", [plain], encoder, false),
    encodeCase("10 fields found and a changing grpc-timeout", timeouts, encoder, false),
    encodeCase("10 fields the first time, a new encoder each", [literals], encoder, true),
  ];
}

/** 512 orders of the same indexed fields: as much work, other bytes. */
function variants(block: Uint8Array): Uint8Array[] {
  return Array.from({ length: 512 }, (_, seed) => {
    const bytes = Uint8Array.from(block);
    let state = seed + 1;
    for (let i = bytes.length - 1; i > 0; i--) {
      state = (state * 48_271) % 0x7fffffff;
      const other = state % (i + 1);
      [bytes[i], bytes[other]] = [bytes[other]!, bytes[i]!];
    }
    return bytes;
  });
}

function indexedLiterals(list: FieldList): Uint8Array {
  const encoder = new HpackEncoder(4096);
  const out = new Uint8Array(encoder.blockBytesMax(list));
  return out.slice(0, encoder.encode(list, out, 0));
}

for (const { name, run } of cases()) {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = Bun.nanoseconds();
    run(BLOCKS);
    times.push((Bun.nanoseconds() - start) / BLOCKS);
  }
  times.sort((a, b) => a - b);
  console.log(`${name.padEnd(64)} ${times[0]!.toFixed(0).padStart(6)} ns, median ${times[ROUNDS >> 1]!.toFixed(0)} ns`);
}
