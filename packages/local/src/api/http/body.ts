import type { IncomingMessage } from "node:http";
import { ApiError } from "@bowline/kube";
import { parse as parseYaml } from "yaml";
import { decodeObject, PROTOBUF } from "../protobuf/decode-object.ts";

/** What Kubernetes takes, and more than etcd would. */
const BODY_BYTES_MAX = 3 * 1024 * 1024;

/**
 * The whole body, or ApiError 413. A body that is too large is not read on: the connection has to be closed after the
 * answer.
 */
async function readBody(request: IncomingMessage, bytesMax: number = BODY_BYTES_MAX): Promise<Uint8Array> {
  if (Number(request.headers["content-length"] ?? "0") > bytesMax) throw tooLarge(bytesMax);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge(bytesMax);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Deeper than any object of Kubernetes, and than what walks through one can follow. */
const DEPTH_MAX = 256;

/** A body of JSON, YAML or protobuf; undefined when it is empty. Rejects with ApiError 400, 413 or 415. */
export async function readObject(request: IncomingMessage): Promise<unknown> {
  const type = mediaTypeOf(request);
  if (type === PROTOBUF) {
    const bytes = await readBody(request);
    return bytes.length === 0 ? undefined : assertPlain(decodeObject(bytes), 0);
  }
  const json = type === "" || type === "application/json";
  if (!json && type !== "application/yaml" && type !== "application/x-yaml") {
    const known = "application/json, application/yaml";
    throw ApiError.unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${known}`,
    );
  }
  const text = decodeText(await readBody(request));
  if (text.trim() === "") return undefined;
  return assertPlain(json ? parseJson(text) : fromYaml(text), 0);
}

/** A patch, which may also be YAML (server-side apply). */
export async function readPatch(request: IncomingMessage): Promise<{ patch: unknown; contentType: string }> {
  const contentType = mediaTypeOf(request);
  const text = decodeText(await readBody(request));
  return { patch: assertPlain(contentType.endsWith("yaml") ? fromYaml(text) : parseJson(text), 0), contentType };
}

/**
 * The value, if it can be handled without surprises: "__proto__" is a name like any other in JSON and a map's key in Kubernetes, but
 * set on an object of JavaScript it is what the object inherits from.
 */
function assertPlain(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (depth === DEPTH_MAX)
    throw ApiError.badRequest(`the body of the request is nested deeper than ${DEPTH_MAX} levels`);
  if (Object.hasOwn(value, "__proto__")) throw ApiError.badRequest('"__proto__" is not taken as the name of a field');
  for (const below of Object.values(value)) assertPlain(below, depth + 1);
  return value;
}

/** Of Content-Type, without its parameters. */
function mediaTypeOf(request: IncomingMessage): string {
  return (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw ApiError.badRequest("the body of the request is not UTF-8");
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw ApiError.badRequest(`couldn't get version/kind; json parse error: ${messageOf(error)}`);
  }
}

function fromYaml(text: string): unknown {
  try {
    return parseYaml(text) as unknown;
  } catch (error) {
    throw ApiError.badRequest(`couldn't get version/kind; error parsing YAML: ${messageOf(error)}`);
  }
}

function tooLarge(bytesMax: number): ApiError {
  return new ApiError(413, "RequestEntityTooLarge", `Request entity too large: limit is ${bytesMax}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
