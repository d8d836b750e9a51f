/** What a projected volume asks a service account token for. */
export interface TokenRequest {
  readonly audience: string | undefined;
  readonly expirationSeconds: number;
}

interface Token {
  readonly text: string;
  readonly refreshAtMs: number;
}

/** Kubernetes renews at four fifths of a token's life, and at least daily. */
const REFRESH_PART = 0.8;
const REFRESH_MAX_MS = 24 * 3600 * 1000;

/** A pod's service account tokens, each made anew before it expires. */
export class TokenCache {
  readonly #make: (request: TokenRequest) => Promise<string>;
  readonly #tokens = new Map<string, Token>();

  constructor(make: (request: TokenRequest) => Promise<string>) {
    this.#make = make;
  }

  async get(request: TokenRequest): Promise<string> {
    const key = JSON.stringify([request.audience ?? null, request.expirationSeconds]);
    const kept = this.#tokens.get(key);
    if (kept !== undefined && Date.now() < kept.refreshAtMs) return kept.text;
    const text = await this.#make(request);
    const lifeMs = Math.min(request.expirationSeconds * 1000 * REFRESH_PART, REFRESH_MAX_MS);
    this.#tokens.set(key, { text, refreshAtMs: Date.now() + lifeMs });
    return text;
  }

  /** The earliest moment at which `get` would make a token again. */
  get refreshAtMs(): number | undefined {
    const times = Array.from(this.#tokens.values(), ({ refreshAtMs }) => refreshAtMs);
    return times.length === 0 ? undefined : Math.min(...times);
  }
}
