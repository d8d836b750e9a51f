import type { ServerResponse } from "node:http";
import { ApiError, type Status } from "@bowline/kube";
import { stringify as toYaml } from "yaml";
import type { Accepted } from "./accept.ts";

/** Ends the response with an object. Nothing happens to one that is under way or gone. */
export function sendObject(
  response: ServerResponse,
  code: number,
  object: unknown,
  format: Accepted["format"] = "json",
  pretty = false,
): void {
  const text = format === "yaml" ? toYaml(object) : `${JSON.stringify(object, undefined, pretty ? 2 : undefined)}\n`;
  sendBytes(response, code, `application/${format}`, Buffer.from(text));
}

export function sendBytes(response: ServerResponse, code: number, contentType: string, bytes: Uint8Array): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(code, { "content-type": contentType, "content-length": bytes.length });
  response.end(bytes);
}

/** The Status of a failure, whatever it is. */
export function statusOf(error: unknown): Status {
  if (error instanceof ApiError) return error.toStatus();
  return ApiError.internal(
    `Internal error occurred: ${error instanceof Error ? error.message : String(error)}`,
  ).toStatus();
}

/** Kubernetes' answer to a path that nothing is served at. */
export function sendNotServed(response: ServerResponse): void {
  sendBytes(response, 404, "text/plain; charset=utf-8", Buffer.from("404 page not found\n"));
}

/**
 * A `Warning` header's value, RFC 7234 §5.5, as Kubernetes sends them: code 299 and no agent.
 * @param text anything; what has no place in a header is left out
 */
export function warningHeader(text: string): string {
  const clean = text.replace(/[^\x20-\x7e\x80-\uffff]+/g, " ").replace(/[^\x20-\x7e]/g, "?");
  return `299 - "${clean.replace(/["\\]/g, "\\$&")}"`;
}
