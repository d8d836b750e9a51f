import type { Connection } from "../connection.ts";
import type { Side } from "../side.ts";
import type { Target } from "../target.ts";
import { HostPool } from "./host-pool.ts";
import type { Http1Client } from "./relay.ts";

/** Hosts with idle connections per target; further ones get connections of their own that are not kept. */
const HOST_POOLS_MAX = 1024;
/** Longer than any name with a port (RFC 1035 §2.3.4): what is beyond shares nothing, and takes no memory here. */
const HOST_BYTES_MAX = 300;

/**
 * The pool for requests to the host bytes[at, end); null when their connections must not be shared: there is none
 * (proxy-facts §4.5). `last` is the pool of a request before to the same target, which mostly is the one again.
 */
export function poolFor(
  target: Target,
  bytes: Uint8Array,
  at: number,
  end: number,
  last: HostPool | null,
): HostPool | null {
  const hostBytes = end - at;
  if (hostBytes <= 0 || hostBytes > HOST_BYTES_MAX) return null;
  if (last?.serves(bytes, at, end)) return last;
  const host = bytes.slice(at, end);
  const key = String.fromCharCode(...host);
  let pool = target.pools.get(key);
  if (pool === undefined) {
    if (target.pools.size >= HOST_POOLS_MAX) dropEmpty(target.pools);
    if (target.pools.size >= HOST_POOLS_MAX) return null;
    pool = new HostPool(host, key);
    target.pools.set(key, pool);
  }
  return pool;
}

/** Pools whose connections are all gone, or in use: those find their way back to a new one. */
function dropEmpty(pools: Map<string, HostPool>): void {
  for (const [key, pool] of pools) if (pool.idle.length === 0) pools.delete(key);
}

/** An idle connection of the pool, the one used last: it is the likeliest to be warm and alive. */
export function takeIdle(side: Side, pool: HostPool): Http1Client | null {
  const client = pool.idle.pop();
  if (client === undefined) return null;
  side.idle.remove(client);
  client.reused = true;
  return client;
}

/** A new connection to the target, still connecting; -errno when that failed at once. */
export function dialNew(side: Side, target: Target, pool: HostPool | null): Http1Client | number {
  const client = side.http1Clients.acquire();
  const result = client.connect(target, pool);
  if (result === 0) return client;
  side.http1Clients.release(client);
  return result;
}

/** Makes an HTTP/1 connection of the one that was opened before the client's protocol was known. */
export function adoptEarly(side: Side, connection: Connection, pool: HostPool | null): Http1Client {
  const client = side.http1Clients.acquire();
  client.adopt(connection, connection.endpoint!, pool);
  return client;
}

/** Keeps a connection for the next request, or closes it when there are enough. */
export function giveBack(side: Side, client: Http1Client): void {
  const pool = client.pool;
  if (
    pool === null ||
    side.draining ||
    client.target.retired ||
    pool.idle.length >= side.config.poolIdleConnectionsMax
  ) {
    client.close();
    return;
  }
  client.rest();
  client.idleSinceMs = side.plane.reactor.nowMs;
  pool.idle.push(client);
  side.idle.append(client);
}

/** Closes the connections that have been idle for the pool's timeout, and forgets pools that are empty. */
export function expireIdle(side: Side): void {
  const idleSinceMax = side.plane.reactor.nowMs - side.config.poolIdleTimeoutMs;
  for (let client = side.idle.first; client !== null && client.idleSinceMs <= idleSinceMax; client = side.idle.first) {
    const { pool, target } = client;
    client.dropIdle();
    if (pool !== null && pool.idle.length === 0) target.pools.delete(pool.key);
  }
}
