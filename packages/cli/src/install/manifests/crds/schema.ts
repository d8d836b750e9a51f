import type { CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps } from "@bowline/kube";

/** The published types have other names for Kubernetes' own keywords than the API has. */
export interface Schema extends JSONSchemaProps {
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-list-type"?: "map" | "set" | "atomic";
  "x-kubernetes-list-map-keys"?: string[];
}

export function object(properties: Readonly<Record<string, Schema>>, more: ObjectOptions = {}): Schema {
  const { required = [], ...rest } = more;
  return {
    type: "object",
    properties: { ...properties },
    ...(required.length === 0 ? {} : { required: [...required] }),
    ...rest,
  };
}

export function list(items: Schema, more: Partial<Schema> = {}): Schema {
  return { type: "array", items, ...more };
}

export function text(description: string, more: Partial<Schema> = {}): Schema {
  return { type: "string", description, ...more };
}

export function oneOfTexts(values: readonly string[], description: string, more: Partial<Schema> = {}): Schema {
  return { type: "string", description, enum: [...values], ...more };
}

export function integer(minimum: number, maximum: number, description: string): Schema {
  return { type: "integer", format: "int32", minimum, maximum, description };
}

export function boolean(description: string): Schema {
  return { type: "boolean", description };
}

export const PORT: Schema = integer(1, 65_535, "a TCP port");

/** A Kubernetes label selector. */
export function labelSelector(description: string): Schema {
  return object(
    {
      matchLabels: { type: "object", additionalProperties: { type: "string" } },
      matchExpressions: list(
        object(
          {
            key: text("label"),
            operator: oneOfTexts(["In", "NotIn", "Exists", "DoesNotExist"], "how the label's value is compared"),
            values: list({ type: "string" }),
          },
          { required: ["key", "operator"] },
        ),
      ),
    },
    { description },
  );
}

export const NETWORK: Schema = object(
  {
    cidr: text("a network such as 10.0.0.0/8; an address alone is a network of one"),
    except: list(text("a network within `cidr` that does not count")),
  },
  { required: ["cidr"] },
);

/** The standard conditions of a status. */
export const CONDITIONS: Schema = list(
  object(
    {
      type: text("what it says something of", { maxLength: 316 }),
      status: oneOfTexts(["True", "False", "Unknown"], "whether it holds"),
      reason: text("a word for why", { maxLength: 1024 }),
      message: text("the same for people", { maxLength: 32_768 }),
      lastTransitionTime: { type: "string", format: "date-time" },
      observedGeneration: { type: "integer", format: "int64", minimum: 0 },
    },
    { required: ["type", "status", "reason", "message", "lastTransitionTime"] },
  ),
  { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] },
);

export interface ColumnOptions {
  readonly name: string;
  readonly description: string;
  readonly jsonPath: string;
}

interface VersionOptions {
  readonly name: string;
  readonly spec: Schema;
  readonly status?: Schema;
  readonly columns?: readonly ColumnOptions[];
  readonly deprecated?: boolean;
}

export interface CrdOptions {
  readonly group: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly shortNames?: readonly string[];
  /** The last is the one that is stored. */
  readonly versions: readonly VersionOptions[];
}

/** A namespaced kind. */
export function customResource(options: CrdOptions): CustomResourceDefinition {
  const { group, plural, singular, kind, shortNames = [], versions } = options;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: {
        plural,
        singular,
        kind,
        listKind: `${kind}List`,
        ...(shortNames.length === 0 ? {} : { shortNames: [...shortNames] }),
      },
      versions: versions.map((version, at) => crdVersion(version, group, kind, at === versions.length - 1)),
    },
  };
}

interface ObjectOptions extends Omit<Partial<Schema>, "required"> {
  readonly required?: readonly string[];
}

function crdVersion(
  { name, spec, status, columns = [], deprecated = false }: VersionOptions,
  group: string,
  kind: string,
  storage: boolean,
): CustomResourceDefinitionVersion {
  const fields = {
    apiVersion: { type: "string" },
    kind: { type: "string" },
    metadata: { type: "object" },
    spec,
    ...(status === undefined ? {} : { status }),
  };
  return {
    name,
    served: true,
    storage,
    ...(deprecated
      ? { deprecated, deprecationWarning: `${group}/${name} ${kind} is deprecated; use a newer version` }
      : {}),
    schema: { openAPIV3Schema: object(fields, { required: ["spec"] }) },
    ...(status === undefined ? {} : { subresources: { status: {} } }),
    ...(columns.length === 0
      ? {}
      : { additionalPrinterColumns: columns.map((column) => ({ ...column, type: "string" })) }),
  };
}
