/** What decoding one header block came to. */
export const HpackStep = {
  Ok: 1,
  /** RFC 9113 §4.3: the connection ends with COMPRESSION_ERROR; the decoder is of no more use. */
  CompressionError: 2,
  /** Over a limit on lists. The table is in step with the peer's; `fields` holds what fitted. */
  ListTooLarge: 3,
} as const;
export type HpackStep = (typeof HpackStep)[keyof typeof HpackStep];
