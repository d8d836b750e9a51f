/** The states a regular expression compiles to: Thompson's construction. */
import type { CharSet } from "./char-set.ts";
import { type Node, RegexSyntaxError } from "./syntax.ts";

/** What a state does: consumes a character, goes two ways, or goes on if a condition holds. */
export const Op = { Consume: 0, Split: 1, Start: 2, End: 3, Boundary: 4, NoBoundary: 5, Match: 6 } as const;
export type Op = (typeof Op)[keyof typeof Op];

interface State {
  readonly op: Op;
  /** For Consume. */
  readonly set: CharSet | null;
  next: number;
  /** For Split. */
  other: number;
}

export interface Program {
  readonly states: readonly State[];
  readonly start: number;
  /** Whether any state asks for word boundaries. */
  readonly boundaries: boolean;
}

/** Each costs a step per character in the worst case. */
const STATES_MAX = 3000;

/** @throws RegexSyntaxError when counted repetitions make it too large */
export function compileProgram(node: Node): Program {
  const builder = new Builder();
  const match = builder.add(Op.Match, null, -1, -1);
  const start = builder.build(node, match);
  const boundaries = builder.states.some((state) => state.op === Op.Boundary || state.op === Op.NoBoundary);
  return { states: builder.states, start, boundaries };
}

class Builder {
  readonly states: State[] = [];

  add(op: Op, set: CharSet | null, next: number, other: number): number {
    if (this.states.length >= STATES_MAX) throw new RegexSyntaxError("the expression is too large");
    return this.states.push({ op, set, next, other }) - 1;
  }

  /** Builds from the end to the start. @returns the state to begin in so that what follows the node is `next` */
  build(node: Node, next: number): number {
    switch (node.kind) {
      case "set":
        return this.add(Op.Consume, node.set, next, -1);
      case "concat":
        return node.nodes.reduceRight((after, part) => this.build(part, after), next);
      case "choice":
        return node.nodes
          .map((part) => this.build(part, next))
          .reduceRight((others, one) => this.add(Op.Split, null, one, others));
      case "repeat":
        return this.#repeat(node.node, node.min, node.max, next);
      case "start":
        return this.add(Op.Start, null, next, -1);
      case "end":
        return this.add(Op.End, null, next, -1);
      case "boundary":
        return this.add(node.negated ? Op.NoBoundary : Op.Boundary, null, next, -1);
      default:
        return unreachable(node);
    }
  }

  #repeat(node: Node, min: number, max: number, next: number): number {
    let at = next;
    if (max === Number.POSITIVE_INFINITY) {
      const loop = this.add(Op.Split, null, -1, next);
      const state = this.states[loop];
      if (state !== undefined) state.next = this.build(node, loop);
      at = loop;
    } else {
      for (let n = min; n < max; n += 1) at = this.add(Op.Split, null, this.build(node, at), next);
    }
    for (let n = 0; n < min; n += 1) at = this.build(node, at);
    return at;
  }
}

function unreachable(node: never): never {
  throw new Error(`not a node: ${JSON.stringify(node)}`);
}
