import { isDeepStrictEqual } from "node:util";
import { applyEdits, editsFor, rewriteOf } from "./yaml-edit.ts";
import { documentValue, parseYaml, type YamlDocument } from "./yaml-text.ts";

/** A text of YAML documents, their separators and comments included. */
export class YamlStream {
  readonly #name: string;
  readonly #text: string;
  readonly #documents: readonly YamlDocument[];
  /** Each document's value; null for an empty one. */
  readonly values: readonly unknown[];

  /**
   * @param name of the input, for messages
   * @throws YamlError
   */
  constructor(text: string, name: string) {
    this.#name = name;
    this.#text = text;
    this.#documents = parseYaml(text, name);
    this.values = this.#documents.map((document) => documentValue(document, name));
  }

  /**
   * The text with other values in it; where a value is the same object as before, so is the text. The result is parsed
   * again: a document that would not mean what it should is written anew instead.
   */
  withValues(values: readonly unknown[]): string {
    const edited = this.#render(values, []);
    const wrong = this.#wrongIn(edited, values);
    if (wrong.length === 0) return edited;
    const rewritten = this.#render(values, wrong);
    if (this.#wrongIn(rewritten, values).length > 0)
      throw new Error(`${this.#name}: the changed YAML can't be written`);
    return rewritten;
  }

  #render(values: readonly unknown[], anew: readonly number[]): string {
    const edits = this.#documents.flatMap((document, index) => {
      if (values[index] === this.values[index]) return [];
      if (anew.includes(index)) return [rewriteOf(document, this.#text, values[index])];
      return editsFor(document, this.#text, this.values[index], values[index]);
    });
    return applyEdits(this.#text, edits);
  }

  /** Documents of a text that are not what they should be; all that were changed, if the text can't even be read. */
  #wrongIn(text: string, values: readonly unknown[]): readonly number[] {
    const changed = values.flatMap((value, index) => (value === this.values[index] ? [] : [index]));
    if (changed.length === 0) return [];
    const found = tryValues(text, this.#name);
    if (found === null || found.length !== values.length) return changed;
    return values.flatMap((value, index) => (isDeepStrictEqual(found[index], value) ? [] : [index]));
  }
}

function tryValues(text: string, name: string): readonly unknown[] | null {
  try {
    return parseYaml(text, name, false).map((document) => documentValue(document, name));
  } catch {
    // Why it can't be read does not matter: nobody has seen this text yet.
    return null;
  }
}
