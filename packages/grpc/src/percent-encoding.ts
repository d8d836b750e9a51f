const UTF8 = new TextEncoder();
const TEXT = new TextDecoder("utf-8", { ignoreBOM: true });
/** Space to tilde, without the percent sign: what `grpc-message` carries as it is ("gRPC over HTTP2", Status-Message). */
const PLAIN = /^[ -$&-~]*$/;

/** A status message as `grpc-message` carries it: UTF-8, with every byte outside of space to tilde, and %, as %XX. */
export function encodeGrpcMessage(message: string): string {
  if (PLAIN.test(message)) return message;
  let text = "";
  for (const byte of UTF8.encode(message)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

/** Reads `grpc-message`. Never fails: a % that two hexadecimal digits don't follow stands for itself. */
export function decodeGrpcMessage(text: string): string {
  if (!text.includes("%")) return text;
  const source = UTF8.encode(text);
  const bytes = new Uint8Array(source.length);
  let count = 0;
  for (let at = 0; at < source.length; at++) {
    const escaped = source[at] === 0x25 ? hexPair(source, at + 1) : -1;
    if (escaped >= 0) at += 2;
    bytes[count++] = escaped >= 0 ? escaped : (source[at] ?? 0);
  }
  return TEXT.decode(bytes.subarray(0, count));
}

function hexPair(bytes: Uint8Array, at: number): number {
  const high = hexValue(bytes[at] ?? 0);
  const low = hexValue(bytes[at + 1] ?? 0);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
