/** What one side of a connection allows the other, and how much it holds. All sizes in bytes. */
export interface Http2Settings {
  /** Largest dynamic table of the peer's encoder (RFC 7541 §4.2). */
  readonly headerTableBytes: number;
  /** Streams the peer may have open at once; 0 sets no limit. */
  readonly concurrentStreamsMax: number;
  readonly initialStreamWindowBytes: number;
  readonly initialConnectionWindowBytes: number;
  /** Widen windows that limit throughput, up to WINDOW_BYTES_MAX. */
  readonly adaptiveWindow: boolean;
  /** Largest frame taken: 16,384 to 16,777,215 (RFC 9113 §4.2). */
  readonly frameBytesMax: number;
  /** Largest header list, counted as RFC 9113 §6.5.2 does. */
  readonly headerListBytesMax: number;
  readonly headerFieldsMax: number;
  /** Streams of the peer that may come to nothing at once, see WASTED_STREAMS; null: by that rule. */
  readonly wastedStreamsMax: number | null;
  /** Server: extended CONNECT is taken (RFC 8441). */
  readonly connectProtocol: boolean;
  /** sendData() takes nothing while the sink holds this much. */
  readonly outputBytesMax: number;
  /**
   * Received bytes not yet consumed, over all streams, up to which the connection's window is given back on arrival.
   * A peer makes us hold at most this and one connection window.
   */
  readonly unconsumedBytesMax: number;
}

/**
 * The stream and connection windows are Linkerd's. 256 streams a connection are what its HTTP/2 library has for a
 * server; clients learn of them by SETTINGS.
 */
export const DEFAULT_HTTP2_SETTINGS: Http2Settings = {
  headerTableBytes: 4096,
  concurrentStreamsMax: 256,
  initialStreamWindowBytes: 65_535,
  initialConnectionWindowBytes: 1 << 20,
  adaptiveWindow: true,
  frameBytesMax: 1 << 14,
  headerListBytesMax: 64 << 10,
  headerFieldsMax: 256,
  wastedStreamsMax: null,
  connectProtocol: true,
  outputBytesMax: 64 << 10,
  unconsumedBytesMax: 8 << 20,
};
