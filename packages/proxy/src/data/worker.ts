import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { clearWakeup, EPOLLIN, LinuxIo, Source } from "@bowline/loop";
import type { DataThreadStart, FromData, ToData } from "../boundary.ts";
import { Logger } from "../log/logger.ts";
import { Plane } from "./plane.ts";

type Port = NonNullable<typeof parentPort>;

/** Turns one data plane for as long as the process lives. An exception ends the thread; the main thread starts another. */
function runDataThread(start: DataThreadStart, port: Port): never {
  const post = (message: FromData): void => port.postMessage(message);
  const log = new Logger({
    filter: start.logFilter,
    thread: start.thread,
    emit: (record) => post({ kind: "log", record }),
  });
  const plane = new Plane(new LinuxIo(start.openFds), start.config, log);
  const { destination, policy } = start.config;
  if (destination.service !== null || policy.service !== null) plane.discover(post);
  for (const { direction, fd, address } of start.listeners) plane.listen(direction, fd, address);
  const mailbox = new Mailbox(plane, port, start.wakeFd);
  plane.reactor.add(mailbox, start.wakeFd, EPOLLIN);
  post({ kind: "started" });
  let drained = false;
  for (;;) {
    plane.reactor.turn();
    start.beats[0]! += 1;
    if (mailbox.draining && !drained && plane.open === 0) {
      drained = true;
      post({ kind: "drained" });
    }
  }
}

/** What the main thread asks, read when it wakes the loop. */
class Mailbox extends Source {
  draining = false;
  readonly #plane: Plane;
  readonly #port: Port;
  readonly #wakeFd: number;

  constructor(plane: Plane, port: Port, wakeFd: number) {
    super();
    this.#plane = plane;
    this.#port = port;
    this.#wakeFd = wakeFd;
  }

  override onReady(_events: number): void {
    clearWakeup(this.#wakeFd);
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
      this.#handle(next.message as ToData);
    }
  }

  #handle(message: ToData): void {
    switch (message.kind) {
      case "snapshot": {
        const answer: FromData = { kind: "snapshot", id: message.id, snapshot: this.#plane.snapshot() };
        this.#port.postMessage(answer);
        break;
      }
      case "log-filter":
        this.#plane.log.setFilter(message.text);
        break;
      case "outbound":
        this.#plane.outbound.discovery?.onOutbound(message.target, message.outbound);
        break;
      case "endpoints":
        this.#plane.outbound.discovery?.onEndpoints(message.path, message.update);
        break;
      case "drain":
        this.draining = true;
        this.#plane.drain();
        this.#port.postMessage({ kind: "stopped-accepting" } satisfies FromData);
        break;
    }
  }
}

if (parentPort === null) throw new Error("the data thread runs as a worker of the proxy's main thread");
runDataThread(workerData as DataThreadStart, parentPort);
