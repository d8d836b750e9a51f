import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { CommandFailure, type Io } from "../io.ts";

/** A text of manifests and where it is from. */
export interface Input {
  readonly name: string;
  readonly text: string;
}

/** As the API server's own limit for a request: nobody applies more at once. */
const URL_BYTES_MAX = 100 * 1024 * 1024;
const URL_TIMEOUT_MS = 30_000;

/** What kubectl takes from a directory. */
const MANIFEST = /\.(?:ya?ml|json)$/;

/**
 * Reads what is named: `-` is standard input, a directory all manifests below it in order of their names, and an https
 * URL what it serves.
 *
 * @throws CommandFailure when something can't be read
 */
export async function readInputs(names: readonly string[], io: Io): Promise<readonly Input[]> {
  if (names.length === 0)
    throw new CommandFailure("please specify a kubernetes resource file, or - for standard input");
  const inputs = await Promise.all(names.map((name) => readInput(name, io)));
  return inputs.flat();
}

async function readInput(name: string, io: Io): Promise<readonly Input[]> {
  if (name === "-") return [{ name: "stdin", text: await io.stdin() }];
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(name)) return [{ name, text: await fetchText(name) }];
  return readPath(name);
}

async function readPath(path: string): Promise<readonly Input[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [{ name: path, text: await readFile(path, "utf8") }];
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile() && MANIFEST.test(entry.name));
    const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
    return await Promise.all(paths.map(async (file) => ({ name: file, text: await readFile(file, "utf8") })));
  } catch (error) {
    throw new CommandFailure(error instanceof Error ? error.message : String(error), 1, error);
  }
}

async function fetchText(url: string): Promise<string> {
  if (!/^https:/i.test(url)) throw new CommandFailure(`${url}: only https URLs are read`);
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(URL_TIMEOUT_MS) });
  } catch (error) {
    throw new CommandFailure(`${url}: ${error instanceof Error ? error.message : String(error)}`, 1, error);
  }
  // A redirect must not lead to where anybody on the way could change what is applied.
  if (response.redirected && !response.url.startsWith("https:")) {
    throw new CommandFailure(`${url}: it redirects to ${response.url}, which is not https`);
  }
  if (!response.ok) throw new CommandFailure(`${url}: the server answered ${response.status} ${response.statusText}`);
  if (Number(response.headers.get("content-length") ?? 0) > URL_BYTES_MAX) {
    throw new CommandFailure(`${url}: larger than ${URL_BYTES_MAX} bytes`);
  }
  return await response.text();
}
