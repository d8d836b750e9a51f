import { CONTROL_PLANE_COMPONENT_LABEL, DESTINATION_ADMIN_PORT } from "@bowline/contracts";
import type { EndpointRow } from "@bowline/control-plane/destination";
import { type KubeClient, type Pod, RESOURCES } from "@bowline/kube";
import { CommandFailure } from "../io.ts";
import { adminPorts, fetchFromPod, proxyAdminPort, selectPods } from "./pods.ts";

/** How an endpoint in the control plane compares with what a proxy holds; "" when no proxy was asked. */
type Comparison = "" | "same" | "differs" | "missing" | "stale" | "unasked";

export interface ComparedRow extends EndpointRow {
  readonly authority: string;
  readonly proxy: Comparison;
}

export interface EndpointsQuestion {
  readonly controlPlaneNamespace: string;
  readonly destinationPod: string | undefined;
  readonly token: string | undefined;
  /** Whose proxy to compare with. */
  readonly pod: { readonly namespace: string; readonly name: string } | undefined;
}

/** What a proxy says it holds: the part of its /debug/endpoints that is compared. */
interface HeldServices {
  readonly services: readonly { readonly authority: string; readonly endpoints: readonly HeldEndpoint[] }[];
}

interface HeldEndpoint {
  readonly ip: string;
  readonly port: number;
  readonly weight: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly tlsIdentity: { readonly id: string } | null;
  readonly hint: string | null;
}

const DEFAULT_PORT = 80;

/** What the control plane answers for each authority, in the order of addresses, beside what a pod's proxy holds. */
export async function askEndpoints(
  client: KubeClient,
  authorities: readonly string[],
  question: EndpointsQuestion,
): Promise<ComparedRow[]> {
  const destination = await destinationPod(client, question);
  const proxied = question.pod === undefined ? null : await proxyOf(client, question.pod);
  const token = question.token ?? (proxied === null ? "" : contextOf(proxied.pod));
  const port = adminPorts(destination).find((one) => one.container.includes("destination"))?.port;
  const rows = await Promise.all(
    authorities.map(async (authority) => {
      const query = new URLSearchParams({ authority, token }).toString();
      const path = `/debug/endpoints?${query}`;
      const text = await fetchFromPod(client, destination, port ?? DESTINATION_ADMIN_PORT, path);
      const known = JSON.parse(text) as EndpointRow[];
      return compare(authority, known, proxied?.held ?? null);
    }),
  );
  return rows.flat();
}

async function destinationPod(client: KubeClient, question: EndpointsQuestion): Promise<Pod> {
  const { controlPlaneNamespace: namespace, destinationPod: name } = question;
  if (name !== undefined) return await client.get<Pod>(RESOURCES.pods, namespace, name);
  const pods = await selectPods(client, namespace, `${CONTROL_PLANE_COMPONENT_LABEL}=destination`);
  const isReady = ({ status }: Pod): boolean =>
    status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true;
  const pod = pods.find(isReady) ?? pods[0];
  if (pod === undefined) throw new CommandFailure(`no pod of the destination service runs in namespace ${namespace}`);
  return pod;
}

async function proxyOf(
  client: KubeClient,
  { namespace, name }: { namespace: string; name: string },
): Promise<{ pod: Pod; held: HeldServices }> {
  const pod = await client.get<Pod>(RESOURCES.pods, namespace, name);
  const port = proxyAdminPort(pod);
  if (port === null) throw new CommandFailure(`pod ${namespace}/${name} has no proxy`);
  return { pod, held: JSON.parse(await fetchFromPod(client, pod, port, "/debug/endpoints")) as HeldServices };
}

/** As the injector writes it into the pod. */
function contextOf({ metadata, spec }: Pod): string {
  return JSON.stringify({ ns: metadata.namespace ?? "", nodeName: spec?.nodeName ?? "", pod: metadata.name });
}

function compare(authority: string, known: readonly EndpointRow[], held: HeldServices | null): ComparedRow[] {
  const service = held?.services.find((one) => withPort(one.authority) === withPort(authority));
  const unseen = new Map(service?.endpoints.map((endpoint) => [keyOf(endpoint), endpoint]));
  const rows: ComparedRow[] = known.map((row) => {
    const endpoint = unseen.get(keyOf(row));
    unseen.delete(keyOf(row));
    if (held === null) return { ...row, authority, proxy: "" };
    if (service === undefined) return { ...row, authority, proxy: "unasked" };
    if (endpoint === undefined) return { ...row, authority, proxy: "missing" };
    return { ...row, authority, proxy: isSame(row, endpoint) ? "same" : "differs" };
  });
  for (const endpoint of unseen.values()) rows.push({ ...rowOf(endpoint), authority, proxy: "stale" });
  return rows.sort((a, b) => (sortText(a) < sortText(b) ? -1 : 1));
}

/** A resolution's own labels are laid under each endpoint's in a proxy. */
function isSame(row: EndpointRow, { weight, labels, tlsIdentity, hint }: HeldEndpoint): boolean {
  const sameLabels = Object.entries(row.labels).every(([name, value]) => labels[name] === value);
  return (
    sameLabels && weight === row.weight && (tlsIdentity?.id ?? "") === row.identity && (hint ?? "") === row.protocol
  );
}

function rowOf({ ip, port, weight, labels, tlsIdentity, hint }: HeldEndpoint): EndpointRow {
  const { namespace = "", service = "", pod = "" } = labels;
  const identity = tlsIdentity?.id ?? "";
  return {
    namespace,
    ip,
    port,
    pod,
    service: `${service}.${namespace}`,
    weight,
    labels,
    protocol: hint ?? "",
    identity,
  };
}

function keyOf({ ip, port }: { ip: string; port: number }): string {
  return `${ip} ${port}`;
}

/** Addresses in the order of their numbers, as far as text can say. */
function sortText({ ip, port }: EndpointRow): string {
  const parts = ip.split(/[.:]/).map((part) => part.padStart(4, "0"));
  return `${parts.join(".")} ${String(port).padStart(5, "0")}`;
}

function withPort(authority: string): string {
  const [host = "", port = String(DEFAULT_PORT)] = authority.split(":");
  return `${host.replace(/\.$/, "").toLowerCase()}:${port}`;
}
