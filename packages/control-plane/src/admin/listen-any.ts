/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Every address of both families. */
const ANY_HOST = "::";
const ANY_IPV4_HOST = "0.0.0.0";

/** Listens on a host; where that is every address of both families and the system has no IPv6, on every IPv4 address. */
export async function listenAny<T>(host: string, listen: (host: string) => Promise<T>): Promise<T> {
  try {
    return await listen(host);
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
    if (host !== ANY_HOST || (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL")) throw error;
    return await listen(ANY_IPV4_HOST);
  }
}

/** Reads `HOST:PORT`, `[IPV6]:PORT` or `:PORT`, which is every address; null when the text is none of them. */
export function parseListenAddress(text: string): ListenAddress | null {
  const [, bracketed, plain = "", digits = ""] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port > 65_535) return null;
  const host = bracketed ?? plain;
  return { host: host === "" ? ANY_HOST : host, port };
}
