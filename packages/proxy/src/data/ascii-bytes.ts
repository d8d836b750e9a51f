/** The bytes of an ASCII text, for tables made when a module loads. */
export function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
