/** A condition on one label: an exact value, or just that there is one. */
export type Matcher =
  | { readonly label: string; readonly is: string }
  | { readonly label: string; readonly present: true };

/** Series that match all of `match`, summed for each combination of values of the labels in `groupBy`. */
export interface Selection {
  readonly match: readonly Matcher[];
  readonly groupBy: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

/** A label that a series doesn't have counts as empty, as in PromQL. */
export function selects(selection: Selection, labels: Labels): boolean {
  return selection.match.every((matcher) => {
    const value = labels[matcher.label] ?? "";
    return "is" in matcher ? value === matcher.is : value !== "";
  });
}

/** The values of the grouping labels; missing ones are empty. */
export function groupOf(selection: Selection, labels: Labels): Labels {
  return Object.fromEntries(selection.groupBy.map((label) => [label, labels[label] ?? ""]));
}

/** Equal for equal groups of one selection. */
export function groupKey(selection: Selection, labels: Labels): string {
  return selection.groupBy.map((label) => labels[label] ?? "").join("\u0000");
}
