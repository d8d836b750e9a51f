import { ApiError, type Pod } from "@bowline/kube";
import type { PodStreams } from "../api/pod-streams.ts";
import type { PodNetwork } from "../network/index.ts";
import type { Node } from "../node/index.ts";
import type { ContainerRef, ContainerSession, StreamTargets } from "../stream/pod-streams.ts";
import { upgradePodStream } from "../stream/upgrade.ts";

const DEFAULT_CONTAINER_ANNOTATION = "kubectl.kubernetes.io/default-container";

/** Logs, exec, attach and port-forward: the API server's requests, answered by node and network. */
export function podStreams(network: PodNetwork, nodeOrNull: () => Node | null): PodStreams {
  const node = (): Node => {
    const running = nodeOrNull();
    if (running === null) throw ApiError.internal("the node is starting");
    return running;
  };
  const targets: StreamTargets = {
    exec: ({ namespace, pod, container }, command, options) =>
      node().exec(namespace, pod, container ?? "", command, options),
    attach: (container) => attach(node(), container),
    dialPod(namespace, pod, port) {
      const netns = node().netnsOf(namespace, pod);
      if (netns === undefined) throw ApiError.badRequest(`pod ${namespace}/${pod} has no network yet`);
      return network.dial(netns, "127.0.0.1", port);
    },
  };
  return {
    log: (namespace, pod, container, options) => node().log(namespace, pod, container, options),
    upgrade(kind, pod, request, socket, head, query) {
      const container: ContainerRef = {
        namespace: pod.metadata.namespace ?? "",
        pod: pod.metadata.name,
        container: query.get("container") ?? defaultContainer(pod),
      };
      void upgradePodStream(targets, { kind, container, request, socket, head, query });
    },
  };
}

/** Attaching succeeds when the container has ended, whatever it ended with: that is in the pod's status. */
async function attach(node: Node, { namespace, pod, container = "" }: ContainerRef): Promise<ContainerSession> {
  const { stdin, stdout, detach } = await node.attach(namespace, pod, container);
  const ended = Promise.withResolvers<number>();
  const watched = new TransformStream<Uint8Array, Uint8Array>({ flush: () => ended.resolve(0) });
  return { stdin, stdout: stdout.pipeThrough(watched), stderr: null, exited: ended.promise, kill: detach };
}

function defaultContainer({ metadata, spec }: Pod): string | undefined {
  return metadata.annotations?.[DEFAULT_CONTAINER_ANNOTATION] ?? spec?.containers[0]?.name;
}
