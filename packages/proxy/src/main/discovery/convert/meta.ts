import type { meta } from "@bowline/contracts/proto";
import type { Meta } from "@bowline/model";
import { InvalidMessage, required, within } from "./invalid-message.ts";

const PORT_MAX = 65_535;

/** The resource a part of a policy belongs to. `metadata` must be there and complete. */
export function convertMeta(metadata: meta.Metadata | undefined): Meta {
  return within("metadata", () => {
    const { kind } = required(metadata, "metadata");
    if (kind.case === undefined) throw new InvalidMessage("missing kind");
    return kind.case === "default" ? defaultMeta(kind.value) : resourceMeta(kind.value);
  });
}

function defaultMeta(name: string): Meta {
  return { group: "", kind: "default", namespace: "", name, port: 0, section: "" };
}

function resourceMeta({ group, kind, namespace, name, port, section }: meta.Resource): Meta {
  for (const [field, value] of Object.entries({ group, kind, name, namespace })) {
    if (value === "") throw new InvalidMessage(`${field} must not be empty`);
  }
  return { group, kind, namespace, name, port: port > PORT_MAX ? 0 : port, section };
}
