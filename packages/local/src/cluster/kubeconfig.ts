import { stringify } from "yaml";

/** A kubeconfig whose one context is the cluster, as its administrator. */
export function kubeconfigText(cluster: {
  readonly name: string;
  readonly server: string;
  readonly caPem: string;
  readonly token: string;
}): string {
  const name = `bowline-${cluster.name}`;
  const user = `${name}-admin`;
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name,
        cluster: {
          server: cluster.server,
          "certificate-authority-data": Buffer.from(cluster.caPem).toString("base64"),
        },
      },
    ],
    users: [{ name: user, user: { token: cluster.token } }],
    contexts: [{ name, context: { cluster: name, user, namespace: "default" } }],
    "current-context": name,
  });
}
