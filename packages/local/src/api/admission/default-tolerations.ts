import type { Pod } from "@bowline/kube";

const TAINTS = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const SECONDS = 300;

/** The tolerations that every pod has in Kubernetes. */
export function addDefaultTolerations({ spec }: Pod): void {
  if (spec === undefined) return;
  for (const key of TAINTS) {
    const tolerated = spec.tolerations?.some(
      (each) =>
        (each.key === key || (each.key ?? "") === "") && (each.effect === "NoExecute" || (each.effect ?? "") === ""),
    );
    if (tolerated === true) continue;
    const toleration = { key, operator: "Exists", effect: "NoExecute", tolerationSeconds: SECONDS };
    spec.tolerations = [...(spec.tolerations ?? []), toleration];
  }
}
