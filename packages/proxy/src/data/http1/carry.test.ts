import { expect, test } from "bun:test";
import { Buf, BufPool } from "@bowline/loop";
import { ScriptedIo } from "@bowline/testkit";
import { array, assert, nat, property, record } from "fast-check";
import { streamBytes } from "../testing/plane-world.case.test.ts";
import { Carry, HEADROOM_BYTES } from "./carry.ts";

const BYTES_MAX = 20_000;

test("what is kept stays what it was, however it grows and is used up, and its offsets are told", () => {
  const step = record({ receive: nat(9000), use: nat(9000) });
  assert(
    property(array(step, { maxLength: 20 }), (steps) => {
      const carry = new Carry(new ScriptedIo({ seed: 1 }), new BufPool());
      const rx = new Buf(HEADROOM_BYTES + 9000, 0);
      const all = streamBytes(1, 20 * 9000);
      let received = 0;
      let used = 0;
      for (const { receive, use } of steps) {
        // As a reader does: into the common buffer while nothing is kept, behind what is kept otherwise.
        const before = carry.at;
        const moved = carry.makeRoom(BYTES_MAX);
        if (!carry.empty) expect(carry.at - before).toBe(moved);
        const buf = carry.buf ?? rx;
        const at = carry.buf === null ? HEADROOM_BYTES : carry.end;
        const bytes = carry.buf === null ? receive : Math.min(receive, carry.room);
        buf.bytes.set(all.subarray(received, received + bytes), at);
        received += bytes;
        if (carry.buf !== null) carry.end += bytes;
        const from = carry.buf === null ? at : carry.at;
        const next = from + Math.min(use, received - used);
        used += next - from;
        const kept = carry.keep(buf, next, at + bytes);
        if (received === used) expect(carry.empty).toBe(true);
        else expect(carry.at - next).toBe(kept);
        expect(carry.end - carry.at).toBe(received - used);
        expect(carry.empty || carry.at >= HEADROOM_BYTES).toBe(true);
        const held = carry.buf?.bytes.subarray(carry.at, carry.end) ?? new Uint8Array();
        expect(Buffer.compare(held, all.subarray(used, received))).toBe(0);
      }
    }),
  );
});

test("it grows up to what it may keep, then has no room", () => {
  const carry = new Carry(new ScriptedIo({ seed: 1 }), new BufPool());
  const rx = new Buf(HEADROOM_BYTES + 100, 0);
  carry.keep(rx, HEADROOM_BYTES, HEADROOM_BYTES + 100);
  for (let i = 0; i < 10; i++) {
    carry.makeRoom(BYTES_MAX);
    carry.end += carry.room;
  }
  expect(carry.end - carry.at).toBeGreaterThanOrEqual(BYTES_MAX);
  expect([carry.makeRoom(BYTES_MAX), carry.room]).toEqual([0, 0]);
  carry.clear();
  expect([carry.empty, carry.room, carry.at, carry.end]).toEqual([true, 0, 0, 0]);
});
