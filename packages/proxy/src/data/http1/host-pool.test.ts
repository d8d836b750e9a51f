import { expect, test } from "bun:test";
import { array, assert, boolean, nat, property, tuple } from "fast-check";
import { HostPool, IdleList } from "./host-pool.ts";
import type { Http1Client } from "./relay.ts";

/** All that the lists use of a connection. */
function clients(count: number): Http1Client[] {
  return Array.from({ length: count }, () => ({ idlePrevious: null, idleNext: null }) as unknown as Http1Client);
}

function listed(list: IdleList): Http1Client[] {
  const all: Http1Client[] = [];
  for (let client = list.first; client !== null; client = client.idleNext) all.push(client);
  return all;
}

test("the list of idle connections keeps their order, whoever comes and goes", () => {
  assert(
    property(array(tuple(boolean(), nat(9)), { maxLength: 60 }), (steps) => {
      const list = new IdleList();
      const all = clients(10);
      let model: Http1Client[] = [];
      for (const [add, index] of steps) {
        const client = all[index]!;
        if (add === model.includes(client)) continue;
        if (add) list.append(client);
        else list.remove(client);
        model = add ? [...model, client] : model.filter((other) => other !== client);
        expect(listed(list).map((one) => all.indexOf(one))).toEqual(model.map((one) => all.indexOf(one)));
      }
    }),
  );
});

test("a pool serves its own host only, to the letter", () => {
  const pool = new HostPool(Buffer.from("a.test:80"), "a.test:80");
  const bytes = Buffer.from("host: a.test:80\r\n");
  expect(pool.serves(bytes, 6, 15)).toBe(true);
  expect([pool.serves(bytes, 6, 14), pool.serves(bytes, 5, 14), pool.serves(bytes, 6, 16)]).toEqual([
    false,
    false,
    false,
  ]);
  expect(pool.serves(Buffer.from("A.test:80"), 0, 9)).toBe(false);
});

test("a connection leaves its pool from any place, and leaving twice takes no other with it", () => {
  const [a, b, c] = clients(3) as [Http1Client, Http1Client, Http1Client];
  const pool = new HostPool(new Uint8Array(), "");
  pool.idle.push(a, b, c);
  pool.remove(b);
  pool.remove(b);
  expect(pool.idle).toEqual([a, c]);
});
