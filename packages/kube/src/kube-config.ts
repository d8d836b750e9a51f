import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { KubeConfigError } from "./kube-config-error.ts";
import { contextOf, mergeConfigs, parseConfigFile, type UserEntry } from "./kube-config-file.ts";

/** How to reach an API server, and as whom. */
export interface KubeConfig {
  /** Base URL, without a slash at its end. */
  readonly server: string;
  /** For messages: the context and where it was read. */
  readonly origin: string;
  readonly context: string;
  readonly cluster: string;
  readonly user: string;
  /** The namespace of commands that name none. */
  readonly namespace: string;
  readonly tls: ClientTls;
  /** The Authorization header of a request that is about to be made; files are read again from time to time. */
  authorization(): string | undefined;
  readonly impersonate?: Impersonation;
}

export interface ClientTls {
  /** PEM. Without it the system's certificate authorities count. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  readonly insecure: boolean;
}

export interface Impersonation {
  readonly user: string;
  readonly group?: string;
}

export interface LoadOptions {
  /** A file, as in --kubeconfig. */
  readonly path?: string;
  readonly context?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly impersonate?: Impersonation;
  /** Where a pod finds its token. */
  readonly serviceAccountDir?: string;
}

const SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Finds the configuration: `path`, else the files of $KUBECONFIG, else the pod's service account when this is one, else
 * ~/.kube/config. A pod's own account comes before ~/.kube/config because pods of the embedded cluster see the
 * machine's home directories.
 * @throws KubeConfigError
 */
export function loadKubeConfig(options: LoadOptions = {}): KubeConfig {
  const env = options.env ?? process.env;
  if (options.path !== undefined) return fromFiles([options.path], true, options);

  const listed = (env["KUBECONFIG"] ?? "").split(delimiter).filter((path) => path !== "");
  if (listed.length > 0) return fromFiles(listed, false, options);

  const serviceAccountDir = options.serviceAccountDir ?? SERVICE_ACCOUNT_DIR;
  const host = env["KUBERNETES_SERVICE_HOST"];
  if (options.context === undefined && host !== undefined && isFile(join(serviceAccountDir, "token"))) {
    return fromServiceAccount(serviceAccountDir, host, env["KUBERNETES_SERVICE_PORT"] ?? "443", options);
  }
  return fromFiles([join(env["HOME"] ?? homedir(), ".kube", "config")], false, options);
}

function fromFiles(paths: readonly string[], must: boolean, options: LoadOptions): KubeConfig {
  const existing = must ? paths : paths.filter(isFile);
  if (existing.length === 0) {
    throw new KubeConfigError(
      `no Kubernetes configuration: ${paths.join(" and ")} ${paths.length > 1 ? "do" : "does"} not exist; ` +
        "set KUBECONFIG or use --kubeconfig",
    );
  }
  const merged = mergeConfigs(existing.map((path) => parseConfigFile(path, read(path))));
  const { context, cluster, user, namespace } = contextOf(merged, options.context);
  const ca = dataOrFile(cluster.caData, cluster.caFile);
  const cert = dataOrFile(user.certData, user.certFile);
  const key = dataOrFile(user.keyData, user.keyFile);
  return {
    server: cluster.server.replace(/\/+$/, ""),
    origin: `context "${context}" of ${existing.join(" and ")}`,
    context,
    cluster: cluster.name,
    user: user.name,
    namespace,
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(cluster.serverName === undefined ? {} : { serverName: cluster.serverName }),
      insecure: cluster.insecure,
    },
    authorization: authorizationOf(user),
    ...(options.impersonate === undefined ? {} : { impersonate: options.impersonate }),
  };
}

function fromServiceAccount(directory: string, host: string, port: string, options: LoadOptions): KubeConfig {
  const token = rereadFile(join(directory, "token"));
  const namespaceFile = join(directory, "namespace");
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    origin: `the pod's service account (${directory})`,
    context: "in-cluster",
    cluster: "in-cluster",
    user: "service account",
    namespace: isFile(namespaceFile) ? read(namespaceFile).trim() : "default",
    tls: { ca: read(join(directory, "ca.crt")), insecure: false },
    authorization: () => `Bearer ${token()}`,
    ...(options.impersonate === undefined ? {} : { impersonate: options.impersonate }),
  };
}

function authorizationOf(user: UserEntry): () => string | undefined {
  if (user.tokenFile !== undefined) {
    const token = rereadFile(user.tokenFile);
    return () => `Bearer ${token()}`;
  }
  const { token, username, password } = user;
  if (token !== undefined) return () => `Bearer ${token}`;
  if (username === undefined) return () => undefined;
  const basic = `Basic ${Buffer.from(`${username}:${password ?? ""}`).toString("base64")}`;
  return () => basic;
}

// A kubelet replaces a token when 80 % of its life are over, which is a day or an hour.
const TOKEN_AGE_MAX_MS = 30_000;

/** The trimmed text of a file, read again when what was read is old; the old text counts while it can't be read. */
function rereadFile(path: string): () => string {
  let text: string | undefined;
  let readAtMs = 0;
  return () => {
    const nowMs = performance.now();
    if (text !== undefined && nowMs - readAtMs < TOKEN_AGE_MAX_MS) return text;
    readAtMs = nowMs;
    if (text === undefined || isFile(path)) text = read(path).trim();
    return text;
  };
}

function dataOrFile(data: string | undefined, file: string | undefined): string | undefined {
  if (data !== undefined) return Buffer.from(data, "base64").toString();
  return file === undefined ? undefined : read(file);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new KubeConfigError(`cannot read ${path}: ${String(cause)}`, { cause });
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
