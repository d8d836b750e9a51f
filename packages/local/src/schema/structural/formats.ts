import { isIP, isIPv4, isIPv6 } from "node:net";

/** Whether a text is not of the OpenAPI format named. Formats that are not known are not looked at. */
export function formatIsWrong(format: string, text: string): boolean {
  return FORMATS[format]?.(text) === false;
}

const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  "date-time": isDateTime,
  datetime: isDateTime,
  date: (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)),
  duration: (text) =>
    /^-?(\d+(\.\d*)?|\.\d+)\s?(ns|us|µs|ms|s|m|h|d)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d))*$|^0$/.test(text),
  ipv4: isIPv4,
  ipv6: isIPv6,
  cidr: isCidr,
  mac: (text) => /^([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$/.test(text),
  uri: (text) => text.startsWith("/") || URL.canParse(text),
  email: (text) => /^[^\s@]+@[^\s@]+$/.test(text),
  hostname: (text) =>
    text.length <= 255 &&
    /^[a-zA-Z0-9_]([-a-zA-Z0-9_]*[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([-a-zA-Z0-9_]*[a-zA-Z0-9_])?)*\.?$/.test(text),
  uuid: (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text),
  byte: isBase64,
};

export function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

/** "10.0.0.0/8", "fd00::/64". */
function isCidr(text: string): boolean {
  const slash = text.indexOf("/");
  const family = isIP(text.slice(0, Math.max(slash, 0)));
  const bits = text.slice(slash + 1);
  return family !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}

function isDateTime(text: string): boolean {
  return (
    /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/.test(text) &&
    !Number.isNaN(Date.parse(text))
  );
}
