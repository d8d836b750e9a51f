/**
 * A program of its own, so that it can run inside the namespace:
 *
 *     hold-connections.ts PATH PORT CONNECTIONS REQUESTS_PER_SECOND SECONDS SERVICES
 *
 * Opens the connections, to PORT of the backend or, when SERVICES is not 0, to so many services in turn; asks once on each, then goes round them at the given rate; prints `steady` after SECONDS of
 * that and goes on until it is killed. Ends with 1 when a connection closes or an answer is late.
 */
import { connect, type Socket } from "node:net";
import { BACKEND_ADDRESS, SERVICE_PORT, serviceAddress } from "../addresses.ts";
import { BODIES } from "../cases.ts";

/** So many connections are opened at once: this measures memory, not the listen queue. */
const WAVE = 100;
const TICK_MS = 20;
const ANSWER_LIMIT_MS = 5_000;

const [path = "/small", ...numbers] = process.argv.slice(2);
const [port = 0, connections = 0, requestsPerSecond = 0, seconds = 0, services = 0] = numbers.map(Number);
const body = BODIES[path] ?? "";

class HeldConnection {
  readonly #socket: Socket;
  readonly #request: string;
  #received = "";
  #askedMs = 0;
  #onAnswer: (() => void) | null = null;

  constructor(number: number) {
    const address = services === 0 ? BACKEND_ADDRESS : serviceAddress(1 + (number % services));
    this.#request = `GET ${path} HTTP/1.1\r\nHost: ${address}\r\n\r\n`;
    this.#socket = connect(services === 0 ? port : SERVICE_PORT, address);
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (chunk) => this.#read(chunk.toString("latin1")));
    this.#socket.on("error", (error) => fail(String(error)));
    this.#socket.on("close", () => fail("a connection was closed"));
  }

  ask(): Promise<void> {
    this.#askedMs = performance.now();
    this.#socket.write(this.#request);
    return new Promise((resolve) => {
      this.#onAnswer = resolve;
    });
  }

  get busy(): boolean {
    return this.#onAnswer !== null;
  }

  get late(): boolean {
    return this.busy && performance.now() - this.#askedMs > ANSWER_LIMIT_MS;
  }

  #read(text: string): void {
    this.#received += text;
    if (!this.#received.endsWith(body)) return;
    this.#received = "";
    this.#onAnswer?.();
    this.#onAnswer = null;
  }
}

const held: HeldConnection[] = [];
setInterval(() => {
  if (held.some((connection) => connection.late)) fail(`no answer within ${ANSWER_LIMIT_MS} ms`);
}, 1_000);

while (held.length < connections) {
  const wave = Array.from(
    { length: Math.min(WAVE, connections - held.length) },
    (_, i) => new HeldConnection(held.length + i),
  );
  held.push(...wave);
  await Promise.all(wave.map((connection) => connection.ask()));
}
goRound();

function goRound(): void {
  const startedMs = performance.now();
  let turns = 0;
  let steady = false;
  setInterval(() => {
    const elapsedSeconds = (performance.now() - startedMs) / 1000;
    for (; turns < elapsedSeconds * requestsPerSecond; turns++) {
      const connection = held[turns % held.length]!;
      if (!connection.busy) void connection.ask();
    }
    if (steady || elapsedSeconds < seconds) return;
    steady = true;
    console.log("steady");
  }, TICK_MS);
}

function fail(reason: string): never {
  console.error(reason);
  process.exit(1);
}
