/** How long an overloaded server asks to be left alone. */

/**
 * The milliseconds a Retry-After field asks for (RFC 9110 §10.2.3): seconds, or a date from which the time until then
 * is taken. 0 when it asks for nothing that can be understood. Meant for responses with 429 and 503.
 *
 * @param wallMs the time of day, in ms since 1970
 */
export function parseRetryAfter(value: string, wallMs: number): number {
  const text = value.trim();
  if (/^[0-9]{1,12}$/.test(text)) return Number(text) * 1000;
  // The formats of RFC 9110 §5.6.7 begin with a day's name and end with GMT or a year.
  if (!/^[A-Z][a-z]{2,8},? .*(GMT|[0-9]{4})$/.test(text)) return 0;
  const date = Date.parse(text.endsWith("GMT") ? text : `${text} GMT`);
  return Number.isNaN(date) ? 0 : Math.max(date - wallMs, 0);
}

/** The milliseconds a grpc-retry-pushback-ms field asks for; a negative one asks for no retry at all, which is 0 here. */
export function parseRetryPushback(value: string): number {
  const text = value.trim();
  return /^[0-9]{1,10}$/.test(text) ? Math.min(Number(text), 2 ** 31 - 1) : 0;
}
