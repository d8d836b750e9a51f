import { LineCounter, parseDocument } from "yaml";
import type { ImageDefinition } from "../node/types.ts";

/** What `bowline local up --config FILE` reads. */
export interface ClusterConfig {
  readonly families: "v4" | "dual";
  /** "late": a pod's address is given out again when all others have been. "first": at once, for tests of what then happens. */
  readonly addressReuse: "late" | "first";
  readonly images: readonly ConfiguredImage[];
}

/** `image`: a name with or without a tag; `*` stands for anything, so that a registry or a version can be left open. */
export interface ConfiguredImage extends ImageDefinition {
  readonly image: string;
}

/** As read: what is absent is undefined. */
type ReadImage = { readonly [K in keyof ConfiguredImage]: ConfiguredImage[K] | undefined };

export const DEFAULT_CONFIG: ClusterConfig = { families: "v4", addressReuse: "late", images: [] };

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a cluster's configuration.
 *
 * @param source the file's name, for messages
 * @throws Error that names the file and the line (bad YAML) or the field's path
 */
export function parseClusterConfig(text: string, source: string): ClusterConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [fault] = document.errors;
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0]);
    throw new Error(`${source}:${line}:${col}: ${fault.message.split("\n")[0]}`);
  }
  const reader = new ConfigReader(source);
  const config = reader.config(document.toJS() ?? {});
  if (reader.faults.length > 0) throw new Error(reader.faults.join("\n"));
  return config;
}

/** Collects every fault, so that one run shows them all. */
class ConfigReader {
  readonly faults: string[] = [];
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  config(value: unknown): ClusterConfig {
    const fields = this.#object("", value, ["families", "addressReuse", "images"]);
    const images = fields["images"] ?? [];
    if (!Array.isArray(images)) this.#fault("images", "is a list");
    return {
      families: this.#choice("families", fields["families"], ["v4", "dual"]),
      addressReuse: this.#choice("addressReuse", fields["addressReuse"], ["late", "first"]),
      images: Array.isArray(images) ? images.map((image, index) => this.#image(`images[${index}]`, image)) : [],
    };
  }

  #image(path: string, value: unknown): ConfiguredImage {
    const fields = this.#object(path, value, ["image", "command", "args", "env", "workingDir", "user", "layers"]);
    const image = this.#string(`${path}.image`, fields["image"]);
    if (image === undefined && fields["image"] === undefined)
      this.#fault(`${path}.image`, "is missing: the name to match");
    return withoutAbsent({
      image: image ?? "",
      command: this.#strings(`${path}.command`, fields["command"]),
      args: this.#strings(`${path}.args`, fields["args"]),
      env: this.#env(`${path}.env`, fields["env"]),
      workingDir: this.#string(`${path}.workingDir`, fields["workingDir"]),
      user: this.#user(`${path}.user`, fields["user"]),
      layers: this.#strings(`${path}.layers`, fields["layers"]),
    });
  }

  #object(path: string, value: unknown, known: readonly string[]): Fields {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.#fault(path, "is a mapping");
      return {};
    }
    for (const name of Object.keys(value)) {
      if (!known.includes(name))
        this.#fault(path === "" ? name : `${path}.${name}`, `is unknown; known are ${known.join(", ")}`);
    }
    return value as Fields;
  }

  /** The first is the default. */
  #choice<T extends string>(path: string, value: unknown, choices: readonly [T, T]): T {
    const chosen = value === undefined ? choices[0] : choices.find((choice) => choice === value);
    if (chosen === undefined)
      this.#fault(path, `is ${choices.map((choice) => `"${choice}"`).join(" or ")}, not ${JSON.stringify(value)}`);
    return chosen ?? choices[0];
  }

  #string(path: string, value: unknown): string | undefined {
    if (value === undefined || typeof value === "string") return value;
    this.#fault(path, `is a string, not ${JSON.stringify(value)}`);
    return undefined;
  }

  #strings(path: string, value: unknown): readonly string[] | undefined {
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
    this.#fault(path, "is a list of strings");
    return undefined;
  }

  #env(path: string, value: unknown): Readonly<Record<string, string>> | undefined {
    if (value === undefined) return undefined;
    const fields = this.#object(path, value, typeof value === "object" && value !== null ? Object.keys(value) : []);
    return Object.fromEntries(
      Object.entries(fields).map(([name, text]) => [name, this.#string(`${path}.${name}`, text) ?? ""]),
    );
  }

  #user(path: string, value: unknown): number | undefined {
    if (value === undefined || (typeof value === "number" && Number.isInteger(value) && value >= 0)) return value;
    this.#fault(path, `is a numeric user id, not ${JSON.stringify(value)}`);
    return undefined;
  }

  #fault(path: string, problem: string): void {
    this.faults.push(`${this.#source}: ${path === "" ? "the configuration" : path} ${problem}`);
  }
}

function withoutAbsent(image: ReadImage): ConfiguredImage {
  return Object.fromEntries(
    Object.entries(image).filter(([, value]) => value !== undefined),
  ) as unknown as ConfiguredImage;
}
