import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Values } from "../values.ts";
import { parseValues } from "../values-text.ts";
import type { KeyPair } from "./webhook-server.ts";

/** Reads a text and makes something of it, anew only when the text has changed. */
class CachedFile<T> {
  readonly #path: string;
  readonly #parse: (text: string) => T;
  #cached: { readonly text: string; readonly value: T } | null = null;

  constructor(path: string, parse: (text: string) => T) {
    this.#path = path;
    this.#parse = parse;
  }

  /** @throws Error when the file can't be read or parsed */
  async read(): Promise<T> {
    const text = await readFile(this.#path, "utf8");
    if (this.#cached?.text !== text) this.#cached = { text, value: this.#parse(text) };
    return this.#cached.value;
  }
}

/**
 * The control plane's values as they are mounted into the pod, with the trust anchors of the mounted bundle. The kubelet
 * brings both up to date, so each question gets the newest.
 */
export function mountedValues(valuesPath: string, anchorsPath: string): () => Promise<Values> {
  const values = new CachedFile(valuesPath, (text) => parseValues(text));
  const anchors = new CachedFile(anchorsPath, (text) => text);
  return async () => {
    const read = await values.read();
    return read.identity.enabled ? { ...read, identityTrustAnchorsPEM: await anchors.read() } : read;
  };
}

/** A certificate and its key in a directory, as a Secret of type kubernetes.io/tls mounts them. */
export async function readKeyPair(directory: string): Promise<KeyPair> {
  const [cert, key] = await Promise.all([
    readFile(join(directory, "tls.crt"), "utf8"),
    readFile(join(directory, "tls.key"), "utf8"),
  ]);
  return { cert, key };
}

export interface KeyPairWatch {
  readonly directory: string;
  readonly everyMs: number;
  /** Throws when the pair can't be used: it is offered again the next time. */
  readonly onChange: (keyPair: KeyPair) => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Looks after a pair of files. The kubelet swaps them by a symbolic link, of which file notifications say little, and
 * takes up to a minute to do so: looking from time to time is as quick.
 *
 * @returns what ends it
 */
export function watchKeyPair(current: KeyPair, watch: KeyPairWatch): () => void {
  let used = current;
  const timer = setInterval(() => {
    void readKeyPair(watch.directory)
      .then((pair) => {
        if (pair.cert === used.cert && pair.key === used.key) return;
        watch.onChange(pair);
        used = pair;
      })
      .catch(watch.onError);
  }, watch.everyMs);
  return () => clearInterval(timer);
}
