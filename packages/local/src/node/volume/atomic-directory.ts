import { chmod, chown, mkdir, readdir, readlink, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { MountFailure, type Payload } from "./payload.ts";

const DATA = "..data";

/**
 * A directory whose files all change at once, as Kubernetes has it: `name -> ..data/name`, `..data -> ..TIME`, and a change is the
 * renaming of one symbolic link. Whoever watches for that sees it.
 */
export class AtomicDirectory {
  readonly path: string;
  readonly #group: number | undefined;
  #written = "";

  constructor(path: string, group: number | undefined) {
    this.path = path;
    this.#group = group;
  }

  /** @returns whether anything was different from the last `write` */
  async write(payload: Payload): Promise<boolean> {
    const print = fingerprint(payload);
    if (print === this.#written) return false;
    await mkdir(this.path, { recursive: true, mode: 0o755 });
    await this.#own(this.path, 0o755, true);
    const before = await readlink(join(this.path, DATA)).catch(() => undefined);
    const name = `..${new Date().toISOString().replaceAll(/[-T:.]/g, "_")}${Math.random().toString(36).slice(2, 8)}`;
    await this.#writeFiles(join(this.path, name), payload);
    await symlink(name, join(this.path, "..data_tmp"));
    await rename(join(this.path, "..data_tmp"), join(this.path, DATA));
    await this.#linkNames(payload);
    if (before !== undefined) await rm(join(this.path, before), { recursive: true, force: true });
    this.#written = print;
    return true;
  }

  async #writeFiles(directory: string, payload: Payload): Promise<void> {
    await mkdir(directory, { mode: 0o755 });
    await this.#own(directory, 0o755, true);
    for (const [path, { bytes, mode }] of payload) {
      const file = join(directory, safePath(path));
      const parent = dirname(file);
      if (parent !== directory) await mkdir(parent, { recursive: true, mode: 0o755 });
      await writeFile(file, bytes);
      await this.#own(file, mode, false);
    }
  }

  async #linkNames(payload: Payload): Promise<void> {
    const names = new Set(Array.from(payload.keys(), (path) => safePath(path).split("/")[0] ?? ""));
    const present = (await readdir(this.path)).filter((name) => !name.startsWith(".."));
    for (const name of names) {
      if (!present.includes(name)) await symlink(join(DATA, name), join(this.path, name));
    }
    for (const name of present) {
      if (!names.has(name)) await unlink(join(this.path, name));
    }
  }

  /** With an fsGroup its members may read what the owner may. */
  async #own(path: string, mode: number, directory: boolean): Promise<void> {
    if (this.#group !== undefined) await chown(path, 0, this.#group);
    const shared = this.#group === undefined ? 0 : directory ? 0o2050 : 0o440;
    await chmod(path, mode | shared);
  }
}

function safePath(path: string): string {
  const normal = normalize(path);
  if (normal.startsWith("/") || normal.startsWith("..")) throw new MountFailure(`invalid path ${JSON.stringify(path)}`);
  return normal;
}

function fingerprint(payload: Payload): string {
  const hash = new Bun.CryptoHasher("sha256");
  for (const [path, { bytes, mode }] of payload) hash.update(`${path}\0${mode}\0${bytes.length}\0`).update(bytes);
  return hash.digest("hex");
}
