import { expect, test } from "bun:test";
import { AddressPool } from "./address-pool.ts";

test("a freed number comes last", () => {
  const pool = new AddressPool({ min: 2, max: 5, reuse: "late" });
  expect([pool.take(), pool.take(), pool.take()]).toEqual([2, 3, 4]);
  pool.release(2);
  pool.release(3);
  expect([pool.take(), pool.take(), pool.take()]).toEqual([5, 2, 3]);
  expect(() => pool.take()).toThrow("all 4 pod addresses are in use");
});

test("or first, where asked for", () => {
  const pool = new AddressPool({ min: 2, max: 9, reuse: "first" });
  expect([pool.take(), pool.take(), pool.take()]).toEqual([2, 3, 4]);
  pool.release(2);
  pool.release(4);
  expect([pool.take(), pool.take(), pool.take()]).toEqual([4, 2, 5]);
});

test("a number's second owner can be told from its first", () => {
  const pool = new AddressPool({ min: 2, max: 9, reuse: "first" });
  pool.adopt(4);
  const first = pool.take();
  pool.release(first);
  const again = pool.take();
  expect([first, again, pool.wasUsedBefore(again), pool.wasUsedBefore(pool.take())]).toEqual([5, 5, true, false]);
});

test("numbers found in use are not given out, and new ones come after them", () => {
  const pool = new AddressPool({ min: 2, max: 9, reuse: "late" });
  pool.adopt(3);
  pool.adopt(7);
  expect([pool.take(), pool.take(), pool.take(), pool.take()]).toEqual([8, 9, 2, 4]);
  pool.release(100);
});
