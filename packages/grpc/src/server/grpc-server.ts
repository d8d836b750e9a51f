import { ErrorCode } from "@bowline/wire";
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import type { ByteStream, Listening } from "../byte-stream.ts";
import { encodeMessage } from "../encode.ts";
import type { ServerMethod, ServiceImplementation } from "./implementation.ts";
import { type GrpcServerOptions, type ServerSetup, serverSetup } from "./server-options.ts";
import { ServerSession } from "./server-session.ts";

/** How often connections are looked at: the grain of keep-alive and of the engine's limits on slow peers. */
const TICK_MS = 1_000;

/** Serves gRPC on HTTP/2 with prior knowledge. TLS, where there is to be any, is the transport's. */
export class GrpcServer {
  readonly setup: ServerSetup;
  /** Calls with a handler at work. */
  openCalls = 0;
  /** Bytes sent by handlers and not yet taken by connections. */
  bufferedBytes = 0;
  readonly #methods = new Map<string, ServerMethod>();
  readonly #sessions = new Set<ServerSession>();
  readonly #listening: Listening[] = [];
  #stopTicking: (() => void) | null = null;
  #draining = false;
  #onEmpty: (() => void)[] = [];

  constructor(options: GrpcServerOptions = {}) {
    this.setup = serverSetup(options);
  }

  /** Connections there are. */
  get connections(): number {
    return this.#sessions.size;
  }

  /** Serves a service's methods; those the implementation leaves out stay UNIMPLEMENTED. */
  add<S extends DescService>(service: S, implementation: ServiceImplementation<S>): this {
    const handlers: Readonly<Record<string, unknown>> = { ...implementation };
    for (const method of service.methods) {
      const handler = handlers[method.localName];
      // The type of `implementation` has checked it against the descriptor, whose types end here.
      if (handler !== undefined) this.#methods.set(methodPath(method), serverMethod(method, handler));
    }
    return this;
  }

  /** @returns the port, which the system chose when 0 was asked for */
  async listen(address: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }> {
    const { limits, listen } = this.setup;
    const options = { ...address, connectionsMax: limits.connectionsMax };
    const listening = await listen(options, (stream) => this.accept(stream));
    this.#listening.push(listening);
    return { port: listening.port };
  }

  /** Serves a connection that came some other way than through listen(). */
  accept(stream: ByteStream): void {
    if (this.#draining || this.#sessions.size >= this.setup.limits.connectionsMax) {
      stream.destroy();
      return;
    }
    const session = new ServerSession(this, stream);
    this.#sessions.add(session);
    if (this.#stopTicking === null) this.#scheduleTick();
    session.begin();
  }

  /**
   * Takes no connections and no calls any more, and waits until those it has are over. What never ends by itself, such
   * as a watch, its handler must end, or close() after a while.
   */
  drain(): Promise<void> {
    this.#stopListening();
    for (const session of this.#sessions) session.drain();
    return this.#empty();
  }

  /** Ends everything: open calls are cut off. */
  async close(): Promise<void> {
    this.#stopListening();
    for (const session of this.#sessions) session.link.close(ErrorCode.NoError, null);
    await this.#empty();
  }

  method(path: string): ServerMethod | undefined {
    return this.#methods.get(path);
  }

  onCallClosed(): void {
    this.openCalls--;
  }

  onSessionClosed(session: ServerSession): void {
    this.#sessions.delete(session);
    if (this.#sessions.size > 0) return;
    this.#stopTicking?.();
    this.#stopTicking = null;
    const waiting = this.#onEmpty;
    this.#onEmpty = [];
    for (const resolve of waiting) resolve();
  }

  #stopListening(): void {
    this.#draining = true;
    for (const listening of this.#listening.splice(0)) listening.close();
  }

  #empty(): Promise<void> {
    if (this.#sessions.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  #scheduleTick(): void {
    this.#stopTicking = this.setup.clock.after(TICK_MS, () => {
      this.#scheduleTick();
      const nowMs = this.setup.clock.nowMs();
      for (const session of this.#sessions) session.tick(nowMs);
    });
  }
}

function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function serverMethod(method: DescMethod, handler: unknown): ServerMethod {
  const entry = {
    service: method.parent.typeName,
    method: method.name,
    kind: method.methodKind,
    decode: (bytes: Uint8Array) => fromBinary(method.input, bytes),
    encode: (message: MessageInitShape<DescMessage>) => encodeMessage(method.output, create(method.output, message)),
    handler,
  };
  return entry as ServerMethod;
}
