import type { Schema } from "../schema.ts";

/** The declarations of one module, "core/v1"; each is parsed when it is first asked for. */
export class DeclarationModule {
  readonly #module: string;
  readonly #text: string;
  readonly #imports: ReadonlyMap<string, string>;
  readonly #starts: ReadonlyMap<string, number>;

  constructor(module: string, text: string) {
    this.#module = module;
    this.#text = text;
    this.#imports = importsOf(module, text);
    this.#starts = new Map(
      [...text.matchAll(/^export (?:interface|type) (\w+)/gm)].map((match) => [match[1] ?? "", match.index]),
    );
  }

  names(): Iterable<string> {
    return this.#starts.keys();
  }

  /** The schema of an interface; undefined for names that are not declared here, or as another type's alias. */
  schema(name: string): Schema | undefined {
    const start = this.#starts.get(name);
    if (start === undefined) return undefined;
    const bodyStart = this.#text.indexOf("{\n", start);
    const lineEnd = this.#text.indexOf("\n", start);
    if (bodyStart < 0 || bodyStart > lineEnd) return undefined;
    const bodyEnd = this.#text.indexOf("\n}", bodyStart);
    const fields = this.#fields(this.#text.slice(bodyStart + 2, bodyEnd + 1));
    const description = documentationBefore(this.#text, start);
    return { type: "object", ...(description === "" ? {} : { description }), ...fields };
  }

  #fields(body: string): Schema {
    const properties: Record<string, Schema> = {};
    const required: string[] = [];
    FIELD.lastIndex = 0;
    for (let match = FIELD.exec(body); match !== null; match = FIELD.exec(body)) {
      const [, comment = "", quoted, plain, optional, type, mapped] = match;
      const name = quoted ?? plain ?? "";
      const schema =
        mapped === undefined
          ? this.#type(type ?? "")
          : ({ type: "object", additionalProperties: this.#type(mapped) } satisfies Schema);
      const description = commentText(comment);
      properties[name] = description === "" ? schema : { description, ...schema };
      if (optional === undefined) required.push(name);
    }
    return { properties, ...(required.length === 0 ? {} : { required }) };
  }

  #type(text: string): Schema {
    const list = /^Array<(.+)>$/.exec(text)?.[1] ?? /^(\w+)\[\]$/.exec(text)?.[1];
    if (list !== undefined) return { type: "array", items: this.#type(list) };
    return PRIMITIVES[text] ?? (text.startsWith('"') ? { type: "string" } : this.#reference(text));
  }

  #reference(name: string): Schema {
    return WELL_KNOWN[name] ?? { $ref: `${this.#imports.get(name) ?? this.#module}.${name}` };
  }
}

/** A field of an interface: documentation, name, `?`, and a type or a map of one. */
const FIELD =
  /^ {4}(?:(\/\*\*[\s\S]*?\*\/)\n {4})?(?:readonly )?(?:"([^"]+)"|([\w$]+))(\?)?: (?:([^{;\n]+);|\{\n\s+\[name: string\]: ([^;\n]+);\n {4}\};)\n/gm;

/** The published types say `number` for integers; the few real numbers are in `JSONSchemaProps`, whose numbers are taken as they come. */
const PRIMITIVES: Readonly<Record<string, Schema>> = {
  string: { type: "string" },
  boolean: { type: "boolean" },
  number: { type: "integer" },
  "number | string": { "x-kubernetes-int-or-string": true },
};

const FREE: Schema = { "x-kubernetes-preserve-unknown-fields": true };

/** Types whose declarations say less than is known of them. */
const WELL_KNOWN: Readonly<Record<string, Schema>> = {
  Time: { type: "string", format: "date-time" },
  MicroTime: { type: "string", format: "date-time" },
  Quantity: { $ref: "api/resource.Quantity" },
  JSON: FREE,
  JSONSchemaPropsOrArray: FREE,
  JSONSchemaPropsOrBool: FREE,
  JSONSchemaPropsOrStringArray: FREE,
  RawExtension: { type: "object", ...FREE },
  FieldsV1: { type: "object", ...FREE },
};

/** Imported names, each with the module it comes from as seen from the packages' root: "../meta/v1" → "meta/v1". */
function importsOf(module: string, text: string): Map<string, string> {
  const imports = new Map<string, string>();
  for (const [, names = "", from = ""] of text.matchAll(/^import \{ (.+) \} from "(.+)";$/gm)) {
    const target = from.startsWith("./")
      ? `${module.slice(0, module.lastIndexOf("/"))}/${from.slice(2)}`
      : from.slice(3);
    for (const name of names.split(", ")) imports.set(name, target);
  }
  return imports;
}

function documentationBefore(text: string, start: number): string {
  if (!text.startsWith("*/\n", start - 3)) return "";
  return commentText(text.slice(text.lastIndexOf("/**", start), start - 1));
}

function commentText(comment: string): string {
  return comment
    .replace(/^\/\*\*\s*/, "")
    .replace(/\s*\*\/$/, "")
    .replace(/\n\s*\* ?/g, "\n")
    .trim();
}
