import type { OwnedChain } from "./nat-table.ts";
import type { PlannedChain } from "./plan.ts";

/**
 * The input for `iptables-restore --noflush` that takes our chains from `current` to `wanted`: one transaction, so the
 * kernel has the old rules or the new, never a part of either. Everyone else's rules keep their place.
 *
 * `:CHAIN - [0:0]` makes a chain or empties the one that is there. Jumps are deleted by their exact text, never by
 * number: should another program change the hook meanwhile, the transaction fails rather than delete a foreign rule.
 *
 * @returns null when there is nothing to change because both have none of our chains
 */
export function transition(current: readonly OwnedChain[], wanted: readonly OwnedChain[]): string | null {
  const pairs = current.map((now) => ({
    now,
    next: wanted.find(({ name }) => name === now.name) ?? { ...now, rules: null, jumps: [] },
  }));
  const lines = [
    ...pairs.filter(({ now, next }) => now.rules ?? next.rules).map(({ now }) => `:${now.name} - [0:0]`),
    ...pairs.flatMap(({ now }) => now.jumps.map((jump) => `-D ${now.hook} ${jump}`)),
    ...pairs.flatMap(({ next }) => (next.rules ?? []).map((rule) => `-A ${next.name} ${rule}`)),
    ...pairs.flatMap(({ next }) => addJumps(next)),
    ...pairs.filter(({ now, next }) => now.rules && !next.rules).map(({ now }) => `-X ${now.name}`),
  ];
  return lines.length === 0 ? null : `${["*nat", ...lines, "COMMIT"].join("\n")}\n`;
}

/** The state after installing `plan` over `current`: a jump that is there already is replaced where it stands. */
export function installed(current: readonly OwnedChain[], plan: readonly PlannedChain[]): readonly OwnedChain[] {
  return plan.map(({ name, hook, rules, jump }) => {
    const now = current.find((chain) => chain.name === name);
    const position = now === undefined || now.jumps.length === 0 ? AT_THE_END : now.position;
    return { name, hook, rules, jumps: [jump], position };
  });
}

/** The state with none of our chains and jumps left. */
export function removed(current: readonly OwnedChain[]): readonly OwnedChain[] {
  return current.map((chain) => ({ ...chain, rules: null, jumps: [] }));
}

/** The state before anything of ours, as a fresh pod has it. */
export function untouched(plan: readonly PlannedChain[]): readonly OwnedChain[] {
  return plan.map(({ name, hook }) => ({ name, hook, rules: null, jumps: [], position: 0 }));
}

/** A position after any number of rules, which `-A` needs no count for. */
const AT_THE_END = Number.POSITIVE_INFINITY;

function addJumps({ hook, jumps, position }: OwnedChain): string[] {
  return jumps.map((jump, at) =>
    position === AT_THE_END ? `-A ${hook} ${jump}` : `-I ${hook} ${position + at + 1} ${jump}`,
  );
}
