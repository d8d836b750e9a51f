import { CONTROL_PLANE_COMPONENT_LABEL } from "@bowline/contracts";
import type { KubeClient } from "@bowline/kube";
import { CommandFailure } from "../io.ts";
import { adminPorts, fetchFromPod, podsOf, proxyAdminPort, selectPods } from "./pods.ts";

/** One program's page, or why there is none. */
interface Page {
  /** `POD web-1`, as a comment above the page. */
  readonly titles: readonly string[];
  readonly fetch: () => Promise<string>;
}

/** The metrics of the proxies of a resource's pods. A pod that does not answer is told of in its place. */
export async function proxyMetrics(client: KubeClient, namespace: string, resource: string): Promise<string> {
  const meshed = (await podsOf(client, namespace, resource)).flatMap((pod) => {
    const port = proxyAdminPort(pod);
    return port === null ? [] : [{ pod, port }];
  });
  if (meshed.length === 0)
    throw new CommandFailure(`no running pod of ${resource} in namespace ${namespace} has a proxy`);
  return await printPages(
    meshed.map(({ pod, port }, at) => ({
      titles: [`POD ${pod.metadata.name} (${at + 1} of ${meshed.length})`],
      fetch: () => fetchFromPod(client, pod, port, "/metrics"),
    })),
  );
}

/** The metrics of the control plane's programs. */
export async function controllerMetrics(client: KubeClient, namespace: string): Promise<string> {
  const pods = await selectPods(client, namespace, CONTROL_PLANE_COMPONENT_LABEL);
  if (pods.length === 0) throw new CommandFailure(`no pod of a control plane runs in namespace ${namespace}`);
  return await printPages(
    pods.flatMap((pod, at) =>
      adminPorts(pod).map(({ container, port }) => ({
        titles: [`POD ${pod.metadata.name} (${at + 1} of ${pods.length})`, `CONTAINER ${container}`],
        fetch: () => fetchFromPod(client, pod, port, "/metrics"),
      })),
    ),
  );
}

async function printPages(pages: readonly Page[]): Promise<string> {
  const texts = await Promise.all(
    pages.map(async ({ titles, fetch }) => {
      const text = await fetch().catch((error: unknown) => {
        return `# ERROR ${error instanceof Error ? error.message : String(error)}\n`;
      });
      return `#\n${titles.map((title) => `# ${title}\n`).join("")}#\n${text}`;
    }),
  );
  return texts.join("\n");
}
