import { isObject, type JsonObject, objectsAt, textAt } from "../schema.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

/**
 * A Swagger document as gnostic's openapi.v2.Document, the only form of it that kubectl takes. Numbers are those fields' in OpenAPIv2.proto.
 */
export function encodeOpenApiV2(document: JsonObject): Uint8Array {
  const writer = new ProtobufWriter();
  writer.text(1, textAt(document, "swagger"));
  writer.message(2, (info) => {
    info.text(1, textAt(document, "info", "title"));
    info.text(2, textAt(document, "info", "version"));
  });
  writer.message(8, (paths) => writeNamed(paths, 2, document["paths"], writePathItem));
  writer.message(9, (definitions) => writeNamed(definitions, 1, document["definitions"], writeSchema));
  return writer.finish();
}

/** Maps are lists of messages with a name (1) and a value (2). */
function writeNamed(
  writer: ProtobufWriter,
  field: number,
  map: unknown,
  write: (writer: ProtobufWriter, value: JsonObject) => void,
): void {
  for (const [name, value] of Object.entries(isObject(map) ? map : {})) {
    if (!isObject(value)) continue;
    writer.message(field, (entry) => {
      entry.text(1, name);
      entry.message(2, (inner) => write(inner, value));
    });
  }
}

const OPERATIONS = { get: 2, put: 3, post: 4, delete: 5, patch: 8 } as const;

function writePathItem(writer: ProtobufWriter, item: JsonObject): void {
  for (const [method, field] of Object.entries(OPERATIONS)) {
    const operation = item[method];
    if (isObject(operation)) writer.message(field, (inner) => writeOperation(inner, operation));
  }
}

function writeOperation(writer: ProtobufWriter, operation: JsonObject): void {
  writer.text(5, textAt(operation, "operationId"));
  for (const parameter of objectsAt(operation, "parameters")) {
    // ParametersItem > Parameter > NonBodyParameter > QueryParameterSubSchema
    writer.message(8, (item) =>
      item.message(1, (wrapper) =>
        wrapper.message(2, (nonBody) =>
          nonBody.message(3, (query) => {
            query.text(2, "query");
            query.text(4, textAt(parameter, "name"));
            query.text(6, textAt(parameter, "type"));
          }),
        ),
      ),
    );
  }
  writeExtensions(writer, 13, operation);
}

function writeSchema(writer: ProtobufWriter, schema: JsonObject): void {
  writer.text(1, textAt(schema, "$ref"));
  writer.text(2, textAt(schema, "format"));
  writer.text(4, textAt(schema, "description"));
  const { required, additionalProperties, type, items, properties } = schema;
  if (Array.isArray(required)) for (const name of required) writer.text(19, String(name));
  if (isObject(additionalProperties)) {
    writer.message(21, (item) => item.message(1, (inner) => writeSchema(inner, additionalProperties)));
  }
  if (typeof type === "string") writer.message(22, (item) => item.text(1, type));
  if (isObject(items)) writer.message(23, (item) => item.message(1, (inner) => writeSchema(inner, items)));
  if (isObject(properties)) writer.message(25, (map) => writeNamed(map, 1, properties, writeSchema));
  writeExtensions(writer, 31, schema);
}

/** x- fields are NamedAny, whose value is YAML; JSON is that too. */
function writeExtensions(writer: ProtobufWriter, field: number, of: JsonObject): void {
  for (const [name, value] of Object.entries(of)) {
    if (!name.startsWith("x-")) continue;
    writer.message(field, (named) => {
      named.text(1, name);
      named.message(2, (any) => any.text(2, JSON.stringify(value)));
    });
  }
}
