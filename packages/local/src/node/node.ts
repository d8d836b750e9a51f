import type { ExecOptions, ExecProcess, LogOptions } from "./types.ts";

/** The kubelet and container runtime of the embedded cluster: pods as processes of this machine. */
export interface PodNode {
  /** The container's output as the pod `log` subresource gives it. Rejects with an ApiError (400, 404) as Kubernetes words it. */
  log(namespace: string, pod: string, container: string, options: LogOptions): Promise<ReadableStream<Uint8Array>>;
  /** Throws an ApiError when there is no such running container. */
  exec(
    namespace: string,
    pod: string,
    container: string,
    command: readonly string[],
    options: ExecOptions,
  ): ExecProcess;
  /** Path of the pod's network namespace, once it has one. */
  netnsOf(namespace: string, pod: string): string | undefined;
  /** Stops looking after pods; `pods`: ends them as well. */
  stop(options: { readonly pods: boolean }): Promise<void>;
}
