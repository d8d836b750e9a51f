import { type JsonObject, objectIn, objectsIn, textIn } from "./json-object.ts";
import { isPort } from "./port-items.ts";
import type { PodView } from "./workload.ts";

/** The containers that run as long as the pod does. */
function lasting(pod: PodView): readonly JsonObject[] {
  return [...pod.initContainers.filter((container) => container["restartPolicy"] === "Always"), ...pod.containers];
}

/** The TCP ports that the pod's containers declare. */
export function containerPorts(pod: PodView): readonly number[] {
  return declared(pod).map(([port]) => port);
}

/** What the pod calls its TCP ports. */
export function namedPorts(pod: PodView): ReadonlyMap<string, number> {
  const names = new Map<string, number>();
  for (const [port, name] of declared(pod)) if (name !== "" && !names.has(name)) names.set(name, port);
  return names;
}

/**
 * The ports that the proxy should know policies of from the start: those declared, and those the kubelet probes by
 * HTTP, which are often not declared, and whose probes would fail if their first connection had to wait.
 */
export function inboundPorts(pod: PodView): readonly number[] {
  const probed = lasting(pod).flatMap((container) =>
    ["livenessProbe", "readinessProbe"].map(
      (probe) => objectIn(objectIn(container, probe, ""), "httpGet", "")?.["port"],
    ),
  );
  return [...new Set([...containerPorts(pod), ...probed.filter(isPort)])];
}

function declared(pod: PodView): readonly (readonly [port: number, name: string])[] {
  return lasting(pod).flatMap((container) =>
    objectsIn(container, "ports", "").flatMap((port) => {
      const number = port["containerPort"];
      const tcp = (textIn(port, "protocol") || "TCP") === "TCP";
      return tcp && isPort(number) ? [[number, textIn(port, "name")] as const] : [];
    }),
  );
}
