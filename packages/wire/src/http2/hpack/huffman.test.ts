import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import hpackJs from "hpack.js";
import {
  huffmanDecode,
  huffmanDecodedBytes,
  huffmanDecodedMax,
  huffmanEncode,
  huffmanEncodedBytes,
} from "./huffman.ts";
import { HUFFMAN_BITS, HUFFMAN_CODE } from "./huffman-code.ts";

const CODING_ERROR = null;
const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(" ", ""), "hex");

/** As text, or CODING_ERROR; the block stands amid bytes that must not be read. */
function decode(coded: Uint8Array): string | null {
  const around = Buffer.concat([Buffer.from([0xff]), coded, Buffer.from([0xff, 0x00])]);
  const out = new Uint8Array(huffmanDecodedMax(coded.length) + 2);
  const end = huffmanDecode(around, 1, 1 + coded.length, out, 1);
  expect(huffmanDecodedBytes(around, 1, 1 + coded.length)).toBe(end < 0 ? -1 : end - 1);
  return end < 0 ? CODING_ERROR : Buffer.from(out.subarray(1, end)).toString("latin1");
}

function encode(text: string): string {
  const bytes = Buffer.from(text, "latin1");
  const out = new Uint8Array(huffmanEncodedBytes(bytes, 0, bytes.length));
  expect(huffmanEncode(bytes, 0, bytes.length, out, 0)).toBe(out.length);
  return Buffer.from(out).toString("hex");
}

describe("Huffman code", () => {
  test("is the one of RFC 7541 appendix B", () => {
    const ours = Array.from(HUFFMAN_BITS, (bits, symbol) => [bits, HUFFMAN_CODE[symbol]!] as const);
    expect(ours).toEqual([...hpackJs.huffman.encode]);
  });

  test.each([
    ["www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"],
    ["no-cache", "a8eb10649cbf"],
    ["custom-key", "25a849e95ba97d7f"],
    ["302", "6402"],
    ["private", "aec3771a4b"],
    ["Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff"],
    ["", ""],
    ["\n\r\x16", "fffffff3ffffffdfffffffbf"],
  ])("%j both ways", (text, coded) => {
    expect(encode(text)).toBe(coded);
    expect(decode(hex(coded))).toBe(text);
  });

  test.each([
    { name: "no padding", coded: "18 c6 31 8c 63", want: "aaaaaaaa" },
    { name: "five bits and padding of three ones", coded: "1f", want: "a" },
    { name: "padding with a zero", coded: "1e", want: CODING_ERROR },
    { name: "padding of zeros", coded: "18", want: CODING_ERROR },
    { name: "padding of eight ones", coded: "1f ff", want: CODING_ERROR },
    { name: "padding only, eight ones", coded: "ff", want: CODING_ERROR },
    { name: "EOS", coded: "ff ff ff ff", want: CODING_ERROR },
    { name: "EOS after a symbol", coded: "1f ff ff ff ff", want: CODING_ERROR },
    { name: "EOS before symbols", coded: "ff ff ff fc 63 ff", want: CODING_ERROR },
    { name: "a code cut after 23 bits", coded: "ff ff fe", want: CODING_ERROR },
  ])("$name", ({ coded, want }) => {
    expect(decode(hex(coded))).toBe(want);
  });

  test("every pair of bytes comes back", () => {
    for (let first = 0; first < 256; first++) {
      let text = "";
      for (let second = 0; second < 256; second++) text += String.fromCharCode(first, second);
      expect(decode(hex(encode(text)))).toBe(text);
    }
  });

  test("any bytes decode to what encodes to them, or to an error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (coded) => {
        const text = decode(coded);
        if (text !== null) expect(encode(text)).toBe(Buffer.from(coded).toString("hex"));
      }),
    );
  });
});
