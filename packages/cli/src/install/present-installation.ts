import { LINKERD_CONFIG, LINKERD_CONFIG_KEY, TRUST_ROOTS, TRUST_ROOTS_KEY } from "@bowline/contracts";
import { ApiError, type KubeClient, type KubeObject, RESOURCES, type ResourceRef } from "@bowline/kube";
import { parseAllDocuments } from "yaml";
import type { Credentials } from "../certificates/issue.ts";
import { CommandFailure } from "../io.ts";
import { ISSUER_KEYS, ISSUER_SECRET, OVERRIDES_SECRET } from "./manifests/configuration.ts";
import { INJECTOR_TLS_SECRET, INJECTOR_WEBHOOK_CONFIG, type WebhookTls } from "./manifests/webhooks.ts";
import { isTree, type ValueTree } from "./set-flags.ts";

/** What an earlier `install` or `upgrade` left. */
export interface PresentInstallation {
  /** The text of linkerd-config's values. */
  readonly values: string;
  /** The text of the overrides. */
  readonly overrides: string;
  readonly issuer: Credentials | undefined;
  readonly anchorsPEM: string;
  readonly webhook: WebhookTls | undefined;
}

/** Finds an object, or does not. `namespace` is "" for cluster-scoped kinds. */
export type Lookup = (ref: ResourceRef, namespace: string, name: string) => Promise<KubeObject | undefined>;

/** Looks objects up in a cluster. */
export function clusterLookup(client: KubeClient): Lookup {
  return async (ref, namespace, name) => {
    try {
      return await client.get(ref, namespace, name);
    } catch (error) {
      if (error instanceof ApiError && error.code === 404) return undefined;
      throw error;
    }
  };
}

/** Looks objects up in manifests, such as those that an earlier `install` printed. */
export function manifestLookup(text: string): Lookup {
  const documents = parseAllDocuments(text);
  const fault = documents.find((document) => document.errors.length > 0)?.errors[0];
  if (fault !== undefined) throw new CommandFailure(`--from-manifests: ${fault.message}`);
  const objects = documents.map((document) => document.toJS() as unknown).flatMap(itemsOf);
  return (ref, namespace, name) =>
    Promise.resolve(
      objects.find(
        ({ kind, metadata }) => kind === ref.kind && metadata.name === name && (metadata.namespace ?? "") === namespace,
      ),
    );
}

/**
 * Reads the installation of a namespace.
 * @returns undefined when there is none
 * @throws CommandFailure when there is one that `upgrade` can't start from
 */
export async function readInstallation(lookup: Lookup, namespace: string): Promise<PresentInstallation | undefined> {
  const config = await lookup(RESOURCES.configmaps, namespace, LINKERD_CONFIG);
  if (config === undefined) return undefined;
  const overrides = await lookup(RESOURCES.secrets, namespace, OVERRIDES_SECRET);
  if (overrides === undefined) {
    throw new CommandFailure(
      `namespace ${namespace} has no Secret ${OVERRIDES_SECRET}, which says what was installed; was another tool used?`,
    );
  }
  const issuer = await lookup(RESOURCES.secrets, namespace, ISSUER_SECRET);
  const anchors = await lookup(RESOURCES.configmaps, namespace, TRUST_ROOTS);
  const tls = await lookup(RESOURCES.secrets, namespace, INJECTOR_TLS_SECRET);
  const webhook = await lookup(RESOURCES.mutatingwebhookconfigurations, "", INJECTOR_WEBHOOK_CONFIG);
  return {
    values: dataOf(config)[LINKERD_CONFIG_KEY] ?? "",
    overrides: secretOf(overrides)[OVERRIDES_SECRET] ?? "",
    issuer: issuer === undefined ? undefined : issuerOf(secretOf(issuer)),
    anchorsPEM: anchors === undefined ? "" : (dataOf(anchors)[TRUST_ROOTS_KEY] ?? ""),
    webhook: tls === undefined ? undefined : webhookOf(secretOf(tls), webhook),
  };
}

function issuerOf(data: Readonly<Record<string, string>>): Credentials | undefined {
  const crtPEM = data[ISSUER_KEYS.crt] ?? data["tls.crt"];
  const keyPEM = data[ISSUER_KEYS.key] ?? data["tls.key"];
  return crtPEM === undefined || keyPEM === undefined ? undefined : { crtPEM, keyPEM };
}

/** Where no configuration says whom to trust, the certificate vouches for itself. */
function webhookOf(
  data: Readonly<Record<string, string>>,
  configuration: KubeObject | undefined,
): WebhookTls | undefined {
  const [crtPEM, keyPEM] = [data["tls.crt"], data["tls.key"]];
  if (crtPEM === undefined || keyPEM === undefined) return undefined;
  const [first] = (configuration?.["webhooks"] ?? []) as { clientConfig?: { caBundle?: string } }[];
  const caBundle = Buffer.from(first?.clientConfig?.caBundle ?? "", "base64").toString();
  return { crtPEM, keyPEM, caBundle: caBundle === "" ? crtPEM : caBundle };
}

function dataOf(object: KubeObject): Record<string, string> {
  return (object["data"] ?? {}) as Record<string, string>;
}

function secretOf(secret: KubeObject): Record<string, string> {
  const decoded = Object.entries(dataOf(secret)).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]);
  return { ...Object.fromEntries(decoded), ...((secret["stringData"] ?? {}) as Record<string, string>) };
}

function itemsOf(document: unknown): KubeObject[] {
  if (!isTree(document)) return [];
  if (String(document["kind"]).endsWith("List")) return ((document["items"] ?? []) as ValueTree[]).flatMap(itemsOf);
  return isTree(document["metadata"]) ? [document as KubeObject] : [];
}
