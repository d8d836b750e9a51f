import { Flag } from "../frame.ts";
import { Role } from "../handler.ts";
import { frame, GET, headers, joined, listOf, POST, ping } from "./frames.ts";
import { EngineUnderTest } from "./peer.ts";

/**
 * What a peer sends and what the engine answers: a connection error ("GoAway CODE last ID"), a stream error
 * ("RstStream ID CODE"), other frames, or "" when the bytes are in order.
 */
export type Row = readonly [name: string, bytes: Uint8Array, want: string];

/** Cutting 16 KiB of zeros everywhere shows nothing more. */
const CUTS_MAX = 600;

/**
 * Throws unless the answer is the wanted one, the same however the bytes are cut, and nothing more comes of the
 * connection after a connection error.
 */
export function checkAnswer(make: () => EngineUnderTest, bytes: Uint8Array, want: string): void {
  const engine = make();
  const whole = answerTo(engine, bytes, []);
  if (whole.sent !== want) throw new Error(`wanted "${want}", got "${whole.sent}" (${engine.connection.errorReason})`);
  if (engine.connection.failed !== want.startsWith("GoAway")) throw new Error("failed or not, against the answer");
  const everyByte = Array.from({ length: Math.min(bytes.length, CUTS_MAX) }, (_, i) => i);
  const cut = answerTo(make(), bytes, everyByte);
  if (cut.sent !== whole.sent) throw new Error(`byte by byte: "${cut.sent}"`);
  if (cut.told !== whole.told) throw new Error(`told byte by byte:\n${cut.told}\nand in one:\n${whole.told}`);
  if (!engine.connection.failed) return;
  engine.receive(joined(headers(99, GET, true), ping()));
  const more = [...engine.sent(), ...engine.events()].join(", ");
  if (more !== "") throw new Error(`after its end: ${more}`);
}

function answerTo(engine: EngineUnderTest, bytes: Uint8Array, cuts: readonly number[]): { sent: string; told: string } {
  const left = engine.receiveCut(bytes, cuts);
  if (left !== 0) throw new Error(`${left} bytes were not taken`);
  return { sent: engine.sent().join(", "), told: mergePieces(engine.events()).join("\n") };
}

/** Payloads arrive in whatever pieces; what counts is how much they come to. */
function mergePieces(events: readonly string[]): string[] {
  const merged: string[] = [];
  let bytes = 0;
  for (const event of events) {
    const [, stream, payload = "", last] = /^(data \d+) (.*?)( end)?$/s.exec(event) ?? [];
    if (stream === undefined) {
      merged.push(event);
      continue;
    }
    if (merged.at(-1)?.startsWith(`${stream}: `)) merged.pop();
    else bytes = 0;
    bytes += Number(/^(\d+) bytes$/.exec(payload)?.[1] ?? payload.length);
    merged.push(`${stream}: ${bytes}${last ?? ""}`);
  }
  return merged;
}

/** A client that has opened stream 1 with POST, 3 with HEAD, 5 with CONNECT; nothing of them has ended. */
export function clientWithRequests(): EngineUnderTest {
  const engine = EngineUnderTest.started(Role.Client);
  engine.connection.openStream(1, listOf(POST), false);
  engine.connection.openStream(3, listOf({ ...GET, ":method": "HEAD" }), false);
  engine.connection.openStream(5, listOf({ ":method": "CONNECT", ":authority": "a:1" }), false);
  engine.sent();
  return engine;
}

export function padded(type: number, flags: number, id: number, pad: number, payload: Uint8Array): Uint8Array {
  return frame(type, flags | Flag.Padded, id, joined(Uint8Array.of(pad), payload, new Uint8Array(pad)));
}
