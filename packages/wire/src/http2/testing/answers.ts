import { Flag } from "../frame.ts";
import { Role } from "../handler.ts";
import { frame, GET, headers, joined, listOf, POST, ping } from "./frames.ts";
import { EngineUnderTest } from "./peer.ts";

/**
 * What a peer sends and what the engine answers: a connection error ("GoAway CODE last ID"), a stream error
 * ("RstStream ID CODE"), other frames, or "" when the bytes are in order.
 */
export type Row = readonly [name: string, bytes: Uint8Array, want: string];

/** Throws unless the answer is the wanted one; after a connection error nothing more may come of the connection. */
export function checkAnswer(engine: EngineUnderTest, bytes: Uint8Array, want: string): void {
  const left = engine.receive(bytes);
  if (left !== 0) throw new Error(`${left} bytes were not taken`);
  const answer = engine.sent().join(", ");
  if (answer !== want) throw new Error(`wanted "${want}", got "${answer}" (${engine.connection.errorReason})`);
  if (engine.connection.failed !== want.startsWith("GoAway")) throw new Error("failed or not, against the answer");
  if (!engine.connection.failed) return;
  engine.events();
  engine.receive(joined(headers(99, GET, true), ping()));
  const more = [...engine.sent(), ...engine.events()].join(", ");
  if (more !== "") throw new Error(`after its end: ${more}`);
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
