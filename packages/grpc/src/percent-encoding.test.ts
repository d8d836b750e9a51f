import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodeGrpcMessage, encodeGrpcMessage } from "./percent-encoding.ts";

const encodings: { message: string; text: string }[] = [
  { message: "", text: "" },
  { message: "no such service: a/b ~", text: "no such service: a/b ~" },
  { message: "100%", text: "100%25" },
  { message: "two\nlines\t", text: "two%0Alines%09" },
  { message: "ü☺", text: "%C3%BC%E2%98%BA" },
  { message: "\u007f", text: "%7F" },
];

for (const { message, text } of encodings) {
  test(`${JSON.stringify(message)} travels as ${text}`, () => {
    expect(encodeGrpcMessage(message)).toBe(text);
    expect(decodeGrpcMessage(text)).toBe(message);
  });
}

const leniently: { text: string; message: string }[] = [
  { text: "100%", message: "100%" },
  { text: "%z0%2", message: "%z0%2" },
  { text: "%c3%bc%0a", message: "ü\n" },
  { text: "%ff", message: "\ufffd" },
];

for (const { text, message } of leniently) {
  test(`${text} is read as ${JSON.stringify(message)}`, () => {
    expect(decodeGrpcMessage(text)).toBe(message);
  });
}

test("any message comes back, and travels as printable ASCII", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (message) => {
      const text = encodeGrpcMessage(message);
      expect(text).toMatch(/^[ -~]*$/);
      expect(decodeGrpcMessage(text)).toBe(message);
    }),
  );
});
