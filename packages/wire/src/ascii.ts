/** Byte values and byte classes shared by the text protocols. */
export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COMMA = 0x2c;
export const SLASH = 0x2f;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;

/** Bits of BYTE_CLASS. */
export const TOKEN = 1;
export const FIELD_VALUE = 2;
export const TARGET = 4;
export const REG_NAME = 8;
export const SCHEME = 16;

/**
 * One table for all classes, one load per byte.
 *
 * - TOKEN: RFC 9110 §5.6.2.
 * - FIELD_VALUE: HTAB, SP, VCHAR and obs-text (RFC 9110 §5.5).
 * - TARGET: VCHAR and obs-text without `#`. Raw UTF-8 in targets is not valid by RFC 3986, but is common and harmless
 *   to framing; a fragment never belongs on the wire (RFC 9112 §3.2) and servers disagree about what it hides.
 * - REG_NAME: what a host name or IPv4 address may hold (RFC 3986 §3.2.2), without the comma: a list of hosts is
 *   how two servers come to disagree.
 * - SCHEME: RFC 3986 §3.1, after the first letter.
 */
export const BYTE_CLASS: Uint8Array = classify();

/** The value of a hexadecimal digit, 255 for any other byte. */
export const HEX_VALUE: Uint8Array = hexValues();

/**
 * The first offset in [at, stop) whose byte is not of a class in `bits`, or `stop`. Four bytes a turn: on long values
 * this takes half the time of one by one.
 */
export function skipClass(buf: Uint8Array, at: number, stop: number, bits: number): number {
  let p = at;
  while (p + 4 <= stop) {
    const four = BYTE_CLASS[buf[p]!]! & BYTE_CLASS[buf[p + 1]!]! & BYTE_CLASS[buf[p + 2]!]! & BYTE_CLASS[buf[p + 3]!]!;
    if ((four & bits) === 0) break;
    p += 4;
  }
  while (p < stop && (BYTE_CLASS[buf[p]!]! & bits) !== 0) p++;
  return p;
}

/** Whether `length` bytes at `at` equal `lower` (lower-case ASCII), letters compared without case. Reads only those. */
export function equalsLower(buf: Uint8Array, at: number, length: number, lower: Uint8Array): boolean {
  if (length !== lower.length) return false;
  for (let i = 0; i < length; i++) {
    const byte = buf[at + i]!;
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (folded !== lower[i]) return false;
  }
  return true;
}

/**
 * As equalsLower() and faster, for text without control bytes (checked field text) and words of letters, digits, `-`
 * and `/`: among such bytes setting bit 5 confuses nothing but the case of letters.
 */
export function equalsWord(buf: Uint8Array, at: number, length: number, word: Uint8Array): boolean {
  if (length !== word.length) return false;
  for (let i = 0; i < length; i++) {
    if ((buf[at + i]! | 0x20) !== word[i]) return false;
  }
  return true;
}

/** The bytes of an ASCII text; for tables built once, at module load. */
export function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function classify(): Uint8Array {
  const table = new Uint8Array(256);
  const add = (bits: number, characters: string): void => {
    for (const byte of ascii(characters)) table[byte]! |= bits;
  };
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const digits = "0123456789";
  add(TOKEN, `${letters}${digits}!#$%&'*+-.^_\`|~`);
  add(REG_NAME, `${letters}${digits}-._~%!$&'()*+;=`);
  add(SCHEME, `${letters}${digits}+-.`);
  add(FIELD_VALUE, "\t ");
  for (let byte = 0x21; byte < 256; byte++) {
    if (byte === 0x7f) continue;
    table[byte]! |= FIELD_VALUE;
    if (byte !== 0x23) table[byte]! |= TARGET;
  }
  return table;
}

function hexValues(): Uint8Array {
  const table = new Uint8Array(256).fill(255);
  for (let value = 0; value < 16; value++) {
    table["0123456789abcdef".charCodeAt(value)] = value;
    table["0123456789ABCDEF".charCodeAt(value)] = value;
  }
  return table;
}
