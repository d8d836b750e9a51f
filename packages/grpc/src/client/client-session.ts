import {
  type ErrorCode,
  type FieldList,
  ErrorCode as Http2Error,
  type Http2Stream,
  type ResetBy,
  Role,
} from "@bowline/wire";
import type { ByteStream } from "../byte-stream.ts";
import { KeepAlive, KeepAliveStep } from "../keep-alive.ts";
import { Http2Link, type LinkOwner } from "../link.ts";
import type { ChannelSetup } from "./channel-options.ts";
import type { ClientCall } from "./client-call.ts";

/** Who has the connection. */
export interface SessionOwner {
  readonly setup: ChannelSetup;
  /** The server's SETTINGS are here: calls may go out. */
  onSessionReady(session: ClientSession): void;
  /** There may be room for another call. */
  onSessionRoom(session: ClientSession): void;
  /** No new calls on it; those it has go on. */
  onSessionGoingAway(session: ClientSession): void;
  onSessionClosed(session: ClientSession, error: Error | null): void;
}

/** One connection of a channel. */
export class ClientSession implements LinkOwner<ClientCall> {
  readonly link: Http2Link<ClientCall>;
  openCalls = 0;
  ready = false;
  /** A response came: the connection is good for something, not only open. */
  proved = false;
  readonly #owner: SessionOwner;
  readonly #keepAlive: KeepAlive;
  #goingAway = false;

  constructor(owner: SessionOwner, stream: ByteStream) {
    const { http2, clock, keepAlive } = owner.setup;
    this.#owner = owner;
    this.link = new Http2Link(Role.Client, http2, this, stream, clock);
    this.#keepAlive = new KeepAlive(keepAlive, clock.nowMs());
  }

  begin(): void {
    this.link.begin();
  }

  /** Whether calls may be tried on it; it may still be full. */
  get usable(): boolean {
    return this.ready && !this.#goingAway && !this.link.closed && !this.link.http2.exhausted;
  }

  /** Takes a call, or has no room for it. */
  open(call: ClientCall): boolean {
    if (!this.link.http2.canOpen || !call.open(this)) return false;
    if (this.openCalls++ === 0) this.#keepAlive.onFirstCall(this.#owner.setup.clock.nowMs());
    return true;
  }

  reset(stream: Http2Stream<ClientCall>, code: ErrorCode): void {
    this.link.http2.reset(stream, code);
    this.link.flushSoon();
  }

  giveBack(stream: Http2Stream<ClientCall>, bytes: number): void {
    this.link.http2.consumed(stream, bytes);
    this.link.flushSoon();
  }

  onCallClosed(): void {
    this.openCalls--;
  }

  tick(nowMs: number): void {
    if (this.link.http2.exhausted && this.openCalls === 0) this.close(null);
    this.link.tick(this.#owner.setup.stallMsMax);
    const step = this.#keepAlive.check(nowMs, this.openCalls);
    if (step === KeepAliveStep.Ping) {
      this.link.http2.ping();
      this.link.flushSoon();
    } else if (step === KeepAliveStep.GiveUp) {
      this.close(new Error("no answer to a keep-alive ping"));
    }
  }

  close(error: Error | null): void {
    this.link.close(Http2Error.NoError, error);
  }

  // === from the engine ===

  onHead(stream: Http2Stream<ClientCall>, fields: FieldList, last: boolean): void {
    this.proved = true;
    stream.user?.onHead(fields, last);
  }

  onData(stream: Http2Stream<ClientCall>, bytes: Uint8Array, at: number, end: number, last: boolean): void {
    const call = stream.user;
    if (call === null) this.link.http2.consumed(stream, end - at);
    else call.onData(bytes, at, end, last);
  }

  onTrailers(stream: Http2Stream<ClientCall>, fields: FieldList): void {
    stream.user?.onTrailers(fields);
  }

  onReset(stream: Http2Stream<ClientCall>, code: ErrorCode, by: ResetBy): void {
    stream.user?.onReset(code, by, this.link.closeError);
  }

  onWritable(stream: Http2Stream<ClientCall>): void {
    stream.user?.onWritable();
  }

  onRoomForStreams(): void {
    if (this.usable) this.#owner.onSessionRoom(this);
  }

  onGoAway(_code: ErrorCode, _lastStreamId: number): void {
    this.#goingAway = true;
    this.#owner.onSessionGoingAway(this);
  }

  onPong(): void {
    // KeepAlive counts any byte as an answer.
  }

  onReceived(): void {
    this.#keepAlive.onReceived(this.#owner.setup.clock.nowMs());
    if (this.ready || !this.link.http2.settingsSeen || this.link.http2.failed) return;
    this.ready = true;
    this.#owner.onSessionReady(this);
  }

  onLinkClosed(error: Error | null): void {
    this.#owner.onSessionClosed(this, error);
  }
}
