import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InsideOptions } from "@bowline/testkit";
import { APP_UID, type Mesh, type ProxyEnv, ROUTES, type Route } from "./mesh.ts";

/** `direct` tells what the peers do without a proxy between them. */
export const PATHS: readonly Path[] = ["direct", ...ROUTES];
export type Path = "direct" | Route;

/** Apps run as any user but the proxy's. */
export const AS_APP: InsideOptions = { as: { uid: APP_UID } };

/** The pods' addresses are none that the control plane is asked about: connections go where they were going. */
export const UNDISCOVERED: ProxyEnv = { LINKERD2_PROXY_DESTINATION_PROFILE_NETWORKS: "192.0.2.0/24" };

/** A program for Node, built from TypeScript: other HTTP/2 and gRPC libraries run on the runtime they are written for. */
export class NodeProgram implements Disposable {
  readonly #directory: string;
  readonly #script: string;

  private constructor(directory: string, script: string) {
    this.#directory = directory;
    this.#script = script;
  }

  static async build(source: string): Promise<NodeProgram> {
    const directory = mkdtempSync(join(tmpdir(), "bowline-peer-"));
    const built = await Bun.build({
      entrypoints: [source],
      target: "node",
      format: "esm",
      outdir: directory,
      naming: "peer.mjs",
    });
    if (!built.success) throw new Error(built.logs.map(({ message }) => message).join("\n"));
    await Bun.$`chmod -R a+rX ${directory}`.quiet();
    return new NodeProgram(directory, join(directory, "peer.mjs"));
  }

  argv(...args: readonly (string | number)[]): string[] {
    return ["node", this.#script, ...args.map(String)];
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** A port in the server's pod that is reached by this path. */
export function portFor(mesh: Mesh, path: Path): number {
  return mesh.port(path === "direct" ? "two proxies" : path);
}

/** Runs a client on its side of the path and returns its standard output. Its exit status is not looked at. */
export async function runClient(mesh: Mesh, path: Path, argv: readonly string[], timeoutMs = 50_000): Promise<string> {
  // From the server's own pod nothing is redirected: the packets stay on its loopback.
  const pod = path === "direct" ? mesh.server : mesh.client;
  const { stdout, stderr } = await pod.namespace.exec(argv, { ...AS_APP, timeoutMs });
  return stdout + stderr;
}

/** One test per scenario of a client that prints a line of JSON, {name, error}, for each. */
export function testScenarios(names: readonly string[], output: () => string): void {
  test.each(names)("%s", (name) => {
    const line = output()
      .split("\n")
      .find((text) => text.startsWith(`{"name":${JSON.stringify(name)},`));
    const result =
      line === undefined ? `it did not run: ${output().slice(-500)}` : (JSON.parse(line) as { error: string }).error;
    expect(result).toBe("");
  });
}
