import type { FieldList } from "@bowline/wire";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";

/** Text, or bytes under a name that ends in `-bin`. */
export type MetadataValue = string | Uint8Array;

const NAME = /^[0-9a-z_.-]+$/;
/** "gRPC over HTTP2", ASCII-Value: space to tilde. Space at the ends would not survive HTTP. */
const ASCII_VALUE = /^(?:[!-~](?:[ -~]*[!-~])?)?$/;

/** Fields that gRPC and HTTP give their meaning; they are no metadata, in either direction. */
const PROTOCOL_FIELDS: ReadonlySet<string> = new Set([
  "content-type",
  "content-length",
  "te",
  "trailer",
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "host",
  "grpc-timeout",
  "grpc-encoding",
  "grpc-accept-encoding",
  "grpc-message-type",
  "grpc-status",
  "grpc-message",
  "grpc-status-details-bin",
]);

/** What accompanies a call beside its messages: names with one or more values each, in order. */
export class Metadata {
  /** Name, value, name, value, …; names in lower case. */
  readonly #pairs: MetadataValue[] = [];

  /** @param init names with values, or pairs where a name has several */
  constructor(
    init: Readonly<Record<string, MetadataValue>> | Iterable<readonly [name: string, value: MetadataValue]> = [],
  ) {
    const pairs = Symbol.iterator in init ? init : Object.entries(init);
    for (const [name, value] of pairs as Iterable<readonly [string, MetadataValue]>) this.add(name, value);
  }

  get size(): number {
    return this.#pairs.length / 2;
  }

  /**
   * Adds a value behind those the name has.
   *
   * @throws TypeError when the name or value can't travel as metadata, or the name is the protocol's
   */
  add(name: string, value: MetadataValue): this {
    const lower = name.toLowerCase();
    assertSendable(lower, value);
    this.#pairs.push(lower, value);
    return this;
  }

  /** Replaces the name's values; throws as `add` does. */
  set(name: string, value: MetadataValue): this {
    this.delete(name);
    return this.add(name, value);
  }

  delete(name: string): void {
    const lower = name.toLowerCase();
    for (let at = this.#pairs.length - 2; at >= 0; at -= 2) {
      if (this.#pairs[at] === lower) this.#pairs.splice(at, 2);
    }
  }

  /** The first text under the name. */
  get(name: string): string | undefined {
    return this.getAll(name).find((value) => typeof value === "string");
  }

  /** The first bytes under a name that ends in `-bin`. */
  getBytes(name: string): Uint8Array | undefined {
    return this.getAll(name).find((value) => typeof value !== "string");
  }

  getAll(name: string): MetadataValue[] {
    const lower = name.toLowerCase();
    return [...this].filter(([key]) => key === lower).map(([, value]) => value);
  }

  *[Symbol.iterator](): IterableIterator<[name: string, value: MetadataValue]> {
    for (let at = 0; at < this.#pairs.length; at += 2) {
      yield [String(this.#pairs[at]), this.#pairs[at + 1] ?? ""];
    }
  }

  /** Adds every entry as a header field. */
  writeTo(fields: FieldList): void {
    for (const [name, value] of this) {
      fields.addText(name, typeof value === "string" ? value : base64Encode(value, "std_raw"));
    }
  }

  /**
   * The metadata among received fields. A `-bin` field may hold several values with commas between, and one that is no
   * base64 is left out: the peer's mistake in one field should not fail a call that may never look at it.
   */
  static readFrom(fields: FieldList): Metadata {
    const metadata = new Metadata();
    for (let i = 0; i < fields.count; i++) {
      const name = fields.nameText(i);
      if (name.startsWith(":") || PROTOCOL_FIELDS.has(name)) continue;
      if (name.endsWith("-bin")) metadata.#addBinary(name, fields.valueText(i));
      else metadata.#pairs.push(name, fields.valueText(i));
    }
    return metadata;
  }

  #addBinary(name: string, text: string): void {
    for (const part of text.split(",")) {
      const bytes = tryBase64(part);
      if (bytes !== null) this.#pairs.push(name, bytes);
    }
  }
}

/** Decodes base64 with or without padding; null when the text is none. */
export function tryBase64(text: string): Uint8Array | null {
  try {
    return base64Decode(text);
  } catch {
    // The decoder throws on what is not base64, and this function's answer to that is null.
    return null;
  }
}

function assertSendable(name: string, value: MetadataValue): void {
  if (!NAME.test(name)) throw new TypeError(`metadata name ${JSON.stringify(name)}: use letters, digits, _ . -`);
  if (PROTOCOL_FIELDS.has(name)) throw new TypeError(`metadata name ${name}: the protocol sets this field itself`);
  const binary = name.endsWith("-bin");
  if (binary !== (typeof value !== "string")) {
    throw new TypeError(`metadata ${name}: bytes go under names that end in -bin, text under all others`);
  }
  if (typeof value === "string" && !ASCII_VALUE.test(value)) {
    throw new TypeError(`metadata ${name}: text must be printable ASCII without space at its ends`);
  }
}
