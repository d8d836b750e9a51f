/** Bits of Http2Stream.state. */
export const StreamBit = {
  /** We have sent END_STREAM. */
  LocalEnd: 1,
  /** The peer has sent END_STREAM. */
  RemoteEnd: 2,
  /** Reset by either side, or the connection is lost. */
  Reset: 4,
  /** The peer's request head or final response head has arrived. */
  HeadSeen: 8,
  /** The request was HEAD: a response has no content whatever its content-length says (RFC 9110 §8.6). */
  HeadRequest: 16,
  /** The request was CONNECT: a 2xx response makes the stream a tunnel (RFC 9113 §8.5). */
  ConnectRequest: 32,
  /** Only DATA and stream management may come (RFC 9113 §8.5). */
  Tunnel: 64,
  /** sendData() took less than it was offered: the caller waits for onWritable(). */
  Waiting: 128,
  /** In the queue for what all streams share: the connection's window and the room in the sink. */
  Queued: 256,
  /** No longer counted among the open streams: both sides have ended, or the stream was reset. */
  Done: 512,
  /** Nothing of this stream is known any more: the object waits to be used again. */
  Retired: 1024,
} as const;

export const STREAM_OVER: number = StreamBit.LocalEnd | StreamBit.RemoteEnd;

/** No content-length was given, or the message has none by its kind. */
export const LENGTH_UNKNOWN = -1;

export const NOT_STALLED = -1;
/** Held back since the last check. */
export const STALL_NEW = -2;

/**
 * One stream. Its fields except `user` belong to the engine; `user` is the caller's. Objects are used again: see
 * Http2Handler for when one is over.
 */
export class Http2Stream<U> {
  id: number;
  user: U | null;
  state: number;
  /** What the peer lets us send. Below zero when it has shrunk its initial window (RFC 9113 §6.9.2). */
  sendWindow: number;
  /** What we still let the peer send. */
  receiveWindow: number;
  /** What receiveWindow is brought back to as the caller consumes. */
  windowTarget: number;
  /** Delivered by onData() and not yet given back by consumed(). */
  unconsumed: number;
  /** Content bytes still to come by content-length, or LENGTH_UNKNOWN. */
  contentLeft: number;
  /** When the check for stalls first saw the peer's window hold this stream back; NOT_STALLED, STALL_NEW before. */
  stalledSinceMs: number;
  /** Bytes sent since then. */
  stalledBytes: number;
  /** Neighbours in the queue of waiting streams; `next` also links objects that wait for use. */
  next: Http2Stream<U> | null;
  previous: Http2Stream<U> | null;

  constructor() {
    this.id = 0;
    this.user = null;
    this.state = 0;
    this.sendWindow = 0;
    this.receiveWindow = 0;
    this.windowTarget = 0;
    this.unconsumed = 0;
    this.contentLeft = LENGTH_UNKNOWN;
    this.stalledSinceMs = NOT_STALLED;
    this.stalledBytes = 0;
    this.next = null;
    this.previous = null;
  }

  /** Whether the caller's side has ended, or the stream was reset. */
  get sentLast(): boolean {
    return (this.state & (StreamBit.LocalEnd | StreamBit.Reset)) !== 0;
  }

  /** Whether the peer's side has ended, or the stream was reset. */
  get receivedLast(): boolean {
    return (this.state & (StreamBit.RemoteEnd | StreamBit.Reset)) !== 0;
  }
}
