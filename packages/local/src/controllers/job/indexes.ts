import type { Pod } from "@bowline/kube";

const INDEX = "batch.kubernetes.io/job-completion-index";

/** Sorted index lists in the form of `status.completedIndexes`: "0,2-4". What is no number is left out. */
export function parseIndexes(text: string | undefined): number[] {
  const parts = (text ?? "").split(",").filter((part) => part !== "");
  return parts.flatMap((part) => {
    const [first = Number.NaN, last = first] = part.split("-").map(Number);
    return first <= last ? Array.from({ length: last - first + 1 }, (_, offset) => first + offset) : [];
  });
}

export function formatIndexes(indexes: Iterable<number>): string {
  const sorted = [...new Set(indexes)].sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const index of sorted) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === index - 1) run[1] = index;
    else runs.push([index, index]);
  }
  return runs.map(([first, last]) => spanText(first, last)).join(",");
}

function spanText(first: number, last: number): string {
  if (first === last) return `${first}`;
  return last === first + 1 ? `${first},${last}` : `${first}-${last}`;
}

/** Which of an Indexed Job's completions a pod works on. */
export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[INDEX] ?? pod.metadata.labels?.[INDEX];
  return text === undefined ? undefined : Number(text);
}

/** The label, annotation and environment by which a pod knows its index. */
export function withIndex(pod: Pod, jobName: string, index: number): Pod {
  const { metadata, spec } = pod;
  metadata.name = "";
  metadata.generateName = `${jobName}-${index}-`;
  metadata.labels = { ...metadata.labels, [INDEX]: String(index) };
  metadata.annotations = { ...metadata.annotations, [INDEX]: String(index) };
  if (spec === undefined) return pod;
  spec.hostname = spec.hostname ?? `${jobName}-${index}`;
  const variable = {
    name: "JOB_COMPLETION_INDEX",
    valueFrom: { fieldRef: { fieldPath: `metadata.labels['${INDEX}']` } },
  };
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    const env = container.env ?? [];
    if (!env.some(({ name }) => name === variable.name)) container.env = [...env, variable];
  }
  return pod;
}
