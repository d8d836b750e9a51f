/** What a client of exec or attach asks for by its query (PodExecOptions, PodAttachOptions). */
export interface CommandOptions {
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export function commandOptions(query: URLSearchParams): CommandOptions {
  const is = (name: string): boolean => ["true", "1"].includes(query.get(name) ?? "");
  const tty = is("tty");
  return {
    command: query.getAll("command"),
    stdin: is("stdin"),
    stdout: is("stdout"),
    // A terminal has one output.
    stderr: is("stderr") && !tty,
    tty,
  };
}
