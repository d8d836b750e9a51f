import { ApiError } from "@bowline/kube";
import { MESSAGES } from "./messages.ts";
import { WireError, WireReader, WireType } from "./wire-reader.ts";

/** Content-Type of Kubernetes' own framing of protobuf. */
export const PROTOBUF = "application/vnd.kubernetes.protobuf";

/** "k8s" and a zero byte, before a runtime.Unknown that says the object's kind and has its bytes. */
const MAGIC = [0x6b, 0x38, 0x73, 0x00];

type Json = Record<string, unknown>;

interface Field {
  readonly name: string;
  readonly shape: "one" | "list" | "map" | "inline" | "ignored";
  /** "text", "int", "bool", "bytes" or a message. */
  readonly type: string;
  /** Zero and false are told. */
  readonly keepsZero: boolean;
}

/**
 * The object that a body of that type holds, as its JSON would be read.
 * @throws ApiError 400 for what cannot be read, 415 for kinds and fields that are known in JSON only
 */
export function decodeObject(body: Uint8Array): Json {
  if (MAGIC.some((byte, i) => body[i] !== byte))
    throw ApiError.badRequest("the body of the request is not Kubernetes protobuf");
  try {
    const { apiVersion, kind, raw } = readEnvelope(new WireReader(body.subarray(MAGIC.length)));
    if (!Object.hasOwn(MESSAGES, kind)) throw unknown(`kind ${kind}`);
    return { apiVersion, kind, ...readMessage(kind, raw) };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw ApiError.badRequest(`the body of the request is not protobuf: ${error.message}`);
  }
}

function readEnvelope(reader: WireReader): { apiVersion: string; kind: string; raw: Uint8Array } {
  let typeMeta: Uint8Array = new Uint8Array();
  let raw: Uint8Array = new Uint8Array();
  while (!reader.ended) {
    const { number, type } = reader.tag();
    if (number === 1) typeMeta = reader.bytes();
    else if (number === 2) raw = reader.bytes();
    else reader.skip(type);
  }
  const names = ["", "", ""];
  const meta = new WireReader(typeMeta);
  while (!meta.ended) names[meta.tag().number] = meta.text();
  return { apiVersion: names[1] ?? "", kind: names[2] ?? "", raw };
}

function readMessage(message: string, bytes: Uint8Array): Json {
  const fields = fieldsOf(message);
  const object: Json = {};
  const reader = new WireReader(bytes);
  while (!reader.ended) {
    const { number, type } = reader.tag();
    const field = fields.get(number);
    if (field === undefined) throw unknown(`field ${number} of ${message}`);
    if (field.shape === "ignored") reader.skip(type);
    else readField(field, reader, type, object);
  }
  return object;
}

function readField(field: Field, reader: WireReader, wireType: number, object: Json): void {
  const expected = field.shape !== "map" && isVarint(field.type) ? WireType.Varint : WireType.Bytes;
  if (wireType !== expected) throw new WireError(`field ${field.name} is of wire type ${wireType}`);
  switch (field.shape) {
    case "list": {
      const list = object[field.name] as unknown[] | undefined;
      const value = readValue(field.type, reader);
      if (list === undefined) object[field.name] = [value];
      else list.push(value);
      return;
    }
    case "map": {
      const [key, value] = readEntry(field.type, reader.bytes());
      object[field.name] = { ...(object[field.name] as Json | undefined), [key]: value };
      return;
    }
    case "inline":
      Object.assign(object, readMessage(field.type, reader.bytes()));
      return;
    default: {
      const value = readValue(field.type, reader);
      const isZero = value === undefined || value === "" || value === 0 || value === false;
      if (!isZero || field.keepsZero) object[field.name] = value;
    }
  }
}

function readEntry(type: string, bytes: Uint8Array): [key: string, value: unknown] {
  const reader = new WireReader(bytes);
  let key = "";
  let value: unknown = type === "text" || type === "bytes" ? "" : {};
  while (!reader.ended) {
    const { number, type: wireType } = reader.tag();
    if (number === 1) key = reader.text();
    else if (number === 2) value = readValue(type, reader);
    else reader.skip(wireType);
  }
  return [key, value];
}

/** Undefined for times that are not set. */
function readValue(type: string, reader: WireReader): unknown {
  switch (type) {
    case "text":
      return reader.text();
    case "int":
      return reader.integer();
    case "bool":
      return reader.integer() !== 0;
    case "bytes":
      return Buffer.from(reader.bytes()).toString("base64");
    case "Time":
    case "MicroTime":
      return readTime(type, reader.bytes());
    case "Quantity":
      return numbered(reader.bytes()).get(1) ?? "0";
    case "IntOrString": {
      const parts = numbered(reader.bytes());
      return parts.get(1) === 1 ? (parts.get(3) ?? "") : (parts.get(2) ?? 0);
    }
    case "ExtraValue":
      return readMessage("ExtraValue", reader.bytes())["items"] ?? [];
    default:
      return readMessage(type, reader.bytes());
  }
}

function readTime(type: "Time" | "MicroTime", bytes: Uint8Array): string | undefined {
  const parts = numbered(bytes);
  const seconds = Number(parts.get(1) ?? 0);
  const nanos = Number(parts.get(2) ?? 0);
  if (seconds === 0 && nanos === 0) return undefined;
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  return type === "Time" ? `${whole}Z` : `${whole}.${String(Math.floor(nanos / 1000)).padStart(6, "0")}Z`;
}

/** Scalars of a small message by their numbers: texts, and signed numbers. */
function numbered(bytes: Uint8Array): Map<number, string | number> {
  const reader = new WireReader(bytes);
  const values = new Map<number, string | number>();
  while (!reader.ended) {
    const { number, type } = reader.tag();
    if (type === WireType.Bytes) values.set(number, reader.text());
    else if (type === WireType.Varint) values.set(number, reader.integer());
    else reader.skip(type);
  }
  return values;
}

const FIELDS: Map<string, ReadonlyMap<number, Field>> = new Map([
  ["ExtraValue", new Map([[1, { name: "items", shape: "list", type: "text", keepsZero: false }]])],
]);

function fieldsOf(message: string): ReadonlyMap<number, Field> {
  const known = FIELDS.get(message);
  if (known !== undefined) return known;
  const text = MESSAGES[message];
  if (text === undefined) throw unknown(`message ${message}`);
  const fields = new Map<number, Field>();
  for (const line of text.split("; ")) {
    const [number = "", name = "", type = ""] = line.split(" ");
    fields.set(Number(number), parseField(name, type));
  }
  FIELDS.set(message, fields);
  return fields;
}

function parseField(name: string, type: string): Field {
  const plain = { name, keepsZero: type.endsWith("?") };
  const inner = type.slice(1, -1);
  if (type === "-") return { ...plain, shape: "ignored", type: "" };
  if (type.startsWith("[")) return { ...plain, shape: "list", type: inner === "" ? "text" : inner };
  if (type.startsWith("{")) return { ...plain, shape: "map", type: inner === "" ? "text" : inner };
  if (type.startsWith("...")) return { ...plain, shape: "inline", type: type.slice(3) };
  return { ...plain, shape: "one", type: type === "" ? "text" : type.replace(/\?$/, "") };
}

function isVarint(type: string): boolean {
  return type === "int" || type === "bool";
}

function unknown(what: string): ApiError {
  return ApiError.unsupportedMediaType(
    `${what} is not known in ${PROTOBUF} by this server - accepted media types include: application/json, application/yaml`,
  );
}
