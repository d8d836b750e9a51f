import type { Duplex } from "node:stream";

export interface ProbeResult {
  readonly ok: boolean;
  /** What was wrong, in kubelet's words. */
  readonly message: string;
}

/** Everything a probe or a hook does to its container. */
export interface ProbeTarget {
  /** Where a request without a host of its own goes: the pod's address. */
  readonly host: string;
  /** Of the container's ports, by name. */
  readonly namedPort: (name: string) => number | undefined;
  readonly dial: (host: string, port: number) => Promise<Duplex>;
  readonly exec: (command: readonly string[], timeoutMs: number) => Promise<ExecResult>;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly output: string;
  readonly timedOut: boolean;
}

export const OK: ProbeResult = { ok: true, message: "" };

/** @throws when the container has no port of that name */
export function portOf(port: number | string, target: ProbeTarget): number {
  const number = typeof port === "number" || /^\d+$/.test(port) ? Number(port) : target.namedPort(port);
  if (number === undefined) throw new Error(`couldn't find port: ${JSON.stringify(port)}`);
  return number;
}
