import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import { KubeConfigError } from "./kube-config-error.ts";

/** A kubeconfig's entries, by name, with the paths in it made absolute. */
export interface ConfigFile {
  readonly path: string;
  readonly currentContext: string;
  readonly contexts: ReadonlyMap<string, ContextEntry>;
  readonly clusters: ReadonlyMap<string, ClusterEntry>;
  readonly users: ReadonlyMap<string, UserEntry>;
}

interface ContextEntry {
  readonly cluster: string;
  readonly user: string;
  readonly namespace: string;
}

interface ClusterEntry {
  readonly name: string;
  readonly server: string;
  readonly caData: string | undefined;
  readonly caFile: string | undefined;
  readonly serverName: string | undefined;
  readonly insecure: boolean;
}

export interface UserEntry {
  readonly name: string;
  readonly certData: string | undefined;
  readonly certFile: string | undefined;
  readonly keyData: string | undefined;
  readonly keyFile: string | undefined;
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Why this user can't be used, such as a plugin that would have to run. */
  readonly unsupported: string | undefined;
}

/**
 * Reads one kubeconfig.
 * @throws KubeConfigError when it isn't one
 */
export function parseConfigFile(path: string, text: string): ConfigFile {
  let parsed: unknown;
  try {
    parsed = parse(text) ?? {};
  } catch (cause) {
    throw new KubeConfigError(`${path} is not YAML: ${String(cause)}`, { cause });
  }
  if (typeof parsed !== "object" || Array.isArray(parsed)) throw new KubeConfigError(`${path} is not a kubeconfig`);
  const config = parsed as Fields;
  return {
    path,
    currentContext: textOf(config["current-context"]) ?? "",
    contexts: entries(config["contexts"], "context", (_, fields) => ({
      cluster: textOf(fields["cluster"]) ?? "",
      user: textOf(fields["user"]) ?? "",
      namespace: textOf(fields["namespace"]) ?? "default",
    })),
    clusters: entries(config["clusters"], "cluster", (name, fields) => clusterOf(name, fields, path)),
    users: entries(config["users"], "user", (name, fields) => userOf(name, fields, path)),
  };
}

/** Of several files, the first that has an entry of a name wins, as with kubectl. */
export function mergeConfigs(files: readonly ConfigFile[]): ConfigFile {
  return {
    path: files.map((file) => file.path).join(" and "),
    currentContext: files.find((file) => file.currentContext !== "")?.currentContext ?? "",
    contexts: firstWins(files.map((file) => file.contexts)),
    clusters: firstWins(files.map((file) => file.clusters)),
    users: firstWins(files.map((file) => file.users)),
  };
}

/**
 * The entries that a context, by default the current one, names.
 * @throws KubeConfigError when one of them isn't there or can't be used
 */
export function contextOf(
  config: ConfigFile,
  wanted: string | undefined,
): { context: string; cluster: ClusterEntry; user: UserEntry; namespace: string } {
  const name = wanted ?? config.currentContext;
  if (name === "") throw new KubeConfigError(`${config.path} has no current-context; choose one with --context`);
  const context = config.contexts.get(name);
  if (context === undefined) {
    const known = [...config.contexts.keys()].join(", ") || "none";
    throw new KubeConfigError(`${config.path} has no context "${name}"; it has: ${known}`);
  }
  const cluster = config.clusters.get(context.cluster);
  if (cluster === undefined || cluster.server === "") {
    throw new KubeConfigError(
      `${config.path}: context "${name}" names cluster "${context.cluster}", which has no server`,
    );
  }
  const user = context.user === "" ? ANONYMOUS : config.users.get(context.user);
  if (user === undefined) {
    throw new KubeConfigError(`${config.path}: context "${name}" names user "${context.user}", which is not there`);
  }
  if (user.unsupported !== undefined)
    throw new KubeConfigError(`${config.path}: user "${user.name}" ${user.unsupported}`);
  return { context: name, cluster, user, namespace: context.namespace };
}

type Fields = Readonly<Record<string, unknown>>;

const ANONYMOUS: UserEntry = userOf("", {}, "");

function clusterOf(name: string, fields: Fields, file: string): ClusterEntry {
  return {
    name,
    server: textOf(fields["server"]) ?? "",
    caData: textOf(fields["certificate-authority-data"]),
    caFile: pathOf(fields["certificate-authority"], file),
    serverName: textOf(fields["tls-server-name"]),
    insecure: fields["insecure-skip-tls-verify"] === true,
  };
}

function userOf(name: string, fields: Fields, file: string): UserEntry {
  const plugin = ["exec", "auth-provider"].find((kind) => fields[kind] !== undefined);
  return {
    name,
    certData: textOf(fields["client-certificate-data"]),
    certFile: pathOf(fields["client-certificate"], file),
    keyData: textOf(fields["client-key-data"]),
    keyFile: pathOf(fields["client-key"], file),
    token: textOf(fields["token"]),
    tokenFile: pathOf(fields["tokenFile"], file),
    username: textOf(fields["username"]),
    password: textOf(fields["password"]),
    unsupported:
      plugin === undefined
        ? undefined
        : `gets credentials from a plugin (${plugin}), which is not supported; use a token or a client certificate, ` +
          "such as that of `kubectl create token`",
  };
}

function entries<T>(list: unknown, key: string, convert: (name: string, fields: Fields) => T): Map<string, T> {
  const found = new Map<string, T>();
  if (!Array.isArray(list)) return found;
  for (const item of list as Fields[]) {
    const name = textOf(item["name"]);
    const fields = item[key];
    if (name === undefined || found.has(name)) continue;
    found.set(name, convert(name, typeof fields === "object" && fields !== null ? (fields as Fields) : {}));
  }
  return found;
}

function firstWins<T>(maps: readonly ReadonlyMap<string, T>[]): Map<string, T> {
  return new Map([...maps].reverse().flatMap((map) => [...map]));
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function pathOf(value: unknown, file: string): string | undefined {
  const path = textOf(value);
  return path === undefined ? undefined : resolve(dirname(file), path);
}
