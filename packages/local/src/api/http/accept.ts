/** What a client wants its answer to be. */
export interface Accepted {
  readonly format: "json" | "yaml";
  /** "Table", "PartialObjectMetadata", "PartialObjectMetadataList", or a discovery kind; "" for the object itself. */
  readonly as: string;
  readonly group: string;
  readonly version: string;
}

interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

const PLAIN: Accepted = { format: "json", as: "", group: "", version: "" };

/** All that can be answered, best first. Empty: nothing is acceptable that this server can make. */
export function parseAccept(header: string | undefined): Accepted[] {
  if (header === undefined || header.trim() === "") return [PLAIN];
  const accepted: Accepted[] = [];
  let protobuf = false;
  for (const { type, parameters } of rangesOf(header)) {
    const format = formatOf(type);
    if (format === undefined) protobuf ||= type === "application/vnd.kubernetes.protobuf";
    else
      accepted.push({
        format,
        as: parameters.get("as") ?? "",
        group: parameters.get("g") ?? "",
        version: parameters.get("v") ?? "",
      });
  }
  // Clients decode by the answer's Content-Type; JSON serves those that know nothing but protobuf.
  return accepted.length === 0 && protobuf ? [PLAIN] : accepted;
}

/** The media types of a header in the order of preference. */
export function rangesOf(header: string): MediaRange[] {
  const ranges = header.split(",").map(parseRange);
  return ranges.filter((range) => range.quality > 0).sort((a, b) => b.quality - a.quality);
}

function parseRange(text: string): MediaRange {
  const [type = "", ...rest] = text.split(";").map((part) => part.trim());
  const parameters = new Map<string, string>();
  for (const part of rest) {
    const at = part.indexOf("=");
    if (at > 0) parameters.set(part.slice(0, at), part.slice(at + 1).replace(/^"(.*)"$/, "$1"));
  }
  const quality = Number(parameters.get("q") ?? "1");
  return { type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 1 : quality };
}

function formatOf(type: string): "json" | "yaml" | undefined {
  if (type === "application/json" || type === "*/*" || type === "application/*") return "json";
  return type === "application/yaml" || type === "application/x-yaml" ? "yaml" : undefined;
}
