/** What a step of head parsing came to. Codes above Ok are the peer's errors; the head is then of no use. */
export const HeadStep = {
  NeedMore: 0,
  Ok: 1,
  TooLarge: 2,
  TooManyFields: 3,
  BadStartLine: 4,
  BadMethod: 5,
  BadTarget: 6,
  BadVersion: 7,
  BadFieldName: 8,
  SpaceBeforeColon: 9,
  ObsFold: 10,
  BareCr: 11,
  BadFieldValue: 12,
  BadContentLength: 13,
  ContentLengthConflict: 14,
  LengthWithTransferEncoding: 15,
  BadTransferEncoding: 16,
  TransferEncodingInHttp10: 17,
  MultipleHosts: 18,
  BadHost: 19,
} as const;
export type HeadStep = (typeof HeadStep)[keyof typeof HeadStep];

const REASONS: readonly string[] = [
  "need-more",
  "ok",
  "head-too-large",
  "too-many-fields",
  "bad-start-line",
  "bad-method",
  "bad-target",
  "bad-version",
  "bad-field-name",
  "space-before-colon",
  "obs-fold",
  "bare-cr",
  "bad-field-value",
  "bad-content-length",
  "content-length-conflict",
  "length-with-transfer-encoding",
  "bad-transfer-encoding",
  "transfer-encoding-in-http10",
  "multiple-hosts",
  "bad-host",
];

/** The stable name of a step, for `l5d-proxy-error`, metrics and logs. */
export function headErrorReason(step: HeadStep): string {
  return REASONS[step] ?? "unknown";
}

/** Whether a head was refused for its size, which is answered 431 (RFC 6585 §5); every other error is answered 400. */
export function isHeadSizeError(step: HeadStep): boolean {
  return step === HeadStep.TooLarge || step === HeadStep.TooManyFields;
}
