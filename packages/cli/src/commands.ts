/** What was asked for, by the executable's name or its first argument. */
export type Invocation =
  | { readonly command: "proxy-init" | "network-validator"; readonly args: readonly string[] }
  | { readonly command: "proxy" }
  /** Everything that a person types, and the programs of the control plane. */
  | { readonly command: "program"; readonly args: readonly string[] };

/** The programs of Linkerd's images: an image may keep these names as links to this executable. */
const LINKERD_NAMES: Readonly<Record<string, string>> = {
  "proxy-init": "proxy-init",
  "linkerd2-proxy-init": "proxy-init",
  "linkerd2-proxy": "proxy",
  "linkerd2-network-validator": "network-validator",
  "linkerd-await": "await",
};

/**
 * The data plane's programs start in every pod, so they are found without loading the command line's parser.
 *
 * @param calledAs the executable's name without its directory
 * @param args everything after the executable's name
 */
export function findCommand(calledAs: string, args: readonly string[]): Invocation {
  const linked = LINKERD_NAMES[calledAs];
  const words = linked === undefined ? args : [linked, ...args];
  const [name, ...rest] = words;
  switch (name) {
    case "proxy-init":
    case "network-validator":
      return { command: name, args: rest };
    case "proxy":
      // Linkerd's proxy reads no arguments; neither does this one.
      return { command: name };
    default:
      return { command: "program", args: words };
  }
}
