/** One of the application's four programs, under way. */
export interface Program {
  /** One line for the log. */
  readonly greeting: string;
  /** By the names of the manifests: "http", "grpc", "prom". */
  readonly ports: Readonly<Record<string, number>>;
  /** Settles when the program has come to its end by itself; for most that is never. */
  readonly ended: Promise<void>;
  /** Takes on nothing new, finishes what it has begun. */
  stop(): Promise<void>;
}

/** Less than the 30 seconds that Kubernetes gives, and more than any request of ours takes. */
export const STOP_DEADLINE_MS = 10_000;

export const NEVER: Promise<void> = new Promise(() => undefined);
