import { expect, test } from "bun:test";
import type { Pod } from "@bowline/kube";
import { pod } from "../testing/objects.ts";
import { inOrderOfDeletion } from "./pod-ranking.ts";

interface Traits {
  readonly node?: string;
  readonly phase?: string;
  readonly readySince?: string;
  readonly cost?: string;
  readonly restarts?: number;
  readonly created?: string;
}

function made(name: string, traits: Traits): Pod {
  const { node = "n", phase = "Running", readySince, cost, restarts = 0, created = "2026-01-01T00:00:00Z" } = traits;
  const base = pod(name, {});
  const condition = { type: "Ready", status: "True", lastTransitionTime: readySince ?? "" };
  return {
    ...base,
    metadata: {
      ...base.metadata,
      creationTimestamp: created,
      ...(cost === undefined ? {} : { annotations: { "controller.kubernetes.io/pod-deletion-cost": cost } }),
    },
    spec: { containers: [], ...(node === "" ? {} : { nodeName: node }) },
    status: {
      phase,
      conditions: readySince === undefined ? [] : [condition],
      containerStatuses: [{ name: "app", image: "", imageID: "", ready: true, restartCount: restarts }],
    },
  };
}

const EARLY = "2026-01-01T00:00:00Z";
const LATE = "2026-01-01T01:00:00Z";

test.each<[string, Traits, Traits]>([
  ["not yet on a node before on one", { node: "", phase: "Pending" }, { phase: "Pending" }],
  ["pending before running", { phase: "Pending" }, {}],
  ["not ready before ready", {}, { readySince: LATE }],
  ["cheap before dear", { readySince: EARLY, cost: "-5" }, { readySince: LATE, cost: "5" }],
  ["ready lately before ready for long", { readySince: LATE }, { readySince: EARLY }],
  ["often restarted before seldom", { readySince: EARLY, restarts: 3 }, { readySince: EARLY }],
  ["young before old", { created: LATE }, { created: EARLY }],
])("when there are too many pods, %s", (_name, first, second) => {
  const [a, b] = [made("a", first), made("b", second)];
  const names = (pods: Pod[]): string[] => inOrderOfDeletion(pods).map(({ metadata }) => metadata.name);
  expect(names([a, b])).toEqual(["a", "b"]);
  expect(names([b, a])).toEqual(["a", "b"]);
});
