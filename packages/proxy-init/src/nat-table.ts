import { HOOKS } from "./plan.ts";

/** The nat table as `iptables-save -t nat` prints it: rules by chain, in order, without their `-A CHAIN `. */
export type NatTable = ReadonlyMap<string, readonly string[]>;

/** The state of one of our chains in a table. */
export interface OwnedChain {
  readonly name: string;
  readonly hook: string;
  /** Null: the chain is not there. */
  readonly rules: readonly string[] | null;
  /** Our rules in the hook, exactly as they stand there. More than one only after a foreign tool's doing. */
  readonly jumps: readonly string[];
  /** How many rules of others come before the first of `jumps`; all of them when there is none. */
  readonly position: number;
}

/** A jump of ours is unconditional: a condition before it is someone else's intent. */
const OWN_JUMP = /^(?:-m comment --comment (?:"[^"]*"|\S+) )?-j (\S+)$/;

/** @throws Error when the text is not the nat table's */
export function parseNatTable(saved: string): NatTable {
  const table = new Map<string, string[]>();
  for (const line of saved.split("\n")) {
    const chain = /^:(\S+) /.exec(line)?.[1];
    if (chain !== undefined) table.set(chain, []);
    const [, ruleChain, rule] = /^-A (\S+) (.*)$/.exec(line) ?? [];
    if (ruleChain === undefined || rule === undefined) continue;
    const rules = table.get(ruleChain);
    if (rules === undefined) throw new Error(`the saved nat table has a rule for the unknown chain ${ruleChain}`);
    rules.push(rule.trimEnd());
  }
  return table;
}

/** Which of a table's chains and rules are proxy-init's, whenever and by whichever version they were made. */
export function findOwnedChains(table: NatTable): readonly OwnedChain[] {
  return Object.entries(HOOKS).map(([name, hook]) => {
    const hookRules = table.get(hook) ?? [];
    const isOwn = (rule: string): boolean => OWN_JUMP.exec(rule)?.[1] === name;
    const first = hookRules.findIndex(isOwn);
    return {
      name,
      hook,
      rules: table.get(name) ?? null,
      jumps: hookRules.filter(isOwn),
      position: first === -1 ? hookRules.length : first,
    };
  });
}

/** Rules that are not ours but need our chains, which therefore cannot be removed: `-A CHAIN rule`. */
export function findForeignUses(table: NatTable): readonly string[] {
  const ownJumps = new Set(
    findOwnedChains(table).flatMap(({ hook, jumps }) => jumps.map((jump) => `-A ${hook} ${jump}`)),
  );
  const uses: string[] = [];
  for (const [chain, rules] of table) {
    for (const rule of rules) {
      const target = / -[jg] (\S+)/.exec(` ${rule}`)?.[1] ?? "";
      const line = `-A ${chain} ${rule}`;
      if (Object.hasOwn(HOOKS, target) && !ownJumps.has(line)) uses.push(line);
    }
  }
  return uses;
}
