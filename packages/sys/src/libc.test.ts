import { expect, test } from "bun:test";
import { addressOf, copyBytes } from "./libc.ts";

const small = new Int32Array(2);
const smallAddress = addressOf(small);
const seen = new Int32Array(2);
const seenAddress = addressOf(seen);

test("an address stays right when the compiler has turned to the code that uses the array", () => {
  for (let round = 1; round <= 100_000; round++) {
    writeSmall(round);
    copyBytes(seenAddress, smallAddress, 8);
    if (seen[0] !== round) throw new Error(`in round ${round} the address had ${seen[0]}`);
  }
  expect([...seen]).toEqual([100_000, -100_000]);
});

test("the address is that of the view's first byte", () => {
  const whole = Uint8Array.from({ length: 64 }, (_, i) => i);
  const into = new Uint8Array(4);
  copyBytes(addressOf(into), addressOf(whole.subarray(10)), 4);
  expect([...into]).toEqual([10, 11, 12, 13]);
});

function writeSmall(value: number): void {
  small[0] = value;
  small[1] = -value;
}
