import { timeText } from "./controller.ts";

/** What conditions of all kinds have in common. */
export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  lastUpdateTime?: string;
}

/**
 * The list with one condition replaced or added. The time of transition moves only with the status. A condition that
 * says what it said before is left as it was, its times included.
 */
export function withCondition<T extends Condition>(list: readonly T[], condition: T, nowMs: number): T[] {
  const old = list.find(({ type }) => type === condition.type);
  if (old !== undefined && old.status === condition.status && old.reason === condition.reason) {
    if (old.message === condition.message) return [...list];
  }
  const now = timeText(nowMs);
  const lastTransitionTime = old?.status === condition.status ? (old.lastTransitionTime ?? now) : now;
  const fresh = { ...condition, lastTransitionTime };
  return old === undefined ? [...list, fresh] : list.map((each) => (each === old ? fresh : each));
}

export function withoutCondition<T extends Condition>(list: readonly T[], type: string): T[] {
  return list.filter((condition) => condition.type !== type);
}

export function isTrue(list: readonly Condition[] | undefined, type: string): boolean {
  return list?.some((condition) => condition.type === type && condition.status === "True") ?? false;
}
