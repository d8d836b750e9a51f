/** `$(NAME)` as Kubernetes replaces it: unknown names stay as they are, and `$$(NAME)` is the text `$(NAME)`. */
export function expandVariables(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$\$|\$\(([^()]*)\)/g, (match, name?: string) => {
    if (name === undefined) return "$";
    return variables.get(name) ?? match;
  });
}
