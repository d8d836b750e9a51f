/** Every address of both families. */
export const ANY_HOST = "::";
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
