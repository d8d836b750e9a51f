import { ApiError } from "./api-error.ts";
import type { KubeConfig } from "./kube-config.ts";
import type { Status } from "./types.ts";

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Until the head of the answer is there; 0 for no limit. */
  readonly timeoutMs?: number | undefined;
}

/** The API server could not be reached or could not be trusted. The message says which and what to look at. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
  /** As the system or the TLS library names it: ECONNREFUSED, ENOTFOUND, DEPTH_ZERO_SELF_SIGNED_CERT, TIMEOUT … */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

// A server under pressure asks for patience in seconds; client-go, too, obeys it ten times.
const RETRIES_MAX = 10;
const RETRY_AFTER_MAX_S = 30;

/** Requests to one API server, with its TLS and as its user. */
export class Transport {
  readonly #config: KubeConfig;
  readonly #timeoutMs: number;
  readonly #userAgent: string;

  constructor(config: KubeConfig, timeoutMs: number, userAgent: string) {
    this.#config = config;
    this.#timeoutMs = timeoutMs;
    this.#userAgent = userAgent;
  }

  /**
   * Makes a request and gives the answer whatever its status, with a body still to be read.
   * @throws UnreachableError; what `signal` was aborted with
   */
  async send(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    for (let tries = 0; ; tries++) {
      const response = await this.#once(method, path, options);
      const waitMs = patienceMs(response);
      if (waitMs === undefined || tries >= RETRIES_MAX) return response;
      await response.body?.cancel();
      await sleep(waitMs, options.signal);
    }
  }

  /**
   * Makes a request and gives the JSON of the answer. The time limit holds until its last byte.
   * @throws ApiError for an answer that isn't a success; UnreachableError
   */
  async json<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const deadline = new Deadline(timeoutMs, options.signal);
    try {
      const response = await this.send(method, path, { ...options, timeoutMs: 0, signal: deadline.signal });
      await throwUnlessOk(response);
      return (await response.json()) as T;
    } catch (cause) {
      if (cause instanceof ApiError || options.signal?.aborted) throw cause;
      throw deadline.passed ? this.#timedOut(method, path, timeoutMs) : this.explain(cause);
    } finally {
      deadline.clear();
    }
  }

  async #once(method: string, path: string, options: RequestOptions): Promise<Response> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const headers = this.#headers(options.headers);
    const deadline = new Deadline(timeoutMs, options.signal);
    try {
      return await fetch(this.#config.server + path + queryOf(options.query), {
        method,
        headers,
        redirect: "manual",
        signal: deadline.signal,
        tls: this.#tls(),
        // Bun ends exchanges that are silent for five minutes otherwise, as a watch may well be.
        timeout: false,
        ...(options.body === undefined ? {} : { body: options.body }),
      } as BunFetchRequestInit);
    } catch (cause) {
      if (options.signal?.aborted) throw options.signal.reason;
      throw deadline.passed ? this.#timedOut(method, path, timeoutMs) : this.explain(cause);
    } finally {
      deadline.clear();
    }
  }

  #headers(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
    const { impersonate } = this.#config;
    const authorization = this.#config.authorization();
    return {
      accept: "application/json",
      "user-agent": this.#userAgent,
      ...(authorization === undefined ? {} : { authorization }),
      ...(impersonate === undefined ? {} : { "impersonate-user": impersonate.user }),
      ...(impersonate?.group === undefined ? {} : { "impersonate-group": impersonate.group }),
      ...extra,
    };
  }

  #tls(): Record<string, unknown> {
    const { insecure, ...tls } = this.#config.tls;
    return { ...tls, rejectUnauthorized: !insecure };
  }

  #timedOut(method: string, path: string, timeoutMs: number): UnreachableError {
    const { server, origin } = this.#config;
    return new UnreachableError(
      "TIMEOUT",
      `${server} (${origin}) did not answer ${method} ${path} within ${timeoutMs} ms`,
    );
  }

  /** What went wrong below the API, in words that say where to look. */
  explain(cause: unknown): UnreachableError {
    if (cause instanceof UnreachableError) return cause;
    const { server, origin } = this.#config;
    const code = codeOf(cause);
    const advice = CERTIFICATE_CODES.test(code)
      ? `its certificate is not trusted (${code}); look at certificate-authority and tls-server-name of ${origin}`
      : `${EXPLANATIONS[code] ?? (cause instanceof Error ? cause.message : String(cause))}; is the cluster of ${origin} running?`;
    return new UnreachableError(code, `cannot talk to the Kubernetes API at ${server}: ${advice}`, { cause });
  }
}

const CERTIFICATE_CODES = /CERT|SIGNATURE|ISSUER|ERR_TLS/;

const EXPLANATIONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was closed",
  ENOTFOUND: "there is no such host",
};

/** @throws ApiError with what the server's Status says, unless the answer is a success */
export async function throwUnlessOk(response: Response): Promise<void> {
  if (response.ok) return;
  const text = await response.text();
  throw ApiError.fromStatus(statusIn(text), response.status);
}

function statusIn(text: string): Partial<Status> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && "kind" in parsed && parsed.kind === "Status") {
      return parsed as Status;
    }
  } catch {
    // Not every answer is the API's own: proxies and load balancers answer in plain text or HTML.
  }
  const message = text.trim().slice(0, 500);
  return message === "" ? {} : { message };
}

function patienceMs(response: Response): number | undefined {
  if (response.status !== 429 && response.status < 500) return undefined;
  const header = response.headers.get("retry-after");
  if (header === null) return undefined;
  const seconds = Number(header);
  return seconds >= 0 && seconds <= RETRY_AFTER_MAX_S ? seconds * 1000 : undefined;
}

function queryOf(query: RequestOptions["query"]): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== "") parameters.set(name, String(value));
  }
  return parameters.size === 0 ? "" : `?${parameters.toString()}`;
}

function codeOf(cause: unknown): string {
  const code: unknown = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return typeof code === "string" ? code : "UNKNOWN";
}

/** Resolves after a time, or rejects with the signal's reason. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal?.aborted) return Promise.reject(signal.reason);
  const timer = setTimeout(done, ms);
  signal?.addEventListener("abort", aborted, { once: true });
  return promise;

  function done(): void {
    signal?.removeEventListener("abort", aborted);
    resolve();
  }
  function aborted(): void {
    clearTimeout(timer);
    reject(signal?.reason);
  }
}

/** A caller's signal and a time limit as one signal. */
class Deadline {
  readonly signal: AbortSignal;
  passed = false;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(timeoutMs: number, signal: AbortSignal | undefined) {
    const own = new AbortController();
    this.signal = signal === undefined ? own.signal : AbortSignal.any([signal, own.signal]);
    if (timeoutMs === 0) return;
    this.#timer = setTimeout(() => {
      this.passed = true;
      own.abort();
    }, timeoutMs);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
