import { createConnection } from "node:net";

/** What a client saw. */
export interface Exchange {
  /** Status of the first answer that is not 1xx; 0 when there was none. */
  readonly status: number;
  /** Everything the client received, as latin1. */
  readonly answer: string;
}

const DEADLINE_MS = 10_000;

/**
 * Sends `bytes` in one write to a port of the loopback and reads the answer: up to its end of head, or, with
 * `untilClose`, until the other side closes.
 *
 * @throws Error when neither comes in ten seconds
 */
export function exchange(port: number, bytes: Uint8Array, untilClose: boolean): Promise<Exchange> {
  return new Promise<Exchange>((resolve, reject) => {
    let answer = "";
    const socket = createConnection({ host: "127.0.0.1", port, noDelay: true });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`port ${port} neither answered nor closed; it said ${JSON.stringify(answer.slice(0, 200))}`));
    }, DEADLINE_MS);
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ status: finalStatus(answer), answer });
    };
    socket.on("connect", () => socket.write(bytes));
    // A reset ends an exchange as a close does; what came before it counts.
    socket.on("error", finish);
    socket.on("close", finish);
    socket.on("data", (part) => {
      answer += typeof part === "string" ? part : part.toString("latin1");
      if (!untilClose && finalStatus(answer) !== 0 && answer.includes("\r\n\r\n")) finish();
    });
  });
}

function finalStatus(answer: string): number {
  const heads = answer.replace(/^(?:HTTP\/1\.\d 1\d\d[^\n]*\n(?:[^\r\n][^\n]*\n)*\r?\n)+/, "");
  return Number(/^HTTP\/\d(?:\.\d)? (\d{1,3})/.exec(heads)?.[1] ?? 0);
}
