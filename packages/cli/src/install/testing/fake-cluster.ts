import { type KubeObject, matchesRequirements, parseLabelSelector, RESOURCES, type ResourceRef } from "@bowline/kube";

/** As much of an API server as install, upgrade, uninstall, prune and version ask: get and list. */
export class FakeCluster implements AsyncDisposable {
  readonly objects: KubeObject[] = [];
  /** Plurals that the cluster does not have. */
  readonly without: Set<string> = new Set();
  readonly #server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => this.#answer(request) });

  /** A kubeconfig's text. */
  get kubeconfig(): string {
    const clusters = [{ name: "fake", cluster: { server: `http://127.0.0.1:${this.#server.port}` } }];
    const contexts = [{ name: "fake", context: { cluster: "fake", user: "" } }];
    return JSON.stringify({ "current-context": "fake", clusters, contexts });
  }

  /** `kubectl apply` */
  apply(objects: readonly KubeObject[]): void {
    for (const object of objects) {
      this.delete(object);
      this.objects.push(object);
    }
  }

  delete(object: KubeObject): void {
    const at = this.objects.findIndex((one) => this.#key(one) === this.#key(object));
    if (at >= 0) this.objects.splice(at, 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }

  #answer(request: Request): Response {
    const { pathname, searchParams } = new URL(request.url);
    const [, namespace, plural = "", name] =
      /^\/apis?\/(?:[^/]+\/)?v[0-9a-z]+(?:\/namespaces\/([^/]+)(?=\/))?\/([^/]+)(?:\/([^/]+))?$/.exec(pathname) ?? [];
    const ref = Object.values<ResourceRef>(RESOURCES).find((one) => one.plural === plural);
    if (ref === undefined || this.without.has(plural)) return status(404);
    const selector = parseLabelSelector(searchParams.get("labelSelector") ?? "");
    const found = this.objects.filter(
      ({ kind, metadata }) =>
        kind === ref.kind &&
        (namespace === undefined || metadata.namespace === namespace) &&
        (name === undefined || metadata.name === name) &&
        matchesRequirements(selector, metadata.labels),
    );
    if (name === undefined) return Response.json({ kind: `${ref.kind}List`, metadata: {}, items: found });
    return found[0] === undefined ? status(404) : Response.json(found[0]);
  }

  #key({ kind, metadata }: KubeObject): string {
    return `${kind} ${metadata.namespace} ${metadata.name}`;
  }
}

function status(code: number): Response {
  return Response.json({ kind: "Status", code, reason: "NotFound", message: "not found" }, { status: code });
}
