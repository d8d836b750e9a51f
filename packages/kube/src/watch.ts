import { ApiError } from "./api-error.ts";
import type { KubeObject, Status, WatchEvent } from "./types.ts";

// etcd takes objects of 1.5 MiB by default; JSON with managed fields is somewhat longer.
const LINE_BYTES_MAX = 16 * 1024 * 1024;
const NEWLINE = 10;

/**
 * The events of a watch's answer, one JSON object a line.
 * @throws ApiError for an ERROR event (410 when the version asked for is too old) and for lines that can't be read
 */
export async function* watchEvents<T extends KubeObject>(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  for await (const line of lines(body)) {
    const event = parseEvent(line);
    if (event.type === "ERROR") throw ApiError.fromStatus(event.object as Partial<Status>);
    yield event as WatchEvent<T>;
  }
}

/** The lines of a byte stream, however it is cut. Empty ones and one that isn't ended are left out. */
export async function* lines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let pieces: Uint8Array[] = [];
  let pieceBytes = 0;
  for await (const chunk of body) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      pieces.push(chunk.subarray(from, end));
      const line = decoder.decode(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces));
      pieces = [];
      pieceBytes = 0;
      from = end + 1;
      if (line.trim() !== "") yield line;
    }
    if (from === chunk.length) continue;
    pieces.push(chunk.slice(from));
    pieceBytes += chunk.length - from;
    if (pieceBytes > LINE_BYTES_MAX) throw ApiError.internal(`the server sent a line of over ${LINE_BYTES_MAX} bytes`);
  }
}

function parseEvent(line: string): { type: string; object: unknown } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (cause) {
    throw ApiError.internal(`the server sent an event that is not JSON: ${line.slice(0, 200)}`, { cause });
  }
  if (typeof parsed === "object" && parsed !== null && "type" in parsed && "object" in parsed) {
    return parsed as { type: string; object: unknown };
  }
  throw ApiError.internal(`the server sent something that is not an event: ${line.slice(0, 200)}`);
}
