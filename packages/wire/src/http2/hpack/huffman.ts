import { HUFFMAN_BITS, HUFFMAN_CODE, HUFFMAN_EOS } from "./huffman-code.ts";

/**
 * Decoding goes nibble by nibble: a state is an inner node of the code's tree, the root being 0, and
 * STEPS[state << 4 | nibble] is what four bits more lead to. No code is shorter than 5 bits, so that is one symbol at most.
 */
const STEPS = new Int32Array(256 * 16);
const STEP_STATE = 0xff;
const STEP_SYMBOL_SHIFT = 8;
/** The step ends a symbol. As a number to add to the output's offset, after shifting. */
const STEP_EMIT_SHIFT = 16;
const STEP_FAIL = 1 << 17;
/** States a string may end in: at most 7 bits after a symbol, all ones (RFC 7541 §5.2). */
const MAY_END = new Uint8Array(256);
buildSteps();

/** The most bytes that `bytes` Huffman-coded bytes can stand for: the shortest codes have 5 bits. */
export function huffmanDecodedMax(bytes: number): number {
  return ((bytes * 8) / 5) | 0;
}

/**
 * Decodes [at, end) to `out` from `outAt` on, where there is room for huffmanDecodedMax() and one byte. Returns the end of
 * what was decoded, or -1 for a coding error: EOS in the string, padding longer than 7 bits or not all ones.
 */
export function huffmanDecode(bytes: Uint8Array, at: number, end: number, out: Uint8Array, outAt: number): number {
  let to = outAt;
  let state = 0;
  let failed = 0;
  for (let p = at; p < end; p++) {
    const byte = bytes[p]!;
    const high = STEPS[(state << 4) | (byte >>> 4)]!;
    // Written whether or not a symbol ended: cheaper than asking. So is looking for failure at the end only.
    out[to] = high >>> STEP_SYMBOL_SHIFT;
    to += (high >>> STEP_EMIT_SHIFT) & 1;
    const low = STEPS[((high & STEP_STATE) << 4) | (byte & 15)]!;
    out[to] = low >>> STEP_SYMBOL_SHIFT;
    to += (low >>> STEP_EMIT_SHIFT) & 1;
    failed |= high | low;
    state = low & STEP_STATE;
  }
  return (failed & STEP_FAIL) === 0 && MAY_END[state] === 1 ? to : -1;
}

/** How many bytes [at, end) decodes to, -1 for a coding error. For strings too large to be decoded on trust. */
export function huffmanDecodedBytes(bytes: Uint8Array, at: number, end: number): number {
  let count = 0;
  let state = 0;
  for (let p = at; p < end; p++) {
    const byte = bytes[p]!;
    const high = STEPS[(state << 4) | (byte >>> 4)]!;
    const low = STEPS[((high & STEP_STATE) << 4) | (byte & 15)]!;
    if (((high | low) & STEP_FAIL) !== 0) return -1;
    count += ((high >>> STEP_EMIT_SHIFT) & 1) + ((low >>> STEP_EMIT_SHIFT) & 1);
    state = low & STEP_STATE;
  }
  return MAY_END[state] === 1 ? count : -1;
}

/** How many bytes [at, end) takes when coded. */
export function huffmanEncodedBytes(bytes: Uint8Array, at: number, end: number): number {
  let bits = 0;
  for (let p = at; p < end; p++) bits += HUFFMAN_BITS[bytes[p]!]!;
  return (bits + 7) >>> 3;
}

/** Codes [at, end) to `out` from `outAt` on, where there is room for huffmanEncodedBytes(). Returns the end. */
export function huffmanEncode(bytes: Uint8Array, at: number, end: number, out: Uint8Array, outAt: number): number {
  let to = outAt;
  let word = 0;
  let held = 0;
  for (let p = at; p < end; p++) {
    const byte = bytes[p]!;
    const code = HUFFMAN_CODE[byte]!;
    let bits = HUFFMAN_BITS[byte]!;
    // Up to 7 bits are held back, so a code of more than 24 would not fit the word: its upper part goes first.
    if (bits > 24) {
      bits -= 8;
      word = (word << 8) | (code >>> bits);
      out[to++] = word >>> held;
    }
    word = (word << bits) | (code & ((1 << bits) - 1));
    held += bits;
    while (held >= 8) {
      held -= 8;
      out[to++] = word >>> held;
    }
  }
  if (held > 0) out[to++] = (word << (8 - held)) | (0xff >>> held);
  return to;
}

function buildSteps(): void {
  const tree = buildTree();
  for (let state = 0; state < 256; state++) {
    for (let nibble = 0; nibble < 16; nibble++) STEPS[(state << 4) | nibble] = stepOf(tree, state, nibble);
  }
  for (let node = 0, depth = 0; depth <= 7; depth++) {
    MAY_END[node] = 1;
    node = tree[node * 2 + 1]!;
  }
}

function stepOf(tree: Int32Array, state: number, nibble: number): number {
  let node = state;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = tree[node * 2 + ((nibble >>> bit) & 1)]!;
    if (next >= 0) {
      node = next;
      continue;
    }
    const symbol = -1 - next;
    if (symbol === HUFFMAN_EOS) return STEP_FAIL;
    emitted = (1 << STEP_EMIT_SHIFT) | (symbol << STEP_SYMBOL_SHIFT);
    node = 0;
  }
  return emitted | node;
}

/** Two branches per inner node: the node they lead to, or -1 - symbol. */
function buildTree(): Int32Array {
  const tree = new Int32Array(256 * 2);
  let nodes = 1;
  for (let symbol = 0; symbol <= HUFFMAN_EOS; symbol++) {
    const code = HUFFMAN_CODE[symbol]!;
    let node = 0;
    for (let bit = HUFFMAN_BITS[symbol]! - 1; bit > 0; bit--) {
      const branch = node * 2 + ((code >>> bit) & 1);
      if (tree[branch] === 0) tree[branch] = nodes++;
      node = tree[branch]!;
    }
    tree[node * 2 + (code & 1)] = -1 - symbol;
  }
  return tree;
}
