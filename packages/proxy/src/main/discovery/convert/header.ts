import { httpTypes } from "@bowline/contracts/proto";
import { InvalidMessage, required } from "./invalid-message.ts";

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 §5.5: visible bytes, spaces, tabs, and whatever is above ASCII. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** RFC 3986 §3.1. */
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*$/;

/** A field's name, in lower case as everywhere in the proxy. */
export function convertHeaderName(name: string): string {
  if (!TOKEN.test(name)) throw new InvalidMessage(`"${name}" is not a header name`);
  return name.toLowerCase();
}

/** A field's value as latin-1 text: a character for a byte. */
export function convertHeaderValue(value: Uint8Array): string {
  const text = Buffer.from(value).toString("latin1");
  if (!FIELD_VALUE.test(text)) throw new InvalidMessage("a header value holds control characters");
  return text;
}

/** A method as it stands in a request line. */
export function convertMethod({ type }: httpTypes.HttpMethod): string {
  const method = required(type.case === "registered" ? REGISTERED_METHODS.get(type.value) : type.value, "method");
  if (!TOKEN.test(method)) throw new InvalidMessage(`"${method}" is not a method`);
  return method;
}

/** A URI's scheme, in lower case. */
export function convertScheme({ type }: httpTypes.Scheme): string {
  const scheme = required(type.case === "registered" ? REGISTERED_SCHEMES.get(type.value) : type.value, "scheme");
  if (!SCHEME.test(scheme)) throw new InvalidMessage(`"${scheme}" is not a scheme`);
  return scheme.toLowerCase();
}

const REGISTERED_METHODS: ReadonlyMap<number, string> = new Map(
  Object.entries(httpTypes.HttpMethod_Registered).map(([name, number]) => [number, name]),
);
const REGISTERED_SCHEMES: ReadonlyMap<number, string> = new Map(
  Object.entries(httpTypes.Scheme_Registered).map(([name, number]) => [number, name]),
);
