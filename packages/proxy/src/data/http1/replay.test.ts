import { expect, test } from "bun:test";
import { Buf, BufPool, Errno } from "@bowline/loop";
import { ScriptedIo } from "@bowline/testkit";
import { Method } from "@bowline/wire";
import { streamBytes } from "../testing/plane-world.case.test.ts";
import { Exchange } from "./exchange.ts";
import type { Http1Client } from "./relay.ts";
import { mayReplay, ReplayCopy } from "./replay.ts";

const COPY_BYTES_MAX = 65536;

function copyOf(...lengths: readonly number[]): ReplayCopy {
  const copy = new ReplayCopy(new ScriptedIo({ seed: 1 }), new BufPool());
  const from = new Buf(100_000, 0);
  from.bytes.set(streamBytes(5, 100_000));
  copy.begin();
  let at = 0;
  for (const length of lengths) {
    copy.add(from, at, at + length);
    at += length;
  }
  return copy;
}

test("the copy has all that was added, up to 64 KiB, and nothing beyond", () => {
  const whole = copyOf(10, 5000, 0, COPY_BYTES_MAX - 5010);
  expect([whole.complete, whole.bytes]).toEqual([true, COPY_BYTES_MAX]);
  expect(Buffer.compare(whole.buf!.bytes.subarray(0, whole.bytes), streamBytes(5, COPY_BYTES_MAX))).toBe(0);
  const tooLong = copyOf(10, COPY_BYTES_MAX, 5);
  expect([tooLong.complete, tooLong.bytes, tooLong.buf]).toEqual([false, 0, null]);
});

interface Row {
  readonly name: string;
  readonly method: Method;
  readonly reused?: boolean;
  readonly acknowledged?: boolean;
  readonly errno?: number;
  readonly copy?: ReplayCopy;
  readonly may: boolean;
}

const responded = copyOf(100);
responded.clear();
const ROWS: readonly Row[] = [
  { name: "GET", method: Method.Get, may: true },
  { name: "HEAD", method: Method.Head, may: true },
  { name: "OPTIONS", method: Method.Options, may: true },
  { name: "TRACE", method: Method.Trace, may: true },
  { name: "PUT", method: Method.Put, may: true },
  {
    name: "DELETE, reset and acknowledged",
    method: Method.Delete,
    errno: Errno.ECONNRESET,
    acknowledged: true,
    may: true,
  },
  { name: "POST of which the server's kernel has nothing", method: Method.Post, may: true },
  { name: "PATCH of which the server's kernel has nothing", method: Method.Patch, may: true },
  { name: "a method of which the kernel has nothing", method: Method.Other, may: true },
  { name: "POST of which it has something", method: Method.Post, acknowledged: true, may: false },
  { name: "POST after a reset", method: Method.Post, errno: Errno.ECONNRESET, may: false },
  { name: "GET on a new connection", method: Method.Get, reused: false, may: false },
  { name: "GET whose response has begun", method: Method.Get, copy: responded, may: false },
  { name: "GET that is too long to keep", method: Method.Get, copy: copyOf(COPY_BYTES_MAX, 1), may: false },
];

test.each(ROWS)("$name: sent again $may", ({ method, reused = true, acknowledged = false, errno = 0, copy, may }) => {
  const exchange = new Exchange();
  exchange.method = method;
  const client = { reused, nothingAcknowledged: () => !acknowledged } as unknown as Http1Client;
  expect(mayReplay(copy ?? copyOf(100), exchange, client, errno)).toBe(may);
});
