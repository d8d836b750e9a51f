import { assert } from "../assert.ts";
import { FIELD_DROP, FIELD_STRIDE, FLAGS, type Head, LINE_END, NAME_START } from "./head.ts";

/**
 * Applies the marks and inserts `insertBytes` bytes of `insert` (whole `name: value\r\n` lines) behind the start line,
 * in place. head.end does not move, so what follows the head stays behind it; the start moves instead:
 *
 *     before  |headroom| start line | a | B | c | D | empty | body
 *     after   |   headroom   | start line | insert | a | c | empty | body      (B and D marked)
 *
 * Returns the new head.start. It may lie before the old one by at most insertBytes, so there must be that much room.
 * Afterwards `head` describes the bytes as they now are, but the inserted lines are in no entry and marks are gone.
 */
export function rewriteHead(buf: Uint8Array, head: Head, insert: Uint8Array | null, insertBytes: number): number {
  if (insert === null || insertBytes === 0) {
    if (head.dropCount === 0) return head.start;
  } else {
    assert(insertBytes <= insert.length);
  }
  const fieldsStart = head.dropCount === 0 ? head.lineEnd : compactFields(buf, head);
  const insertAt = fieldsStart - (insert === null ? 0 : insertBytes);
  const delta = insertAt - head.lineEnd;
  assert(head.start + delta >= 0);
  buf.copyWithin(head.start + delta, head.start, head.lineEnd);
  head.shiftStartLine(delta);
  if (insert !== null) copyIn(buf, insertAt, insert, insertBytes);
  return head.start;
}

/** The bytes rewriteHead() would leave between the new start and head.end. */
export function rewrittenHeadBytes(head: Head, insertBytes: number): number {
  return head.end - head.start - head.dropBytes + insertBytes;
}

/** Moves runs of kept lines towards the end, last run first, and drops the marked entries; returns where they now begin. */
function compactFields(buf: Uint8Array, head: Head): number {
  const fields = head.fields;
  // Bytes of marked lines behind the line in hand: how far it moves.
  let delta = 0;
  let runEnd = -1;
  let runStart = -1;
  for (let index = head.fieldCount - 1; index >= 0; index--) {
    const entry = index * FIELD_STRIDE;
    const lineStart = fields[entry + NAME_START]!;
    const lineEnd = fields[entry + LINE_END]!;
    if ((fields[entry + FLAGS]! & FIELD_DROP) === 0) {
      if (runEnd < 0) runEnd = lineEnd;
      runStart = lineStart;
      if (delta !== 0) shiftEntry(head, index, entry, delta);
      continue;
    }
    if (runEnd >= 0 && delta !== 0) buf.copyWithin(runStart + delta, runStart, runEnd);
    runEnd = -1;
    delta += lineEnd - lineStart;
  }
  if (runEnd >= 0 && delta !== 0) buf.copyWithin(runStart + delta, runStart, runEnd);
  closeGaps(head);
  return head.lineEnd + delta;
}

function shiftEntry(head: Head, index: number, entry: number, delta: number): void {
  for (let i = NAME_START; i <= LINE_END; i++) head.fields[entry + i]! += delta;
  if (index === head.hostField && !head.hostInTarget()) head.shiftHost(delta);
}

function closeGaps(head: Head): void {
  const fields = head.fields;
  let kept = 0;
  for (let index = 0; index < head.fieldCount; index++) {
    const from = index * FIELD_STRIDE;
    const dropped = (fields[from + FLAGS]! & FIELD_DROP) !== 0;
    if (index === head.hostField) hostFieldIsNow(head, dropped ? -1 : kept);
    if (dropped) continue;
    const to = kept * FIELD_STRIDE;
    for (let i = 0; i < FIELD_STRIDE; i++) fields[to + i] = fields[from + i]!;
    kept++;
  }
  head.fieldCount = kept;
  head.dropCount = 0;
  head.dropBytes = 0;
}

function hostFieldIsNow(head: Head, index: number): void {
  head.hostField = index;
  if (index >= 0 || head.hostInTarget()) return;
  head.hostStart = -1;
  head.hostEnd = -1;
}

function copyIn(buf: Uint8Array, at: number, bytes: Uint8Array, count: number): void {
  if (count === bytes.length) {
    buf.set(bytes, at);
    return;
  }
  for (let i = 0; i < count; i++) buf[at + i] = bytes[i]!;
}
