/** A kind that `stat` has rows for. */
export interface StatKind {
  readonly kind: string;
  /** As rows show it beside others: `deploy/web`. */
  readonly short: string;
  readonly aliases: readonly string[];
  /** The label that names it on its own proxies' series; outbound series name it with `dst_` in front. */
  readonly label: string;
}

/** In the order in which `all` shows them. Jobs are labelled as Linkerd labels them: `job` is Prometheus' own. */
export const STAT_KINDS: readonly StatKind[] = [
  { kind: "daemonset", short: "ds", aliases: ["ds", "daemonsets"], label: "daemonset" },
  { kind: "statefulset", short: "sts", aliases: ["sts", "statefulsets"], label: "statefulset" },
  { kind: "job", short: "job", aliases: ["jobs"], label: "k8s_job" },
  { kind: "deployment", short: "deploy", aliases: ["deploy", "deployments", "deploy.apps"], label: "deployment" },
  {
    kind: "replicationcontroller",
    short: "rc",
    aliases: ["rc", "replicationcontrollers"],
    label: "replicationcontroller",
  },
  { kind: "pod", short: "po", aliases: ["po", "pods"], label: "pod" },
  { kind: "service", short: "svc", aliases: ["svc", "services"], label: "service" },
  { kind: "cronjob", short: "cj", aliases: ["cj", "cronjobs"], label: "cronjob" },
  { kind: "replicaset", short: "rs", aliases: ["rs", "replicasets"], label: "replicaset" },
  { kind: "namespace", short: "ns", aliases: ["ns", "namespaces"], label: "namespace" },
];

const BY_NAME: ReadonlyMap<string, StatKind> = new Map(
  STAT_KINDS.flatMap((kind) => [kind.kind, ...kind.aliases].map((name) => [name, kind] as const)),
);

/** `all` leaves namespaces out, as kubectl does. */
const ALL_KINDS: readonly StatKind[] = STAT_KINDS.filter(({ kind }) => kind !== "namespace");

function findKind(name: string): StatKind | undefined {
  return BY_NAME.get(name.toLowerCase());
}

/** What a person typed: a kind, and maybe a name. */
export interface ResourceName {
  readonly kind: StatKind;
  readonly name?: string;
}

/**
 * Reads `deploy`, `deploy/web` and `all`.
 *
 * @throws Error that names what is not known and what is
 */
export function parseResource(text: string): readonly ResourceName[] {
  const [kindName = "", name, ...rest] = text.split("/");
  if (rest.length > 0 || name === "")
    throw new Error(`${JSON.stringify(text)} is not a resource: write KIND or KIND/NAME`);
  if (kindName === "all") {
    if (name !== undefined) throw new Error(`${JSON.stringify(text)}: \`all\` goes without a name`);
    return ALL_KINDS.map((kind) => ({ kind }));
  }
  const kind = findKind(kindName);
  if (kind === undefined) {
    throw new Error(
      `cannot show stats of ${JSON.stringify(kindName)}; known are all, ${STAT_KINDS.map((known) => known.kind).join(", ")}`,
    );
  }
  return [name === undefined ? { kind } : { kind, name }];
}
