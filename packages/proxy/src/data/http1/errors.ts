import { L5D_HEADERS } from "@bowline/contracts";
import type { Buf } from "@bowline/loop";
import { type Cause, FAILURES } from "../failures.ts";
import { REASON_PHRASES } from "./reason-phrases.ts";

/**
 * Writes the response that stands for a failure into buf at `at` and returns its end: no body, `connection: close`
 * and, where the client may know (proxy-facts §4.11), what went wrong, once for people and once for machines.
 * @param detail adds to the failure's message, such as the address that refused; "" for none
 */
export function writeErrorResponse(buf: Buf, at: number, cause: Cause, detail: string, informational: boolean): number {
  const { status, name, message, clientFault } = FAILURES[cause];
  let text = `HTTP/1.1 ${status} ${REASON_PHRASES[status] ?? "Error"}\r\ncontent-length: 0\r\nconnection: close\r\n`;
  if (informational || clientFault) {
    text += `${L5D_HEADERS.proxyError}: ${detail === "" ? message : `${message} (${detail})`}\r\n`;
    text += `${L5D_HEADERS.proxyErrorCause}: ${name}\r\n`;
  }
  text += "\r\n";
  for (let i = 0; i < text.length; i++) buf.bytes[at + i] = text.charCodeAt(i);
  return at + text.length;
}
