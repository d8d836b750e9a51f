import { type FuzzTarget, loadInputs, Random } from "@bowline/testkit";
import { FRAME_HEAD_BYTES, Role } from "@bowline/wire";
import { Owner, SETTINGS } from "./http2-peer.ts";
import { http2Seeds, http2Words } from "./http2-seeds.ts";
import { Revealed } from "./revealed.ts";

const NOW_MS = 1_000_000;
const REQUESTS = 3;
/** What a few KB of input may leave in the sink of an owner that empties it after every piece. */
const SINK_BYTES_MAX = 128 << 10;

/**
 * What a peer sends on one connection; the first byte says whether to a server or a client. A calm owner is told the same
 * however the bytes are cut. A busy one answers, holds back, resets and drains at random, and whatever it does, the
 * engine keeps what it promises to owners and writes whole frames.
 */
export const http2Target: FuzzTarget = {
  name: "http2",
  seeds: [...http2Seeds(), ...loadInputs("http2").map(({ bytes }) => bytes)],
  words: http2Words(),
  bytesMax: 4096,
  run: (input, random) => {
    const role = ((input[0] ?? 0) & 1) === 0 ? Role.Server : Role.Client;
    const bytes = input.subarray(1);
    const whole = tellCalmly(role, bytes, new Revealed(bytes, new WholeRandom()));
    const pieces = tellCalmly(role, bytes, new Revealed(bytes, random));
    if (pieces !== whole) throw new Error(`told in pieces\n${pieces}\nand in one\n${whole}`);
    tellBusily(role, new Revealed(bytes, random), random);
    return wayOf(role, whole);
  },
};

/** Which kinds of things happened, and how it ended: in more detail, nearly every input would be a way of its own. */
function wayOf(role: Role, told: string): string {
  const kinds = told
    .split("\n")
    .map((event) => event.replace(/(?<=data ).*(?= last)|(?<=data ).*|^took.*/, "").replaceAll(/\d+/g, "0"));
  return `${role} ${[...new Set(kinds)].sort().join(", ")}`.slice(0, 300);
}

/** Lets everything arrive at once. */
class WholeRandom extends Random {
  constructor() {
    super(0);
  }

  override between(_min: number, max: number): number {
    return max;
  }

  override upTo(max: number): number {
    return max;
  }
}

/** What an owner is told that always has done the same by the same byte of the input. */
function tellCalmly(role: Role, input: Uint8Array, revealed: Revealed): string {
  const owner = start(role, null);
  let at = 0;
  while (revealed.more()) {
    at = receive(owner, revealed, at, NOW_MS);
    owner.empty();
  }
  const { connection, events } = owner;
  const ended = connection.failed ? `failed ${connection.errorCode} ${connection.errorReason}` : `took ${at}`;
  if (at > input.length) throw new Error(`took ${at} of ${input.length} bytes`);
  owner.lost();
  return [...events, ended].join("\n");
}

function tellBusily(role: Role, revealed: Revealed, random: Random): void {
  const owner = start(role, random);
  let at = 0;
  let nowMs = NOW_MS;
  while (revealed.more()) {
    nowMs += random.chance(0.3) ? random.between(0, 2000) : 0;
    at = receive(owner, revealed, at, nowMs);
    if (owner.sink.end > SINK_BYTES_MAX) throw new Error(`${owner.sink.end} bytes in the sink`);
    owner.idle();
    if (random.chance(0.7)) owner.empty();
    if (random.chance(0.1)) {
      owner.connection.checkStalled(nowMs, 5000);
      owner.connection.checkOpening(nowMs);
    }
  }
  owner.empty();
  owner.lost();
}

function start(role: Role, random: Random | null): Owner {
  const owner = new Owner(role, random);
  owner.connection.begin(NOW_MS);
  if (role === Role.Client) for (let i = 0; i < REQUESTS; i++) owner.open(i > 0);
  owner.empty();
  return owner;
}

function receive(owner: Owner, revealed: Revealed, at: number, nowMs: number): number {
  const next = owner.connection.receive(revealed.bytes, at, revealed.end, nowMs);
  if (next < at || next > revealed.end) throw new Error(`took [${at}, ${revealed.end}) up to ${next}`);
  if (revealed.end - next >= FRAME_HEAD_BYTES + SETTINGS.frameBytesMax) throw new Error("left a whole frame");
  return next;
}
