import { ApiError, type KubeObject } from "@bowline/kube";
import { dropUnknownFields } from "./decode.ts";
import { resolveDefinition } from "./definitions/definitions.ts";
import { BuiltInType } from "./kinds/built-in-type.ts";
import { CATALOG } from "./kinds/catalog.ts";
import { CustomType } from "./kinds/custom-type.ts";
import { openApiV2Document } from "./openapi/v2.ts";
import { encodeOpenApiV2 } from "./openapi/v2-protobuf.ts";
import { type OpenApiIndex, openApiV3Document, openApiV3Index } from "./openapi/v3.ts";
import type { Decoded, FieldValidation, ResourceType } from "./resource-type.ts";
import { isObject, type JsonObject, omit, scalarText, textAt } from "./schema.ts";

/** The kinds that the cluster serves: built in, and described by CustomResourceDefinitions. */
export class SchemaRegistry {
  readonly #types = new Map<string, ResourceType>();
  readonly #handlers = new Set<() => void>();
  #v2: { json: JsonObject; protobuf?: Uint8Array } | undefined;

  constructor() {
    for (const entry of CATALOG) this.#put(new BuiltInType(entry));
  }

  types(): readonly ResourceType[] {
    return [...this.#types.values()];
  }

  /** By plural; "" is the core group. */
  find(group: string, plural: string): ResourceType | undefined {
    return this.#types.get(keyOf(group, plural));
  }

  /** By what objects say of themselves: "apps/v1", "Deployment". Only served versions are found. */
  findKind(apiVersion: string, kind: string): ResourceType | undefined {
    const slash = apiVersion.indexOf("/");
    const [group, version] = [apiVersion.slice(0, Math.max(slash, 0)), apiVersion.slice(slash + 1)];
    for (const type of this.#types.values()) {
      if (type.kind === kind && type.group === group && type.versions.includes(version)) return type;
    }
    return undefined;
  }

  /** To be called for every CustomResourceDefinition that is stored, when it is made and when it changes. */
  addCrd(crd: KubeObject): void {
    const type = new CustomType(crd);
    if (type.versions.length === 0) this.#types.delete(keyOf(type.group, type.plural));
    else this.#put(type);
    this.#changed();
  }

  /** @param name the definition's: plural and group */
  removeCrd(name: string): void {
    for (const [key, type] of this.#types)
      if (type instanceof CustomType && type.name === name) this.#types.delete(key);
    this.#changed();
  }

  /** @returns what ends the calls */
  onChange(handler: () => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /**
   * Takes what a client sent for an object of a type: fields that the type does not have are dropped, in place.
   * @param body parsed JSON
   * @throws ApiError 400 for what is no such object, for values of the wrong type, and, where validation is strict, for unknown fields
   */
  decode(type: ResourceType, body: unknown, validation: FieldValidation): Decoded {
    const object = assertKind(type, body);
    const version = object.apiVersion.slice(object.apiVersion.indexOf("/") + 1);
    const unknown =
      type instanceof CustomType ? dropFromCustom(type, object, version) : dropFromBuiltIn(type, object, version);
    object.metadata.name ??= "";
    const said = unknown.map((path) => `unknown field ${JSON.stringify(path)}`);
    if (validation === "Ignore" || said.length === 0) return { object, warnings: [] };
    if (validation === "Warn") return { object, warnings: said };
    const what = `strict decoding error: ${said.join(", ")}`;
    throw ApiError.badRequest(
      type.custom ? what : `${type.kind} in version "${version}" cannot be handled as a ${type.kind}: ${what}`,
    );
  }

  /** Swagger 2.0 as gnostic's protobuf, which kubectl asks for. */
  openApiV2(): Uint8Array {
    const document = this.#v2Document();
    const protobuf = document.protobuf ?? encodeOpenApiV2(document.json);
    document.protobuf = protobuf;
    return protobuf;
  }

  openApiV2Json(): object {
    return this.#v2Document().json;
  }

  /** What /openapi/v3 answers. */
  openApiV3Index(): OpenApiIndex {
    return openApiV3Index(this.types());
  }

  /** @param path "api/v1", "apis/apps/v1" */
  openApiV3(path: string): object | undefined {
    return openApiV3Document(this.types(), path);
  }

  #v2Document(): { json: JsonObject; protobuf?: Uint8Array } {
    this.#v2 ??= { json: openApiV2Document(this.types()) };
    return this.#v2;
  }

  #put(type: ResourceType): void {
    this.#types.set(keyOf(type.group, type.plural), type);
  }

  #changed(): void {
    this.#v2 = undefined;
    for (const handler of this.#handlers) handler();
  }
}

function keyOf(group: string, plural: string): string {
  return `${group}/${plural}`;
}

function assertKind(type: ResourceType, body: unknown): KubeObject {
  if (!isObject(body)) throw ApiError.badRequest(`the body of the request is not an object of kind ${type.kind}`);
  const versions = type.versions.map((version) => (type.group === "" ? version : `${type.group}/${version}`));
  body["kind"] ??= type.kind;
  body["apiVersion"] ??= versions[0];
  if (body["kind"] !== type.kind || !versions.includes(textAt(body, "apiVersion"))) {
    const given = `${scalarText(body["apiVersion"])}, Kind=${scalarText(body["kind"])}`;
    throw ApiError.badRequest(
      `the object provided is unrecognized (must be of type ${type.kind}): it is ${given}, expected ${versions.join(" or ")}`,
    );
  }
  body["metadata"] ??= {};
  return body as KubeObject;
}

function dropFromBuiltIn(type: ResourceType, object: KubeObject, version: string): string[] {
  const definition = type instanceof BuiltInType ? type.definition : "";
  return dropUnknownFields({ $ref: definition }, object, {
    kind: type.kind,
    version,
    resolve: resolveDefinition,
    typed: true,
  });
}

/** Metadata is the same for every kind; the rest is pruned as the definition says. */
function dropFromCustom(type: CustomType, object: KubeObject, version: string): string[] {
  const rest = omit(object, ...KEPT);
  const envelope = { metadata: object.metadata };
  const options = { kind: type.kind, version };
  const unknown = dropUnknownFields({ properties: { metadata: { $ref: "meta/v1.ObjectMeta" } } }, envelope, {
    ...options,
    resolve: resolveDefinition,
    typed: true,
  });
  unknown.push(
    ...dropUnknownFields(type.schemaOf(version), rest, { ...options, resolve: (schema) => schema, typed: false }),
  );
  for (const field of Object.keys(object)) if (!KEPT.has(field) && !(field in rest)) delete object[field];
  return unknown;
}

const KEPT: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);
